"""The shipped wording in every language and channel, and templates that try to do harm."""

import re
from dataclasses import replace

import pytest

from domain.commerce.products import FormulaClass
from domain.database import connection
from domain.outreach.care_ahead import template_key
from domain.outreach.rendering import Reader, Rendered, RenderFailed, TemplateText, render
from domain.outreach.templates import Template, catalogue, load, seed
from domain.platform.sources import Channel
from domain.stages.care_plans import CareKind, care_plans
from domain.stages.rules import Stage

EMMA = Reader("Emma Johnson", "US")
VALUES = {
    "nickname": "Mia",
    "category": "Baby Wipes",
    "store": "Store 31",
    "text": "Your pram is ready to collect.",
    "title": "Glucose test",
}
TEXTS = catalogue().texts


def text_of(key: str, channel: Channel = Channel.SMS, language: str = "en") -> TemplateText:
    return next(t for t in TEXTS if (t.key, t.channel, t.language) == (key, channel, language))


def rendered(template: TemplateText, reader: Reader = EMMA, **values: str) -> Rendered:
    params = {name: {**VALUES, **values}[name] for name in catalogue().params[template.key]}
    result = render(template, params, reader, brand="Nestling")
    assert isinstance(result, Rendered), (template.key, template.channel, template.language, result)
    return result


@pytest.mark.parametrize("text", TEXTS, ids=lambda t: f"{t.key}-{t.channel}-{t.language}")
def test_every_text_renders_with_its_declared_values_and_none_when_they_are_empty(text: TemplateText) -> None:
    for result in (rendered(text), rendered(text, nickname="", store="")):
        assert "{" not in result.body + result.subject
        if text.channel is Channel.SMS:
            assert "\n" not in result.body
            assert len(result.body) <= (300 if text.language == "en" else 134)  # two parts of UCS-2, two of GSM-7
            assert result.body.isascii() or text.language != "en"  # or one odd sign doubles the price
        if text.channel is Channel.EMAIL:
            assert 5 < len(result.subject) < 78
            assert "Nestling" in result.body
            assert "<p style" in result.body_html


def test_every_written_item_of_the_care_calendar_has_its_wording_in_both_languages_on_both_channels() -> None:
    letters = [item.code for plan in care_plans() for item in plan.items if item.kind is CareKind.STAGE]
    assert letters == [stage for stage in Stage if stage not in (Stage.UNKNOWN, Stage.GRADUATED)]
    for plan in care_plans():
        assert {item.kind for item in plan.items if not item.is_written} == {CareKind.FORMULA}  # a person's matter
        for item in plan.items:
            for channel in item.channels if item.is_written else ():
                for language in ("en", "zh-Hans"):
                    text = text_of(template_key(item), channel, language)
                    assert text.purpose is item.purpose
                    title = item.en if language == "en" else item.zh
                    said = rendered(text, title=title)
                    assert title in said.body or item.kind is CareKind.STAGE
                    assert channel is not Channel.SMS or len(said.body) <= (300 if language == "en" else 134)
                    assert channel is not Channel.EMAIL or 5 < len(said.subject) < 78


def test_no_text_speaks_of_formula_or_makes_a_claim_or_carries_a_link() -> None:
    words = r"formula|bottle|奶粉|配方|奶瓶|母乳化|guarantee|cure|proven|best\b|100%|最好|最佳|治愈|根治|保证|第一品牌"
    for text in TEXTS:
        said = f"{text.subject} {text.body}"
        assert not re.search(words, said, re.IGNORECASE), (text.key, re.search(words, said, re.IGNORECASE))
        assert "http" not in said
        assert text.formula_class is FormulaClass.NONE


def test_promotion_says_how_to_stop_and_china_signs_in_front() -> None:
    offer = text_of("offer.cross_sell", language="zh-Hans")
    body = rendered(offer, Reader("王芳", "CN")).body
    assert body.startswith("【Nestling】您好，")
    assert body.endswith("回T退订")
    assert rendered(text_of("offer.cross_sell")).body.endswith("Reply STOP to opt out.")
    assert "退订" not in rendered(text_of("stage.NEWBORN", language="zh-Hans"), Reader("王芳", "CN")).body
    forged = rendered(text_of("note.service", language="zh-Hans"), Reader(None, "CN"), text="【别家】好")
    assert forged.body == "【Nestling】您好！【别家】好"
    link = render(
        text_of("stage.NEWBORN", Channel.EMAIL), VALUES, EMMA, brand="B", unsubscribe_url="https://x.test/u?a&b"
    )
    assert isinstance(link, Rendered)
    assert 'href="https://x.test/u?a&amp;b"' in link.body_html


@pytest.mark.parametrize("key", ["note.care", "note.service"])
def test_words_of_ones_own_stand_behind_a_whole_greeting(key: str) -> None:
    sms, chinese = text_of(key), text_of(key, language="zh-Hans")
    assert rendered(sms).body == "Nestling: Hi Emma! Your pram is ready to collect."
    assert rendered(sms, Reader(None, "US")).body == "Nestling: Hi! Your pram is ready to collect."
    assert rendered(chinese, Reader("王芳", "CN"), text="婴儿车到货了。").body == "【Nestling】您好！婴儿车到货了。"
    letter = rendered(text_of(key, Channel.EMAIL))
    assert letter.body.startswith("Hi Emma,\n\nYour pram is ready to collect.\n\n")
    assert re.search(r"Hi Emma,</p>\s*<p[^>]*>Your pram is ready", letter.body_html)


def test_a_letter_keeps_the_paragraphs_and_lines_of_its_writer() -> None:
    words = "\r\nYour pram is here.\r\nDesk 2 has it.\n \n\nWe open at <9>.\n"
    letter = rendered(text_of("note.service", Channel.EMAIL), text=words)
    assert "\n\nYour pram is here.\nDesk 2 has it.\n \n\nWe open at <9>.\n\n" in letter.body
    paragraphs = re.findall(r'<p style="margin:0 0 16px">(.*?)</p>', letter.body_html, re.DOTALL)
    assert paragraphs == ["Hi Emma,", "Your pram is here.<br>\nDesk 2 has it.", "We open at &lt;9&gt;."]
    own = replace(text_of("note.service", Channel.EMAIL), body_html="<td><b>{{ text }}</b></td>")
    assert rendered(own, text="One\n\ntwo").body_html == "<td><b>One<br>\n<br>\ntwo</b></td>"
    forged = rendered(text_of("note.service", Channel.EMAIL), text="no\ue000break")
    assert "nobreak" in forged.body_html


def test_values_cannot_become_headers_or_html_or_links() -> None:
    mail = text_of("offer.cross_sell", Channel.EMAIL)
    result = rendered(mail, category="Wipes\r\nBcc: all@example.com <script>alert(1)</script>")
    assert "\n" not in result.subject
    assert "<script>" not in result.body_html
    assert "&lt;script&gt;" in result.body_html
    params = {"category": "see https://evil.test", "store": ""}
    assert render(text_of("offer.cross_sell"), params, EMMA, brand="B") == RenderFailed("URL_IN_VALUE")
    assert "{{" in rendered(text_of("note.service"), text="{{ brand }}").body  # a value is never a template


BOMBS = {
    "{% for a in (1..1000) %}{% for b in (1..1000) %}x{% endfor %}{% endfor %}": "LIMIT",
    "{% for i in (1..100) %}{{ text }}{% endfor %}": "LIMIT",
    "{% for i in (1..190) %}{% assign t = t | append: text %}{% endfor %}": "SYNTAX",
    "{{ text | replace: 'a', text | replace: 'a', text }}": "SYNTAX",
    "{% include 'offer' %}": "SYNTAX",
    "{% render 'offer' %}": "SYNTAX",
    "{% tablerow i in (1..9) %}x{% endtablerow %}": "SYNTAX",
    "{{ nobody }}": "MISSING_VALUE",
    "{{ text.nothing }}": "MISSING_VALUE",
    "{% if true %}" * 40 + "{% endif %}" * 40: "LIMIT",
    "{{ text | nonsense }}": "SYNTAX",
    "{% if %}": "SYNTAX",
}


@pytest.mark.parametrize("body", BOMBS)
@pytest.mark.timeout(2)
def test_a_harmful_template_fails_at_once_and_by_name(body: str) -> None:
    bomb = replace(text_of("note.service"), body=body)
    assert render(bomb, {"text": "a" * 1000}, EMMA, brand="B") == RenderFailed(BOMBS[body])


async def test_seeding_twice_changes_nothing_and_a_new_version_retires_the_old(db: str) -> None:
    assert await seed() == len(TEXTS)
    assert await seed() == 0
    await connection().execute_query("UPDATE templates SET version = 0, body = 'old' WHERE key = 'note.care'")
    newer = await Template.get(key="stage.NEWBORN", channel=Channel.SMS, language="en")
    await Template.create(
        key=newer.key, channel=newer.channel, language="en", version=7, purpose=newer.purpose, body="our own"
    )
    assert await seed() == 8  # four rows retired, four written
    assert await seed() == 0
    assert await Template.filter(key="note.care", is_active=True).count() == 4
    assert await Template.filter(key="stage.NEWBORN", version=7, is_active=True).count() == 1
    key = ("note.care", "SMS", "en", 0)
    assert (await load([key, ("nobody", "SMS", "en", 1)]))[key].body == "old"
