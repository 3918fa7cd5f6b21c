"""`nestling doctor` where something is ill: it says what, what to do, and fails."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from domain.gateway.outbox import OutboxEntry
from domain.platform.accounts import create_account
from domain.platform.clock import advance_business_clock
from domain.platform.ids import new_id
from domain.platform.roles import Role
from nestling.embedded.processes import free_port
from tests.nestling.commands import PRODUCTION, Ran, nestling


def _findings(ran: Ran) -> dict[str, tuple[str, str, str]]:
    """By subject: sign, what was told, remedy."""
    found = re.findall(r"^([✓·✗]) (\S+) +(.*)(?:\n +→ (.*))?$", ran.stdout, re.MULTILINE)
    return {subject: (sign, told, remedy) for sign, subject, told, remedy in found}


async def test_it_names_each_illness_with_its_remedy_and_fails(db: str, tmp_path: Path) -> None:
    await advance_business_clock(timedelta(days=-3000))
    await create_account("advisor-1", "a long password", Role.ADVISOR, is_demo=True)
    line = await OutboxEntry.create(kind="deliver", ref_id=new_id())
    await OutboxEntry.filter(id=line.id).update(created_at=datetime.now(UTC) - timedelta(hours=1))
    nobody = f"127.0.0.1:{free_port()}"
    ill = {
        **PRODUCTION, "COOKIE_SECURE": "false", "REDIS_URL": f"redis://{nobody}/0", "SMS_URL": f"http://{nobody}/",
        "SMTP_HOST": "127.0.0.1", "SMTP_PORT": nobody.rpartition(":")[2],
    }  # fmt: skip
    looked, lost = await asyncio.gather(
        nestling(tmp_path, db, "doctor", **ill),
        nestling(tmp_path, f"postgresql://nestling:hidden@{nobody}/nestling", "doctor"),
    )
    assert (looked.returncode, lost.returncode) == (1, 1)
    found = _findings(looked)
    remedies = {subject: remedy for subject, (sign, _, remedy) in found.items() if sign == "✗"}
    assert set(remedies) == {"settings", "worker", "queue", "clock", "accounts", "redis", "sms", "mail"}
    assert "Set COOKIE_SECURE=true" in found["settings"][1]
    assert "1 waiting" in found["queue"][1]
    for subject, mend in (
        ("worker", "nestling worker"), ("queue", "worker"), ("clock", "DELETE FROM clock_offsets"),
        ("accounts", "user disable-demo"),
        ("redis", "REDIS_URL"), ("sms", "SMS_URL"), ("mail", "SMTP_HOST"),
    ):  # fmt: skip
        assert mend in remedies[subject]
    assert looked.stdout.endswith("8 to mend.\n")
    sign, told, remedy = _findings(lost)["postgresql"]
    assert (sign, remedy) == ("✗", "Start it, or correct DATABASE_URL.")
    assert nobody in told
    assert "hidden" not in lost.stdout + lost.stderr
