"""Member facts: one row a member that rules ask instead of her orders; kept up to date where something changed.

Whatever writes members, babies, orders, returns, tags, consents, interactions or scores leaves a line in
`member_changes` in its own transaction: triggers of the database see to it, so no importer, merge or person in psql
forgets.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from domain.database import connection
from domain.platform.sources import Channel, Purpose
from domain.sql import statement


class MemberFacts(Model):
    """Derived, and made again at any time: no references that a rebuild would have to check a million times over."""

    # In the order in which rules ask: a row is read up to the last column that a rule needs.
    member_id = fields.UUIDField(primary_key=True)
    order_cents = fields.BigIntField()  # sum of all orders less refunds, in hundredths of their own currency
    consents = fields.BigIntField()  # bit `consent_bit(purpose, channel)` is set: granted and in force
    order_count = fields.IntField()
    interaction_count = fields.IntField()
    baby_count = fields.IntField()  # live: content about them was not stopped
    joined_on = fields.DateField()
    last_order_on = fields.DateField(null=True)  # local date, as all days here
    oldest_born = fields.DateField(null=True)  # first and last of `baby_born`
    youngest_born = fields.DateField(null=True)
    tin_ends_on = fields.DateField(null=True)  # when the last formula bought is used up, by the prior of a tin
    last_interaction_on = fields.DateField(null=True)
    carer_role = fields.CharField(max_length=16)
    time_zone = fields.CharField(max_length=64)
    segment_bits = ArrayField(element_type="bigint", default=list)  # which segments she is in: `Segment.place`
    tags = ArrayField(element_type="uuid", default=list)  # in force
    order_days = ArrayField(element_type="date", default=list)  # ascending, one an order
    order_sums = ArrayField(element_type="bigint", default=list)  # cents up to and with that order
    baby_due = ArrayField(element_type="date", default=list)  # of live babies without a birth date, ascending
    baby_born = ArrayField(element_type="date", default=list)  # of live babies, ascending
    first_order_on = fields.DateField(null=True)
    next_expiry = fields.DatetimeField(null=True)  # when the next of her tags expires, business clock
    household_id = fields.UUIDField()
    store_id = fields.UUIDField(null=True)
    owner_id = fields.UUIDField(null=True)
    status = fields.CharField(max_length=16)
    language = fields.CharField(max_length=16)
    jurisdiction = fields.CharField(max_length=8)
    joined_channel = fields.CharField(max_length=16, null=True)
    joined_campaign = fields.CharField(max_length=100, null=True)

    class Meta:
        table = "member_facts"


class MemberChange(Model):
    """That something about a member changed. A line without a member says it of everybody."""

    id = fields.BigIntField(primary_key=True, generated=True)
    member_id = fields.UUIDField(null=True)
    is_of_facts = fields.BooleanField(default=True, db_default=True)  # false: of scores, which facts do not hold

    class Meta:
        table = "member_changes"
        constraints = [
            CheckConstraint(name="member_changes_of_one_are_of_facts", check="is_of_facts OR member_id IS NULL")
        ]


class MemberZone(Model):
    """A time zone that members live in, and the local day for which their segments were last worked out."""

    time_zone = fields.CharField(max_length=64, primary_key=True)
    day = fields.DateField(null=True)  # business date; null: not yet

    class Meta:
        table = "member_zones"


PURPOSES = (Purpose.CARE, Purpose.SERVICE, Purpose.PROMOTION)
CHANNELS = (
    Channel.SMS, Channel.EMAIL, Channel.CALL, Channel.WECHAT, Channel.WECOM, Channel.PUSH, Channel.POS_PROMPT,
    Channel.DIRECT_MAIL, Channel.STORE,
)  # fmt: skip
"""In the order of their bits: append only, or rebuild all facts."""
CHANNELS_A_PURPOSE = 20  # bits
TIN_DAYS = 6
"""How long a tin of 800-900 g feeds a baby who gets nothing else: five to seven days, until her purchases say more."""
MOST_TAKEN = 2_000  # members a pass
MOST_WAITING = 200_000
"""Lines that are worked off member by member; of more it is quicker to make all facts anew."""
ASKS_FOR_ALL = (
    "SELECT (SELECT count(*) FROM (SELECT FROM member_changes LIMIT $1) few) >= $1 OR EXISTS "
    "(SELECT FROM member_changes WHERE member_id IS NULL AND is_of_facts) AS all_of_them"
)


@dataclass(frozen=True, slots=True)
class Changes:
    """What was taken off the list of changes."""

    members: list[UUID]
    everybody: bool = False
    all_facts: bool = False


def consent_bit(purpose: Purpose, channel: Channel) -> int:
    return PURPOSES.index(purpose) * CHANNELS_A_PURPOSE + CHANNELS.index(channel)


async def take_changes(most: int = MOST_TAKEN) -> Changes:
    """Take changed members off the list, inside the caller's transaction; lines that come meanwhile stay.

    Of very many lines all are taken, and everybody counts as changed. Members whose tags have expired by now do, too.
    """
    asked = await connection().execute_query_dict(ASKS_FOR_ALL, [MOST_WAITING])
    if asked[0]["all_of_them"]:
        await connection().execute_query("DELETE FROM member_changes")
        return Changes([], everybody=True, all_facts=True)
    rows = await connection().execute_query_dict(
        "DELETE FROM member_changes WHERE id IN (SELECT id FROM member_changes ORDER BY id LIMIT $1) "
        "RETURNING member_id, is_of_facts",
        [most],
    )
    expired = await connection().execute_query_dict(
        "SELECT member_id FROM member_facts WHERE next_expiry <= (SELECT business_now()) LIMIT $1", [most]
    )
    members = {row["member_id"] for row in [*rows, *expired] if row["member_id"] is not None}
    return Changes(sorted(members), everybody=any(row["member_id"] is None for row in rows))


async def rebuild(members: Sequence[UUID] | None = None) -> int:
    """Make the facts of these members (None: of all) anew from what stands; answers how many rows changed.

    One statement, inside the caller's transaction. Members who were erased lose their row.
    """
    sql = statement("member_facts")
    if members is not None:  # a statement of its own: one plan for some and for all would be made for all
        sql = sql.replace("$1::uuid[] IS NULL OR ", "")
    written = await connection().execute_query_dict(
        sql,
        [
            list(members) if members is not None else None, [one.value for one in PURPOSES],
            [one.value for one in CHANNELS], CHANNELS_A_PURPOSE, TIN_DAYS,
        ],
    )  # fmt: skip
    count: int = written[0]["written"]
    return count
