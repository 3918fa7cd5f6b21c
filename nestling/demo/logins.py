"""The demo's logins and tokens: made for this installation, marked as the demo's, shown at its own terminal only."""

import secrets
from datetime import timedelta
from typing import Any

from domain.commerce.staff import Staff
from domain.platform.accounts import LoginTaken, create_account, set_password
from domain.platform.failures import ValidationError
from domain.platform.roles import Role
from domain.platform.tokens import Issued, issue_personal_token, issue_service_token
from nestling.demo.place import Place
from nestling.demo.steps import Work

ROLES = {
    "consultant": Role.CONSULTANT, "advisor": Role.ADVISOR, "operator": Role.OPERATOR, "analyst": Role.ANALYST,
}  # fmt: skip
OPENED = ("consultant-1", "consultant-2", "advisor-1", "operator-1", "analyst-1")
TOKEN_TTL = timedelta(days=366)


async def open_logins(work: Work) -> dict[str, Any]:
    """Accounts for some of the synthetic staff, with one password; a token for each role. Idempotent: a repeated run
    makes what is missing and keeps what scripts already know."""
    place = Place(work.settings.DATA_DIR)
    password = place.secrets().get("password") or secrets.token_urlsafe(12)
    place.remember(password=password)
    staff = await Staff.filter(source="synthetic", external_id__in=OPENED, is_active=True).order_by("external_id")
    for person in staff:
        role = ROLES[person.external_id.partition("-")[0]]
        language = "en" if person.name.isascii() else "zh-Hans"
        login = person.external_id
        made = await create_account(login, password, role, staff_id=person.id, language=language, is_demo=True)
        if isinstance(made, LoginTaken):
            await set_password(login, password)
        assert not isinstance(made, ValidationError), made
    roles = {person.external_id: ROLES[person.external_id.partition("-")[0]] for person in staff}
    logins = [{"login": name, "password": password, "role": role.value} for name, role in roles.items()]
    await _issue_tokens(place)
    place.remember(logins=logins)
    work.say(f"{len(staff)} accounts, a token for each role")
    return {"accounts": len(staff)}


async def _issue_tokens(place: Place) -> None:
    kept: dict[str, str] = place.secrets().get("tokens", {})
    for name in ROLES:
        if name not in kept:
            issued = await issue_personal_token(f"{name}-1", "demo", ttl=TOKEN_TTL, is_demo=True)
            assert isinstance(issued, Issued), name
            kept[name] = issued.secret
    if "frontend" not in kept:
        kept["frontend"] = (await issue_service_token("demo", ttl=TOKEN_TTL, is_demo=True)).secret
    place.remember(tokens=kept)
