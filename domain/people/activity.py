"""Active = bought within three months; registered is not active. The one definition: everything else asks here."""

from calendar import monthrange
from datetime import datetime

ACTIVE_MONTHS = 3


def is_active(last_ordered_at: datetime | None, at: datetime) -> bool:
    """Whether a member whose last purchase was then is active at `at` (business clock). What comes after is unseen."""
    return last_ordered_at is not None and active_since(at) < last_ordered_at <= at


def active_since(at: datetime) -> datetime:
    """Three calendar months before, as PostgreSQL counts them: 31 May -> 28 (29) February."""
    month = at.year * 12 + at.month - 1 - ACTIVE_MONTHS
    year, month = month // 12, month % 12 + 1
    return at.replace(year=year, month=month, day=min(at.day, monthrange(year, month)[1]))


def is_active_sql(member_id: str, at: str) -> str:
    """The same as a condition; both arguments are SQL expressions written by us, never input. One index look-up."""
    return (
        f"EXISTS (SELECT FROM orders active_order WHERE active_order.member_id = {member_id} "
        f"AND active_order.ordered_at > ({at})::timestamptz - interval '{ACTIVE_MONTHS} months' "
        f"AND active_order.ordered_at <= ({at})::timestamptz)"
    )
