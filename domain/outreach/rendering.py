"""Rendering: a template, its values and a reader in; what she reads out. Liquid with every limit set, strict variables.

Only a few tags and filters exist here: no loop in a template can run long, no filter chain can grow a text without
bound, nothing can be included or looked up. HTML is escaped always; subjects and SMS are one line.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

from liquid import BoundTemplate, Environment, StrictUndefined
from liquid.exceptions import LiquidError

from domain.commerce.products import FormulaClass
from domain.outreach.law.packs import opt_out_words, sms_signature
from domain.platform.sources import Channel, Purpose
from domain.stages.wording import is_chinese

LONGEST_VALUE = 1000  # characters of one parameter
BREAK = "\ue000"
"""A value's line break on its way through HTML; of a private area, so that no value holds one itself."""
BLANK_LINE = re.compile(rf"[ \t]*{BREAK}(?:[ \t]*{BREAK})+[ \t]*")
PARAGRAPH = re.compile(r"(<p\b[^>]*>)[^<]*</p>")
TAGS = ("assign", "break", "case", "comment", "content", "continue", "echo", "for", "illegal", "if", "output", "unless")
FILTERS = ("capitalize", "default", "downcase", "escape", "round", "size", "strip", "truncate", "upcase")


@dataclass(frozen=True, slots=True)
class TemplateText:
    """One version of a template in one language; subject and HTML for e-mail only."""

    key: str
    channel: Channel
    language: str
    version: int
    purpose: Purpose
    formula_class: FormulaClass
    has_reward: bool
    subject: str
    body: str
    body_html: str


@dataclass(frozen=True, slots=True)
class Reader:
    """To whom it is said, as far as the wording cares."""

    full_name: str | None
    jurisdiction: str


@dataclass(frozen=True, slots=True)
class Rendered:
    subject: str
    body: str
    body_html: str


@dataclass(frozen=True, slots=True)
class RenderFailed:
    """The template and the values do not go together; nothing may be sent. `reason` holds no member's data."""

    reason: str  # MISSING_VALUE, VALUE_TOO_LONG, URL_IN_VALUE, LIMIT, SYNTAX


class _Liquid(Environment):
    """All four resource limits of python-liquid, and its nesting limits."""

    loop_iteration_limit: ClassVar[int | None] = 200
    local_namespace_limit: ClassVar[int | None] = 20_000
    output_stream_limit: ClassVar[int | None] = 64_000
    context_depth_limit: ClassVar[int] = 10
    block_nesting_limit: ClassVar[int] = 10

    def __init__(self, *, autoescape: bool) -> None:
        super().__init__(undefined=StrictUndefined, strict_filters=True, autoescape=autoescape)
        self.tags = {name: tag for name, tag in self.tags.items() if name in TAGS}
        self.filters = {name: function for name, function in self.filters.items() if name in FILTERS}


_TEXT = _Liquid(autoescape=False)
_HTML = _Liquid(autoescape=True)


@lru_cache(maxsize=2000)
def _parsed(source: str, is_html: bool) -> BoundTemplate:
    return (_HTML if is_html else _TEXT).from_string(source)


def render(
    text: TemplateText, params: Mapping[str, Any], reader: Reader, *, brand: str, unsubscribe_url: str = ""
) -> Rendered | RenderFailed:
    """What this reader sees. Pure: the same arguments give the same text. A failure says why, never with whose data."""
    flaw = _flaw(params, text.channel)
    if flaw is not None:
        return RenderFailed(flaw)
    values = {key: _plain(value).strip("\n") if isinstance(value, str) else value for key, value in params.items()}
    values |= _given(text, values, reader, brand)
    try:
        subject = one_line(_parsed(text.subject, False).render(**values))
        body = _parsed(text.body, False).render(**values).strip()
        values |= {"subject": subject, "unsubscribe_url": unsubscribe_url}
        marked = {
            name: value.replace("\n", BREAK) if isinstance(value, str) else value for name, value in values.items()
        }
        html = _broken(_parsed(text.body_html, True).render(**marked))
    except LiquidError as error:
        return RenderFailed(_failure(error))
    if text.channel is Channel.SMS:
        body = _sms(body, text, reader, brand)
    if text.channel is Channel.EMAIL:
        body = f"{body}\n\n{values['footer']}{' ' + unsubscribe_url if unsubscribe_url else ''}"
    return Rendered(subject, body, html)


def _broken(html: str) -> str:
    """Values' line breaks as HTML says them: a blank line ends the paragraph it stands in, any other is <br>."""
    if BREAK not in html:
        return html
    html = PARAGRAPH.sub(lambda found: BLANK_LINE.sub(f"</p>\n{found[1]}", found[0]), html)
    return html.replace(BREAK, "<br>\n")


def first_name(full_name: str | None, language: str) -> str:
    """How a letter greets her; empty in Chinese, where 您好 alone is the polite form."""
    if not full_name or is_chinese(language) or any(unicodedata.name(c, "").startswith("CJK") for c in full_name):
        return ""
    return full_name.split()[0]


def one_line(text: str) -> str:
    """No line breaks and no control characters: a subject cannot become a header."""
    return re.sub(r"\s+", " ", _plain(text)).strip()


def _given(text: TemplateText, values: Mapping[str, Any], reader: Reader, brand: str) -> dict[str, str]:
    """What every template may use without asking."""
    chinese = is_chinese(text.language)
    name = _plain(first_name(reader.full_name, text.language))
    footer = (
        f"您收到这封邮件，是因为您同意接收{brand}的来信。" if chinese
        else f"You receive this because you agreed to hear from {brand}."
    )  # fmt: skip
    return {
        "brand": brand,
        "language": text.language,
        # in front of a sentence that goes on; and by itself, in front of words that somebody else wrote
        "hello": "您好，" if chinese else f"Hi {name}," if name else "Hi,",
        "greeting": "您好！" if chinese else f"Hi {name}!" if name else "Hi!",
        "baby": str(values.get("nickname") or ("宝宝" if chinese else "your baby")),
        "footer": footer,
        "unsubscribe_words": "退订" if chinese else "Unsubscribe",
    }


def _sms(body: str, text: TemplateText, reader: Reader, brand: str) -> str:
    """One line: exactly one signature in front, the words to opt out behind every promotion."""
    body = re.sub(r"^(【[^】]*】)+", "", one_line(body))
    body = sms_signature(reader.jurisdiction, brand) + body
    if text.purpose is not Purpose.PROMOTION:
        return body
    words = opt_out_words(reader.jurisdiction, text.language)
    return f"{body} {words}" if is_chinese(text.language) else f"{body} {words}."


def _flaw(params: Mapping[str, Any], channel: Channel) -> str | None:
    texts = [value for value in params.values() if isinstance(value, str)]
    if any(len(value) > LONGEST_VALUE for value in texts):
        return "VALUE_TOO_LONG"
    if channel is Channel.SMS and any(re.search(r"(?i)https?:|www\.|\w\.(com|cn|net|org)\b", value) for value in texts):
        return "URL_IN_VALUE"
    return None


def _plain(text: str) -> str:
    """Without control characters but line breaks and tabs."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c)[0] != "C")


def _failure(error: LiquidError) -> str:
    name = type(error).__name__
    if name == "UndefinedError":
        return "MISSING_VALUE"
    return "LIMIT" if "Limit" in name or name in ("ContextDepthError", "BlockNestingError") else "SYNTAX"
