"""`nestling member`: an operator answers a letter."""

import json
import stat
from pathlib import Path

from domain.people.members import Member
from domain.platform.accounts import Account
from domain.platform.roles import Role
from tests.factories import any_id, make_actor, make_member, make_reachable
from tests.nestling.commands import several


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
