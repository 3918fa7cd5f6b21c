"""Pages when something is in the way: words, and how to go on."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest
import pytest_asyncio

from api.app import create_app, reading
from api.auth import cookie_name
from api.config import ApiConfig
from api.pages.years import BANDS, ROWS
from domain.platform.accounts import create_account
from domain.platform.roles import Role
from domain.platform.sessions import LoggedIn, log_in
from domain.stages.care_plans import CareKind
from tests.factories import make_staff


@pytest_asyncio.fixture
async def desk(config: ApiConfig) -> AsyncIterator[httpx.AsyncClient]:
    """A consultant's browser, with an installation where no statement may last half a second."""
    await create_account("eve", "correct horse battery", Role.CONSULTANT, staff_id=(await make_staff()).id)
    session = await log_in("eve", "correct horse battery", "127.0.0.1")
    assert isinstance(session, LoggedIn)
    config = dataclasses.replace(config, statement_timeout_s=0.4)
    async with reading(config):
        transport = httpx.ASGITransport(app=create_app(config))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://test", cookies={cookie_name(config): session.secret}
        ) as client:
            yield client


@pytest.mark.parametrize(("language", "said"), [("en", "One moment, please"), ("zh-Hans", "请稍候")])
async def test_a_page_whose_read_takes_too_long_says_so(
    desk: httpx.AsyncClient, db: str, language: str, said: str
) -> None:
    assert (await desk.get("/desk")).status_code == 200
    blocker = await asyncpg.connect(db)
    try:
        await blocker.execute("BEGIN; LOCK TABLE callback_tasks, messages IN ACCESS EXCLUSIVE MODE")
        answers = await asyncio.gather(*(desk.get(f"/{room}?lang={language}") for room in ("desk", "outbox")))
    finally:
        await blocker.close()
    for answer, room in zip(answers, ("desk", "outbox"), strict=True):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert said in answer.text
        assert f'href="/{room}"' in answer.text
    assert (await desk.get("/desk")).status_code == 200


def test_every_kind_of_care_has_its_row_in_the_picture_of_a_year() -> None:
    assert {*ROWS, BANDS} == {kind.value for kind in CareKind}


@pytest.mark.parametrize("wanted", ["012", "1"])
async def test_a_search_that_is_too_short_is_told_one_thing(desk: httpx.AsyncClient, wanted: str) -> None:
    await create_account("ann", "correct horse battery", Role.ADVISOR, staff_id=(await make_staff()).id)
    session = await log_in("ann", "correct horse battery", "127.0.0.1")
    assert isinstance(session, LoggedIn)
    desk.cookies.update(dict.fromkeys(desk.cookies, session.secret))
    answer = await desk.post("/store", data={"q": wanted}, headers={"Origin": "http://test"})
    assert "Give at least four digits, or a name." in answer.text
    assert "found" not in answer.text
