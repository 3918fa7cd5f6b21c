"""Plain server-rendered pages: no JavaScript, phone-sized, English and 简体中文, over the same GraphQL documents."""

from api.pages import desk, login, outbox, store

routes = [*login.routes, *desk.routes, *store.routes, *outbox.routes]
