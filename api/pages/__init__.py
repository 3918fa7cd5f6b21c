"""Plain server-rendered pages: no JavaScript, phone-sized, English and 简体中文, over the same GraphQL documents."""

from starlette.routing import Route

from api.pages import desk, families, login, outbox, store
from api.pages.web import in_words

routes = [
    Route(route.path, in_words(route.endpoint), methods=sorted(route.methods or ()))
    for route in (*login.routes, *desk.routes, *store.routes, *families.routes, *outbox.routes)
]
