"""`nestling member`: an operator answers a letter."""

import json
import stat
from pathlib import Path

from domain.people.consent_proofs import ConsentProved, prove
from domain.people.members import Member
from domain.platform.accounts import Account
from domain.platform.roles import Role
from domain.platform.sources import Channel, Purpose
from tests.factories import any_id, make_actor, make_consent, make_member, make_reachable
from tests.nestling.commands import nestling, several


async def test_a_proof_of_consent_is_checked_by_whoever_gets_it_back(db: str, tmp_path: Path) -> None:
    given = await make_consent(await make_member(), Purpose.CARE, Channel.SMS)
    proved = await prove(await make_actor(Role.OPERATOR), given.id)
    assert isinstance(proved, ConsentProved)
    for name, text in (("as-written", proved.document), ("changed", proved.document.replace("GRANTED", "WITHDRAWN"))):
        (tmp_path / name).write_text(text)
    key = {"ADDRESS_HASH_KEY": "a key for tests only, thirty-two characters"}
    told = [await nestling(tmp_path, db, "member", "check-proof", name, **key) for name in ("as-written", "changed")]
    assert [(one.returncode, (one.stdout + one.stderr).partition(":")[0]) for one in told] == [
        (0, "Genuine"), (1, "Not genuine"),
    ]  # fmt: skip


async def test_an_operator_hands_out_and_erases(db: str, tmp_path: Path) -> None:
    hers = await make_reachable(await make_member(full_name="Ada Smith"))
    for role, login in ((Role.OPERATOR, "olga"), (Role.ADVISOR, "ada")):
        actor = await make_actor(role)
        await Account.filter(id=actor.account_id).update(login=login)
    out = tmp_path / "her.json"
    erase = f"member erase {hers.id} --as olga --reason member_asked"
    told = await several(
        tmp_path, db,
        (f"member export {hers.id} --as ada --to {out}", ""),
        (f"member export Member:{hers.id} --as olga --to {out}", ""),
        (f"member export {hers.id} --as olga --to {out}", ""),
        (f"member export nobody --as olga --to {out}2", ""),
        (f"member export {hers.id} --as nobody --to {out}2", ""),
        (f"member export {any_id()} --as olga --to {out}2", ""),
        (f"member erase {hers.id} --as olga --reason boredom", ""),
        (erase, "n\n"),
        (erase, "y\n"),
        (erase, "y\n"),
    )  # fmt: skip
    assert [code for code, _ in told] == [1, 0, 2, 2, 2, 1, 2, 1, 0, 1], told
    assert "EXPORT_MEMBERS" in told[0][1]
    assert json.loads(out.read_text())["member"][0]["full_name"] == "Ada Smith"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert "Stays without her: orders 0." in told[7][1]
    assert "No such member" in told[9][1]
    assert (await Member.get(id=hers.id)).full_name is None
