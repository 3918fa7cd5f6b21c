"""/u/{token}: one-click unsubscribe (RFC 8058). POST acts at once, for mail programs and people; GET only shows a page.

No login and no cookie: the token names one message that we sent. Mail scanners follow links, so GET changes nothing.
"""

from html import escape
from string import Template

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from api.config import ApiConfig
from domain.gateway.unsubscribes import UnsubscribeLinks, language_of, unsubscribe

TEXTS = {
    "en": {
        "title": "Unsubscribe",
        "ask": "Stop these e-mails? You will get no more of them from $brand.",
        "button": "Unsubscribe",
        "done": "You are unsubscribed. We are sorry for the bother, and wish you and your family well.",
        "wrong": "This link is not complete. Please use the whole link from the e-mail.",
    },
    "zh": {
        "title": "退订",
        "ask": "不再接收这类邮件？$brand将不再向您发送。",
        "button": "退订",
        "done": "已为您退订。给您带来打扰，深表歉意，祝您和家人安好。",
        "wrong": "链接不完整，请使用邮件中的完整链接。",
    },
}

PAGE = Template(
    '<!doctype html><html lang="$lang"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    '<meta name="robots" content="noindex"><title>$title</title>'
    "<style>body{font:18px/1.6 system-ui,sans-serif;max-width:30em;margin:3em auto;padding:0 1em;color:#222}"
    "button{font:inherit;padding:.6em 1.4em;border:0;border-radius:.4em;background:#7a2e4d;color:#fff}</style>"
    "<main><h1>$title</h1><p>$text</p>$form</main></html>"
)
FORM = Template('<form method="post"><button>$button</button></form>')
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "form-action 'self'; frame-ancestors 'none'",
}


def unsubscribe_routes(config: ApiConfig) -> list[Route]:
    links = UnsubscribeLinks(config.public_url, config.secret_key.encode())

    async def show(request: Request) -> HTMLResponse:
        message_id = links.read(request.path_params["token"])
        language = None if message_id is None else await language_of(message_id)
        if language is None:
            return _page("en", "wrong", config.brand_name, status=404)
        return _page(language, "ask", config.brand_name, has_form=True)

    async def act(request: Request) -> HTMLResponse:
        message_id = links.read(request.path_params["token"])
        language = None if message_id is None else await unsubscribe(message_id)
        if language is None:
            return _page("en", "wrong", config.brand_name, status=404)
        return _page(language, "done", config.brand_name)

    return [Route("/u/{token}", show, methods=["GET"]), Route("/u/{token}", act, methods=["POST"])]


def _page(language: str, text: str, brand: str, *, has_form: bool = False, status: int = 200) -> HTMLResponse:
    texts = TEXTS["zh" if language.lower().startswith("zh") else "en"]
    page = PAGE.substitute(
        lang=escape(language),
        title=texts["title"],
        text=escape(Template(texts[text]).substitute(brand=brand)),
        form=FORM.substitute(button=texts["button"]) if has_form else "",
    )
    return HTMLResponse(page, status_code=status, headers=HEADERS)
