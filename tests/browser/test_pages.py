"""Each person's main job on the plain pages, in a real browser, with axe looking on."""

import asyncio
import contextlib
import re
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect
from playwright.async_api import Error as PlaywrightError

from api.pages.texts import LANGUAGES, TEXTS, text
from api.pages.words import WORDS
from domain.care.callbacks import CallbackOutcome, CallbackState, CallbackTask, Disposition
from domain.care.interactions import Interaction
from domain.care.leases import expire_due
from domain.care.losses import BabyContentStopped, stop
from domain.commerce.products import BabyClass, FormulaClass
from domain.commerce.staff import RowScope, Staff
from domain.gateway.direct_messages import MessagePlanned, send_to_member
from domain.gateway.messages import Message, MessageState
from domain.gateway.previews import previews
from domain.gateway.renderings import Letterhead
from domain.gateway.unsubscribes import UnsubscribeLinks
from domain.outreach import templates
from domain.people.babies import Baby
from domain.people.identities import IdentityKind
from domain.people.members import Member
from domain.platform.accounts import Account, create_account
from domain.platform.clock import set_business_clock
from domain.platform.roles import Role
from domain.platform.sources import Channel, Purpose, Source
from tests.browser.conftest import Proxy
from tests.factories import (
    NOON,
    any_id,
    make_actor,
    make_baby,
    make_identity,
    make_member,
    make_model,
    make_order,
    make_product,
    make_reachable,
    make_score,
    make_staff,
    make_store,
    make_task,
)

PASSWORD = "correct horse battery"
LETTERHEAD = Letterhead("Nestling", UnsubscribeLinks("https://crm.example", b"k" * 32))


async def _sign_in(
    browser: Browser,
    site: str,
    role: Role,
    *,
    phone: bool = False,
    zh: bool = False,
    scope: RowScope = RowScope.ALL,
    staff: Staff | None = None,
) -> Page:
    """A page of a signed-in person of that role; she sees everybody unless the scope says less."""
    staff = staff or await make_staff(scope=scope, store_id=(await make_store()).id)
    login, language = f"{role.value.lower()}-{staff.external_id}", "zh-Hans" if zh else "en"
    account = await create_account(login, PASSWORD, role, staff_id=staff.id, language=language)
    assert isinstance(account, Account)
    size = {"width": 320, "height": 640} if phone else {"width": 1280, "height": 900}
    context = await browser.new_context(viewport=size)  # type: ignore[arg-type]
    page = await context.new_page()
    await page.goto(f"{site}/login")
    await page.fill("#login", account.login)
    await page.fill("#password", PASSWORD)
    await page.click("button.main")
    return page


async def _family(name: str = "Emma Johnson", language: str = "en") -> Member:
    member = await make_reachable(await make_member(full_name=name, name_key="emmajohnson", language=language))
    await make_baby(member, nickname="Pip", born_on=date(2017, 7, 3), born_source=Source.MEMBER)
    await make_identity(member, IdentityKind.CARD, "880012345678")
    return member


async def _is_accessible(page: Page) -> None:
    results = await Axe().run(page)
    found = [f"{v['id']}: {v['nodes'][0]['html'][:120]}" for v in results.response["violations"]]
    assert found == []
    overflow = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, "the page scrolls sideways"


async def _look_for(page: Page, wanted: str) -> None:
    """Search on the store page in front."""
    await page.fill("#q", wanted)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


async def test_a_consultant_takes_a_call_sees_why_logs_it_and_takes_it_back(
    db: str, site: str, browser: Browser
) -> None:
    await set_business_clock(NOON)
    member = await _family()
    first = await make_task(member, reason={"en": "She has not bought for 40 days."}, priority=2.0)
    other = await make_task(await make_member(full_name="Mia Reed", phone="+12025550111"), priority=1.0)

    page = await _sign_in(browser, site, Role.CONSULTANT)
    assert page.url == f"{site}/desk"
    await _is_accessible(page)
    await page.click("text=Take the next call")
    body = await page.inner_text("main")
    known = "Baby: told by herself · Birth date: told by herself"
    for shown in ("Emma Johnson", "She has not bought for 40 days.", "Pip", "5 months 12 days", known, "+12025550123"):
        assert shown in body
    await _is_accessible(page)

    await page.focus("input[value=REACHED]")
    await page.keyboard.press("ArrowRight")  # the keyboard is enough
    assert await page.is_checked("input[value=NO_ANSWER]")
    await page.fill("#note", "It rang out.")
    await page.click("text=Log it, take the next")
    assert "Mia Reed" in await page.inner_text("main")
    await first.refresh_from_db()
    assert (first.state, first.attempts) == (CallbackState.OPEN, 1)
    assert await Interaction.filter(member_id=member.id, note="It rang out.").count() == 1

    told = await page.inner_text("[role=status]")
    assert re.search(r"No answer → we try again later, again at 12-15 \d\d:\d\d\.", told), told
    assert re.search(r"Undo within \d+ seconds? Alt\+U", told), told
    await page.click("text=Undo")
    await first.refresh_from_db()
    assert (first.state, first.attempts) == (CallbackState.LEASED, 0)
    assert "Emma Johnson" in await page.inner_text("#who")
    assert await page.is_checked("input[value=NO_ANSWER]")
    assert await page.input_value("#note") == "It rang out."  # nobody types it twice
    assert "rang" not in page.url
    await page.check("input[value=CALL_LATER]")
    await page.fill("#note", "She will come on Saturday.")
    await page.fill("#later", "2017-12-16T03:00")
    await page.click("text=Log it, take the next")
    assert "Outside contact hours" in await page.inner_text("[role=alert]")
    assert await page.input_value("#note") == "She will come on Saturday."
    await page.check("input[value=REACHED]")
    await page.fill("#later", "")
    await page.click("text=Log it, take the next")
    await first.refresh_from_db()
    assert (first.state, first.disposition) == (CallbackState.DONE, Disposition.REACHED)
    assert await CallbackOutcome.filter(task_id=first.id, undone_at=None).count() == 1
    await other.refresh_from_db()
    assert other.state == CallbackState.LEASED


async def test_the_list_is_in_the_order_in_which_calls_are_given(db: str, site: str, browser: Browser) -> None:
    await set_business_clock(NOON)
    hers = await make_staff(name="Nora Hill", scope=RowScope.ALL)
    for name, owner, rank in (("Pool High", None, 9.0), ("Own Low", hers.id, 1.0), ("Own High", hers.id, 2.0)):
        await make_task(await make_member(full_name=name), owner_id=owner, store_id=None, priority=rank)
    page = await _sign_in(browser, site, Role.CONSULTANT, staff=hers)
    names = await page.locator(".list strong").all_inner_texts()
    assert names == ["Own High", "Own Low", "Pool High"]
    assert await page.locator(".list h3").all_inner_texts() == ["Your members", "For everybody"]
    await page.click("button.main")
    for name in names:
        assert await page.inner_text("#who") == name
        await page.check("input[value=REACHED]")
        await page.click("text=Log it, take the next")
        await page.goto(f"{site}/desk")


async def test_on_a_phone_the_call_comes_before_the_list(db: str, site: str, browser: Browser) -> None:
    await set_business_clock(NOON)
    for _ in range(6):
        await make_task(await make_member(full_name="Mia Reed"))
    page = await _sign_in(browser, site, Role.CONSULTANT, phone=True)
    await page.click("button.main")
    who = await page.locator("#who").bounding_box()
    due = await page.locator("#due").bounding_box()
    assert who is not None
    assert due is not None
    assert who["y"] < 400 < due["y"]
    await expect(page.locator("button[accesskey=n]")).to_have_count(0)  # one call at a time


async def _alt(page: Page, key: str) -> None:
    """As a keyboard sends it: what Playwright's own `press` sends is no access key.

    A page that has not been painted yet hears no keys: nobody can have seen what it names.
    """
    await page.wait_for_load_state()
    await page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    session = await page.context.new_cdp_session(page)
    for kind in ("rawKeyDown", "char", "keyUp"):
        said = "" if kind == "keyUp" else key
        event = {"type": kind, "modifiers": 1, "key": key, "text": said, "unmodifiedText": said}
        await session.send("Input.dispatchKeyEvent", {**event, "windowsVirtualKeyCode": ord(key.upper())})
    await session.detach()


async def test_calls_are_worked_by_the_keys_that_the_page_names(db: str, site: str, browser: Browser) -> None:
    await set_business_clock(NOON)
    first = await make_task(await _family(), priority=2.0)
    await make_task(await make_member(full_name="Mia Reed", phone="+12025550111"), priority=1.0)
    page = await _sign_in(browser, site, Role.CONSULTANT)
    await _alt(page, "n")
    await expect(page.locator("main")).to_contain_text("Emma Johnson")
    await _alt(page, "2")
    named = await page.locator("label", has=page.locator("input[name=disposition]:checked")).inner_text()
    assert "Alt+2" in named
    await _alt(page, "l")
    await expect(page.locator("main")).to_contain_text("Mia Reed")
    await _alt(page, "u")
    await expect(page.locator("main")).to_contain_text("Taken back: the call is yours again.")
    assert (await CallbackTask.get(id=first.id)).state == CallbackState.LEASED


async def test_an_empty_desk_offers_nothing_to_take(db: str, site: str, browser: Browser) -> None:
    await set_business_clock(NOON)
    page = await _sign_in(browser, site, Role.ADVISOR)
    await page.goto(f"{site}/desk")
    assert "No call is due." in await page.inner_text("main")
    await expect(page.locator("button.main")).to_have_count(0)


async def test_one_word_stops_everything_about_a_baby_and_a_manager_takes_a_mistake_back(
    db: str, site: str, browser: Browser
) -> None:
    await set_business_clock(NOON)
    member = await _family()
    await make_task(member)
    page = await _sign_in(browser, site, Role.CONSULTANT)
    await page.click("button.main")
    await page.click("text=Stop everything about this baby")
    await _is_accessible(page)
    await page.click("text=Stop it now")
    assert "Nothing about this baby will be said" in await page.inner_text("[role=status]")
    assert "Be gentle" in await page.inner_text(".why")
    assert "5 months" not in await page.inner_text("main")
    await expect(page.locator("text=It was a mistake")).to_have_count(0)  # not hers to take back
    page = await _sign_in(browser, site, Role.STORE_MANAGER, phone=True, zh=True)
    await page.goto(f"{site}/store/Member:{member.id}")
    assert "请温和对待" in await page.inner_text("main")
    await page.click("text=系误操作")
    await page.fill("input[name=reason]", "点错了会员。")
    await _is_accessible(page)
    await page.click("text=撤回")
    assert "已撤回" in await page.inner_text("[role=status]")
    assert "5个月12天" in await page.inner_text("main")


async def test_a_list_that_shrank_says_where_its_calls_went(db: str, site: str, browser: Browser) -> None:
    await set_business_clock(NOON)
    member = await _family()
    tasks = [await make_task(member, expires_at=NOON + timedelta(days=2)) for _ in range(4)]
    await CallbackTask.filter(id=tasks[0].id).update(state=CallbackState.DONE, closed_at=NOON)
    page = await _sign_in(browser, site, Role.CONSULTANT)
    assert "In the last 7 days: 1 finished." in await page.inner_text("main")
    await set_business_clock(NOON + timedelta(days=3))
    assert await expire_due() == 3
    await page.reload()
    assert "In the last 7 days: 3 calls expired unanswered, 1 finished." in await page.inner_text("main")
    await page.goto(f"{site}/desk?lang=zh-Hans")
    assert "近 7 天：3 个任务过期未接通，1 个已完成。" in await page.inner_text("main")
    await set_business_clock(NOON + timedelta(days=11))
    await page.reload()
    assert "近 7 天" not in await page.inner_text("main")


async def test_receipts_say_their_goods_and_a_till_correction_is_no_purchase(
    db: str, site: str, browser: Browser
) -> None:
    await set_business_clock(NOON)
    member = await _family()
    diapers = await make_product("DIAPERS & DISPOSABLES")
    coupon = await make_product("COUPON/MISC ITEMS", is_merchandise=False)
    await make_order(member, NOON - timedelta(days=1), "12.00", diapers)
    await make_order(member, NOON - timedelta(days=2), "0.00", coupon)
    await make_order(member, NOON - timedelta(days=3), "31.50", coupon)
    await make_order(member, NOON - timedelta(days=4), "0.00", diapers)  # paid with a coupon
    page = await _sign_in(browser, site, Role.ADVISOR, phone=True)
    for language, words in (("en", ("12.00 USD · 1 item\n", "no goods on this")), ("zh-Hans", ("1 件商品", "无商品"))):
        await page.goto(f"{site}/store/Member:{member.id}?lang={language}")
        body = await page.inner_text("main")
        assert words[0] in body
        assert body.count(words[1]) == 2
        assert "31.50 USD · " in body
        assert "0.00 USD" not in body
        assert "Coupon" not in body
    await _is_accessible(page)


async def test_a_call_of_somebody_elses_member_says_when_her_name_shows(db: str, site: str, browser: Browser) -> None:
    await set_business_clock(NOON)
    stranger = await make_reachable(await make_member(full_name="Mia Reed"))
    await make_task(stranger, owner_id=None, store_id=None, reason={"en": "It is a long story. " * 40})
    page = await _sign_in(browser, site, Role.CONSULTANT, scope=RowScope.OWN)
    row = page.locator("ol.plain li")
    assert "Win back" in await row.inner_text()
    assert "Name shown when you take it" in await row.inner_text()
    assert "about members whom you do not serve" in await page.inner_text("main")
    assert "Mia" not in await page.content()
    box = await row.bounding_box()
    assert box is not None
    assert box["height"] < 200  # the reason is cut to two lines, and whole for who listens
    await page.click("button[aria-label^='Open: It is a long story']")
    assert "Mia Reed" in await page.inner_text("#who")
    assert (await page.inner_text(".why .big")).count("It is a long story.") == 40
    heights = await page.eval_on_selector_all(".choices label", "all => all.map(one => one.offsetHeight)")
    assert set(heights) == {48}  # no outcome breaks its line
    await _is_accessible(page)


async def test_a_call_brings_up_only_what_the_nursery_may_need(db: str, site: str, browser: Browser) -> None:
    await set_business_clock(NOON)
    member = await _family()
    await make_task(member)
    await make_score(await make_model("churn"), member, 0.4)
    model = await make_model("cross_sell")
    shelves: dict[str, dict[str, str]] = {
        "FRZN MEAT/MEAT DINNERS": {},
        "BABY FOODS": {"baby_class": BabyClass.BABY_FOOD, "formula_class": FormulaClass.COMPLEMENTARY},
        "DIAPERS & DISPOSABLES": {"baby_class": BabyClass.DIAPER},
    }
    for place, (category, what) in enumerate(shelves.items()):
        await make_product(category, **what)
        await make_score(model, member, 0.3 - place / 10, category)
    page = await _sign_in(browser, site, Role.CONSULTANT)
    await page.click("text=Take the next call")
    body = await page.inner_text("main")
    assert "May also need: diapers" in body
    assert "Will not buy in 30 days" in body
    assert body.count("May also need") == 1
    brought_up = body.replace(await page.inner_text("ul.not"), "")
    assert not re.search("frozen|meat|baby food", brought_up, re.IGNORECASE)
    await page.goto(f"{site}/desk?lang=zh-Hans")
    assert "可能还需要：纸尿裤" in await page.inner_text("main")


async def test_a_promise_at_night_is_refused_in_the_consultants_language(db: str, site: str, browser: Browser) -> None:
    await set_business_clock(NOON)
    await make_task(await _family())
    page = await _sign_in(browser, site, Role.CONSULTANT, zh=True)
    await page.click("button.main")
    await page.check("input[value=CALL_LATER]")
    for later, words in (
        ("2017-12-16T03:00", "不在可联系时段内。按会员当地时间，最早可在 "),
        ("", "请填写再次致电的时间。"),
    ):
        await page.fill("#later", later)
        await page.click("form[action='/desk/outcome'] button.main")
        said = await page.inner_text("[role=alert]")
        assert words in said
        assert not re.search(r"[A-Za-z]", said)


async def test_what_was_typed_is_kept_when_the_lease_is_lost(db: str, site: str, browser: Browser) -> None:
    await set_business_clock(NOON)
    task = await make_task(await _family())
    page = await _sign_in(browser, site, Role.CONSULTANT)
    await page.click("text=Take the next call")
    await CallbackTask.filter(id=task.id).update(
        state=CallbackState.OPEN, lease_account_id=None, lease_until=None, fence=99
    )
    await page.check("input[value=REACHED]")
    await page.fill("#note", "A long and careful note.")
    await page.click("text=Log it, take the next")
    body = await page.inner_text("main")
    assert "Your time for this call ran out" in body
    assert "A long and careful note." in await page.content()
    assert await Interaction.filter(note="A long and careful note.").count() == 0


async def test_an_advisor_finds_a_member_by_her_last_digits_and_logs_a_visit(
    db: str, site: str, browser: Browser
) -> None:
    await set_business_clock(NOON)
    member = await _family()
    guessed = {"presence_source": Source.INFERRED, "presence_confidence": 0.95, "due_source": Source.SYNTHETIC}
    await make_baby(member, due_on=date(2018, 3, 1), **guessed)
    page = await _sign_in(browser, site, Role.ADVISOR, phone=True, zh=True)
    assert page.url == f"{site}/store"
    await _look_for(page, "0123")
    await _is_accessible(page)
    await page.click("a.tap")
    body = await page.inner_text("main")
    for shown in ("Emma Johnson", "5个月12天", "***0123"):
        assert shown in body
    assert "宝宝：本人提供 · 出生日期：本人提供" in body
    assert "宝宝：根据购物推测，把握 95 % · 预产期：演示虚构" in body
    assert "+12025550123" not in await page.content()
    # The year ahead: a picture for each baby, the born one's by her age and the expected one's by her due date.
    born, expected = await page.locator("figure.year").all()
    assert await born.locator("svg").get_attribute("aria-label") == "Pip未来十二个月的阶段与照护"
    assert (await born.locator("rect").count(), await born.locator("circle.expected").count()) == (3, 0)
    assert "2018-01-03 6月龄疫苗：百白破、脊灰、肺炎、乙肝" in await born.inner_text()
    assert await born.locator("circle").count() > 10
    assert await expected.locator("circle.expected").count() > 10
    await _is_accessible(page)
    await page.fill("#note", "买了尿不湿，问起辅食。")
    await page.click("button.main")
    assert "已保存到会员时间线" in await page.inner_text("main")
    await page.reload()
    assert await Interaction.filter(member_id=member.id, note="买了尿不湿，问起辅食。").count() == 1


@pytest.mark.parametrize("zh", [False, True])
async def test_a_promise_at_the_till_waits_on_the_desk_and_a_question_is_answered(
    db: str, site: str, browser: Browser, zh: bool
) -> None:
    await set_business_clock(NOON)
    member = await _family()
    page = await _sign_in(browser, site, Role.ADVISOR, phone=True, zh=zh)
    await page.goto(f"{site}/store/Member:{member.id}")
    await page.click("form[action$='/interactions'] summary")
    await page.fill("#note", "Six weeks old tomorrow.")
    await page.fill("#topic", "Vaccine")
    await page.check("input[name=mood][value=WORRIED]")
    await page.fill("#questions", "Will she have a fever?\n\nMay she bathe?")
    await page.fill("#promise", "Call after the vaccine")
    await page.click("button.main")
    assert text("zh-Hans" if zh else "en", "problem_promise_without_time") in await page.inner_text("[role=alert]")
    assert await page.input_value("#questions") == "Will she have a fever?\n\nMay she bathe?"
    assert await page.is_checked("input[name=mood][value=WORRIED]")
    await page.fill("#call_at", "2017-12-19T15:00")
    await page.click("button.main")
    assert await page.inner_text(".notice[role=status] >> nth=0") == text("zh-Hans" if zh else "en", "promise_logged")
    await _is_accessible(page)
    said = await Interaction.get(member_id=member.id)
    task = await CallbackTask.get(id=said.promise_task_id)
    assert (task.reason["promise"], f"{task.not_before:%F}") == ("Call after the vaccine", "2017-12-19")
    body = await page.inner_text("main")
    for words in ("担心", "待兑现", "尚未答复", "已答应她") if zh else ("worried", "to be kept", "not answered yet"):
        assert words in body
    await page.click("form[action='/families/answer'] >> nth=0 >> xpath=../summary")
    await page.fill("#answer-1", "Perhaps for a day.")
    await page.click("form[action='/families/answer'] >> nth=0 >> button")
    await expect(page.locator("form[action='/families/answer']")).to_have_count(1)
    assert "Perhaps for a day." in await page.inner_text("main")
    await set_business_clock(task.not_before)
    desk = await page.context.new_page()
    await desk.goto(f"{site}/desk")
    await desk.click("text=" + ("领取下一个" if zh else "Take the next call"))
    assert "Call after the vaccine" in await desk.inner_text(".why")
    await desk.check("input[name=disposition][value=REACHED]")
    await desk.click("form[action='/desk/outcome'] summary")
    await desk.fill("#questions", "May she sleep on her belly?")
    await _is_accessible(desk)
    await desk.click("form[action='/desk/outcome'] button.main")
    await page.reload()
    assert ("已兑现" if zh else "kept") in await page.inner_text("main")
    assert "May she sleep on her belly?" in await page.inner_text("main")


async def test_a_member_of_others_and_nobody_at_all_get_the_same_words(db: str, site: str, browser: Browser) -> None:
    await set_business_clock(NOON)
    theirs = await _family()
    page = await _sign_in(browser, site, Role.ADVISOR, phone=True, scope=RowScope.STORE)
    said = []
    for wanted in ("0123", "7788", "Emma Johnson", "Nora Nobody"):
        await _look_for(page, wanted)
        said.append(await page.inner_text("section.card"))
    assert "do not show here" in said[0]
    assert len(set(said)) == 1
    await _is_accessible(page)
    doors = []
    for member_id in (theirs.id, any_id()):
        answer = await page.goto(f"{site}/store/Member:{member_id}")
        assert answer is not None
        doors.append((answer.status, await page.inner_text("main")))
    assert doors[0] == doors[1]
    assert doors[0][0] == 404
    await page.goto(f"{site}/store?lang=zh-Hans")
    await _look_for(page, "0123")
    assert "其他同事或门店的会员不在此显示" in await page.inner_text("main")


async def test_whom_she_found_is_there_when_she_goes_back_until_she_signs_out(
    db: str, site: str, browser: Browser
) -> None:
    await set_business_clock(NOON)
    await _family()
    page = await _sign_in(browser, site, Role.ADVISOR, phone=True)
    await page.goto(f"{site}/store?q=0123")
    await expect(page.locator("a.tap")).to_have_count(0)  # an address searches nothing
    await _look_for(page, "0123")
    assert page.url == f"{site}/store"
    await page.reload()
    await page.click("a.tap")
    assert "/store/Member:" in page.url
    await page.go_back()
    assert "Emma Johnson" in await page.inner_text("main")
    await page.click("text=Sign out")
    with contextlib.suppress(PlaywrightError):  # the browser has it no more
        await page.go_back()
    await page.wait_for_load_state()
    assert "Emma" not in await page.locator("html").inner_text()
    foreign = await page.request.post(
        f"{site}/store", form={"q": "0123"}, headers={"Origin": "https://elsewhere.example"}
    )
    assert "Emma" not in await foreign.text()


async def test_pages_of_other_roles_and_strangers_stay_shut(db: str, site: str, browser: Browser) -> None:
    stranger = await (await browser.new_context()).new_page()
    for path in ("/desk", "/store", "/outbox"):
        await stranger.goto(site + path)
        assert stranger.url.startswith(f"{site}/login?next=")
    await _is_accessible(stranger)
    analyst = await _sign_in(browser, site, Role.ANALYST)
    answer = await analyst.goto(f"{site}/outbox")
    assert answer is not None
    assert answer.status == 403
    await stranger.goto(f"{site}/login?next=https://elsewhere.example/")
    assert await stranger.get_attribute("input[name=next]", "value") == "/"


async def test_a_form_from_a_foreign_page_changes_nothing(db: str, site: str, browser: Browser) -> None:
    await set_business_clock(NOON)
    task = await make_task(await _family())
    page = await _sign_in(browser, site, Role.CONSULTANT)
    answer = await page.request.post(
        f"{site}/desk/take", form={"key": "k"}, headers={"Origin": "https://elsewhere.example"}
    )
    assert answer.status == 403
    await task.refresh_from_db()
    assert task.state == CallbackState.OPEN


async def test_an_operator_reads_every_message_and_why_one_was_not_sent(db: str, site: str, browser: Browser) -> None:
    await set_business_clock(NOON)
    await templates.seed()
    operator = await make_actor(Role.OPERATOR)
    silent = await make_member(full_name="Mia Reed", phone="+12025550111")  # she consented to nothing
    words = {"purpose": Purpose.CARE, "text": "The crib you asked for is back."}
    for member in (await _family(), silent):
        answer = await send_to_member(operator, member.id, Channel.SMS, **words)  # type: ignore[arg-type]
        assert isinstance(answer, MessagePlanned)
    page = await _sign_in(browser, site, Role.OPERATOR)
    assert page.url == f"{site}/outbox"
    await _is_accessible(page)
    assert "Emma Johnson" in await page.inner_text("main")
    await page.click(".tally a:has-text('not sent')")
    body = await page.inner_text("main")
    assert "Mia Reed" in body
    assert "Emma Johnson" not in body
    assert "No consent to this purpose on this channel" in body
    assert "It would have read:" in body
    assert "Nestling: Hi Mia! The crib you asked for is back." in body
    await page.goto(f"{site}/outbox?lang=zh-Hans&show=NOT_SENT")
    assert "未发送。原本的内容为：" in await page.inner_text("main")
    await Message.filter(member_id=silent.id).update(template_version=99)  # a wording that is gone
    await page.reload()
    assert "未生成正文：没有可显示的内容。" in await page.inner_text("main")
    await Message.filter(member_id=silent.id).update(template_version=2)
    for role in (Role.ANALYST, Role.AUDITOR):
        assert await previews(await make_actor(role), await _message_ids(silent), LETTERHEAD) == {}
    nobodys = await make_actor(Role.ADVISOR, scope=RowScope.OWN)
    assert await previews(nobodys, await _message_ids(silent), LETTERHEAD) == {}
    letter = await send_to_member(operator, silent.id, Channel.EMAIL, Purpose.CARE, text="One\n\ntwo")
    assert isinstance(letter, MessagePlanned)
    shown = await previews(operator, await _message_ids(silent), LETTERHEAD)
    assert len(shown) == 2
    assert shown[letter.message_id].body.endswith("because you agreed to hear from Nestling."), "without her link"
    assert "/u/" not in shown[letter.message_id].body_html


async def _message_ids(member: Member) -> list[UUID]:
    return [message.id for message in await Message.filter(member_id=member.id)]


async def test_the_outbox_is_narrowed_by_channel_purpose_and_member_without_her_card_in_the_address(
    db: str, site: str, browser: Browser
) -> None:
    await set_business_clock(NOON)
    await templates.seed()
    operator, emma = await make_actor(Role.OPERATOR), await _family()
    mia = await make_member(full_name="Mia Reed", external_id="POS-77")
    await make_reachable(mia, phone="+12025550111", email="mia@example.com")
    for member, channel, purpose in (
        (emma, Channel.SMS, Purpose.CARE), (emma, Channel.EMAIL, Purpose.SERVICE), (mia, Channel.SMS, Purpose.SERVICE),
    ):  # fmt: skip
        answer = await send_to_member(operator, member.id, channel, purpose, text="The crib is back.")
        assert isinstance(answer, MessagePlanned)
    page = await _sign_in(browser, site, Role.OPERATOR, phone=True)
    await expect(page.locator("article")).to_have_count(3)
    await _is_accessible(page)
    await page.select_option("#purpose", "SERVICE")
    await page.fill("#q", "880012345678")  # the whole form by the keyboard
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    told = await page.locator("article").all_inner_texts()
    assert len(told) == 1
    assert "Emma Johnson" in told[0]
    assert "Only to Emma Johnson." in await page.inner_text("main")
    assert "880012345678" not in page.url
    assert await page.locator(".tally b").first.inner_text() == "1"
    await _is_accessible(page)
    await page.fill("#q", "POS-77")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    assert "Mia Reed" in await page.locator("article").inner_text()
    await page.click(".tally a >> nth=1")
    assert "Only to Mia Reed." in await page.inner_text("main"), "a group is of what is shown"
    await page.fill("#q", "nobody's card")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    assert "No member whom you may see has this card or id." in await page.inner_text("[role=alert]")
    await page.goto(f"{site}/outbox?lang=zh-Hans&channel=EMAIL&member=Member:{any_id()}&show=HELD&purpose=WAR")
    assert await page.input_value("#channel") == "EMAIL"
    await page.click("text=清除筛选")
    await page.goto(f"{site}/outbox")
    await expect(page.locator("article")).to_have_count(3)


async def test_the_outbox_says_whom_it_counts_and_what_accepted_means(db: str, site: str, browser: Browser) -> None:
    await set_business_clock(NOON)
    await templates.seed()
    operator, member = await make_actor(Role.OPERATOR), await _family()
    for channel in (Channel.EMAIL, Channel.SMS):
        sent = await send_to_member(operator, member.id, channel, Purpose.SERVICE, text="The crib is back.")
        assert isinstance(sent, MessagePlanned)
        await Message.filter(id=sent.message_id).update(state=MessageState.ACCEPTED)
    for scope, english, chinese in (
        (RowScope.ALL, "to all members", "全部会员"),
        (RowScope.OWN, "to members whom you may see, not to others", "仅您可查看的会员"),
    ):
        page = await _sign_in(browser, site, Role.OPERATOR, scope=scope)
        assert english in await page.inner_text("main")
        await page.goto(f"{site}/outbox?lang=zh-Hans")
        assert chinese in await page.inner_text("main")
        await expect(page.locator("article")).to_have_count(2 if scope is RowScope.ALL else 0)
    page = await _sign_in(browser, site, Role.OPERATOR)
    assert await page.locator(".notice.warn").count() == 0
    told = [await article.inner_text() for article in await page.locator("article").all()]
    assert ["no later receipt is expected" in one for one in told] == ["E-MAIL" in one.upper() for one in told]
    assert sum("its receipt is awaited" in one for one in told) == 1
    await page.goto(f"{site}/outbox?show=BOGUS")
    assert "a filter that there is not" in await page.inner_text(".notice.warn")


async def test_the_outbox_tells_what_became_of_a_message_beside_what_was_decided(
    db: str, site: str, browser: Browser
) -> None:
    await set_business_clock(NOON)
    await templates.seed()
    operator, member = await make_actor(Role.OPERATOR), await _family()
    baby = await Baby.get(household_id=member.household_id)
    sent = await send_to_member(operator, member.id, Channel.SMS, Purpose.SERVICE, text="The crib is back.")
    assert isinstance(sent, MessagePlanned)
    await Message.filter(id=sent.message_id).update(baby_id=baby.id)
    page = await _sign_in(browser, site, Role.OPERATOR)
    body = await page.inner_text("article")
    assert "Decided 2017-12-15 12:00: send" in body
    assert "Since then" not in body
    assert isinstance(await stop(operator, baby.id), BabyContentStopped)
    await page.reload()
    assert "Since then: cancelled · Baby content has been stopped for this family" in await page.inner_text("article")
    await Message.filter(id=sent.message_id).update(state=MessageState.UNKNOWN, state_reason="TIMEOUT")
    await page.goto(f"{site}/outbox?lang=zh-Hans")
    assert "此后： 结果未知 · 服务商未及时应答，可能已送达" in await page.inner_text("article")


async def test_the_first_query_of_graphiql_is_whole(db: str, site: str, browser: Browser) -> None:
    page = await (await browser.new_context(viewport={"width": 1000, "height": 800})).new_page()
    await page.goto(f"{site}/graphql")
    editor = page.locator(".graphiql-query-editor .CodeMirror-scroll")
    await editor.wait_for()
    assert "query WhoAmI" in await editor.inner_text()
    widths = await editor.evaluate("at => [at.querySelector('.CodeMirror-sizer').scrollWidth, at.clientWidth]")
    assert widths[0] <= widths[1], "a line runs under the buttons"


async def test_nothing_personal_reaches_the_logs_the_metrics_or_an_address(
    db: str, proxy: Proxy, site_log: Path, browser: Browser
) -> None:
    site = proxy.url
    await set_business_clock(NOON)
    member = await make_member(full_name="Canaria Birdsong", name_key="canariabirdsong", phone="+12025550177")
    await make_baby(
        member, nickname="Canarino", nickname_key="canarino", born_on=date(2017, 7, 3), born_source=Source.MEMBER
    )
    await make_task(member)
    page = await _sign_in(browser, site, Role.CONSULTANT)
    await page.click("text=Take the next call")
    await page.check("input[value=REACHED]")
    await page.fill("#note", "The canary sings at noon.")
    await page.click("text=Log it, take the next")
    await page.goto(f"{site}/store")
    for wanted in ("+12025550177", "Canarino", "Canaria Birdsong"):
        await _look_for(page, wanted)
        await expect(page.locator("a.tap")).to_have_count(1)
    await page.click("a.tap")
    assert "Canarino" in await page.inner_text("main")
    for query in (
        '{ member(phone: "+1202555") { id } }',
        '{ members(first: 1, search: {text: "Canaria Birdsong"}) { x } }',
    ):
        refused = await page.request.post(f"{site}/graphql", data={"query": query}, headers={"Origin": site})
        assert "Birdsong" not in await refused.text()
    metrics = await page.request.get(f"{site}/metrics")
    seen = proxy.seen()
    assert seen.count("POST /store HTTP/1.1") == 3
    assert f"GET /store/Member:{member.id} HTTP/1.1" in seen
    said = await asyncio.to_thread(site_log.read_text) + await metrics.text() + seen
    assert "/store/{member}" in said  # the log was written: the pattern stands in it, the member does not
    for secret in ("anaria", "irdsong", "5550177", "1202555", "anarino", "canary", PASSWORD):
        assert secret not in said


def test_counted_words_know_one_from_many() -> None:
    assert [text("en", "items", n=n) for n in (0, 1, 2)] == ["0 items", "1 item", "2 items"]
    assert [text("zh-Hans", "items", n=n) for n in (1, 2)] == ["1 件商品", "2 件商品"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_there_in_every_language(language: str) -> None:
    column = LANGUAGES.index(language)
    every = [*TEXTS.values(), *(pair for words in WORDS.values() for pair in words.values())]
    assert all(pair[column].strip() for pair in every)
