"""`nestling user`: accounts from the first one to the day on which a demo's installation becomes a shop's."""

import asyncio
import sys
from pathlib import Path

import httpx

from domain.platform.accounts import Account, create_account
from domain.platform.roles import Role
from domain.platform.sessions import LoggedIn, WrongLogin, log_in
from domain.platform.tokens import ApiToken, issue_personal_token, issue_service_token
from nestling.embedded.processes import free_port
from tests.factories import make_staff
from tests.nestling.commands import PRODUCTION, several
from tests.workers.stage import process

FIRST, SECOND = "a first long password", "a second long password"


def _twice(password: str) -> str:
    return f"{password}\n{password}\n"


def _unframed(words: str) -> str:
    """What a framed error says, in one line."""
    return " ".join(words.replace("│", " ").split())


async def _may_enter(login: str, password: str) -> bool:
    answer = await log_in(login, password, "127.0.0.1")
    assert isinstance(answer, LoggedIn | WrongLogin)
    return isinstance(answer, LoggedIn)


async def test_an_account_is_made_listed_changed_shut_and_opened_again(db: str, tmp_path: Path) -> None:
    staff = await make_staff(external_id="nora")
    add = "user add Nora --role advisor --staff nora --language zh-Hans"
    told = await several(
        tmp_path, db,
        (add, _twice(FIRST)),
        (add, _twice(FIRST)),
        ("user add mia --role queen", ""),
        ("user add mia --role member", ""),
        ("user add mia --role advisor --language fr", ""),
        ("user add mia --role advisor --staff nobody", _twice(FIRST)),
        ("user add mia --role advisor", _twice("short")),
        ("user add mia --role advisor", f"{FIRST}\nanother one\n"),
        ("user shut mia", ""),
        ("user list", ""),
    )  # fmt: skip
    assert [code for code, _ in told] == [0, 1, 2, 2, 2, 1, 1, 1, 1, 0]
    said = [words.strip().splitlines()[-1] for _, words in told]
    assert said[:2] == ["nora may sign in.", "Another account has this login."]
    for (_, words), wrong in zip(told[2:5], ("role queen", "role member", "not in fr"), strict=True):
        assert wrong in words
        assert "Password" not in words, "asked for before the mistake was told"
    assert "consultant, advisor, store_manager, operator, analyst, auditor" in _unframed(told[2][1])
    assert said[5:7] == ["There is no staff with the external id nobody.", "At least 10 characters."]
    assert said[8] == "No account with this login."
    assert said[9].split() == ["nora", "ADVISOR"]
    assert not any(FIRST in words for _, words in told)
    (account,) = await Account.all()
    assert (account.role, account.staff_id, account.language) == (Role.ADVISOR, staff.id, "zh-Hans")
    assert await _may_enter("nora", FIRST)
    told = await several(
        tmp_path, db, ("user password NORA", _twice(SECOND)), ("user password nora", _twice("short")),
        ("user shut nora", ""), ("user list", ""), ("user open nora", ""),
    )  # fmt: skip
    assert [code for code, _ in told] == [0, 1, 0, 0, 0]
    assert "nora has a new password." in told[0][1]
    assert told[3][1].split() == ["nora", "ADVISOR", "shut"]
    assert told[4][1] == "nora may sign in.\n"
    assert await _may_enter("nora", SECOND)
    assert not await _may_enter("nora", FIRST)


async def test_a_token_is_revoked_by_its_name_or_its_id_and_a_wrong_one_is_told_in_words(
    db: str, tmp_path: Path
) -> None:
    two, one = [await issue_service_token("tills") for _ in range(2)], await issue_service_token("frontend")
    told = await several(
        tmp_path, db, ("token revoke frontend", ""), ("token revoke frontend", ""), ("token revoke tills", ""),
        (f"token revoke {two[0].id}", ""), ("token revoke tills", ""), ("token add till", ""),
    )  # fmt: skip
    assert [code for code, _ in told] == [0, 1, 1, 0, 0, 0]
    assert "No token that works has the id or the name frontend." in told[1][1]
    assert "2 tokens are named tills" in told[2][1]
    assert all(str(token.id) in told[2][1] for token in two)
    (left,) = await ApiToken.filter(revoked_at=None)
    assert (left.name, await ApiToken.filter(id=one.id, revoked_at=None).exists()) == ("till", False)
    assert f"token revoke {left.id}" in told[5][1]


async def test_without_its_demo_accounts_a_database_is_served_in_production(db: str, tmp_path: Path) -> None:
    await create_account("advisor-1", FIRST, Role.ADVISOR, is_demo=True)
    await create_account("nora", FIRST, Role.ADVISOR)
    await issue_personal_token("advisor-1", "demo", is_demo=True)
    await issue_personal_token("nora", "till")
    ((code, listed), (_, said)) = await several(tmp_path, db, ("user list", ""), ("user disable-demo", ""))
    assert [line.split() for line in listed.splitlines()] == [["advisor-1", "ADVISOR", "demo"], ["nora", "ADVISOR"]]
    assert (code, said) == (0, "1 account shut, 1 token revoked.\n")
    assert [token.name for token in await ApiToken.filter(revoked_at=None)] == ["till"]
    assert not await _may_enter("advisor-1", FIRST)
    assert await _may_enter("nora", FIRST)
    port = str(free_port())
    environment = {**PRODUCTION, "DATABASE_URL": db, "REDIS_URL": "none", "PORT": port}
    with process([sys.executable, "-m", "nestling", "serve"], environment, tmp_path, "serve") as serving:
        async with httpx.AsyncClient() as client:
            for _ in range(300):
                try:
                    answer = await client.get(f"http://127.0.0.1:{port}/ready")
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.1)
        assert answer.status_code == 200, serving.words
        serving.end()
