"""Every route: method, path, view, and the scope that the caller must hold (None: open)."""

from __future__ import annotations

from gateway import probes
from gateway.api import breakers, contents, feeds, items, mishaps, redo, search, timeline
from gateway.pages import add, assets, failed, feed_list, library, mishap_list, pipeline, reader, sign_in, steps
from gateway.route import Route

ROUTES = (
    Route("GET", "/health", probes.health, None),
    Route("GET", "/ready", probes.ready, None),
    Route("GET", "/livez", probes.livez, None),
    Route("GET", "/metrics", probes.metrics, "read", is_open_here=True),
    Route("GET", "/api/v1/items", items.list_items, "read"),
    Route("POST", "/api/v1/items", items.create, "write"),
    Route("GET", "/api/v1/items/<uid>", items.show, "read"),
    Route("PATCH", "/api/v1/items/<uid>", items.mark, "write"),
    Route("DELETE", "/api/v1/items/<uid>", items.delete, "write"),
    Route("GET", "/api/v1/items/<uid>/events", timeline.events, "read"),
    Route("GET", "/api/v1/items/<uid>/spans", timeline.spans, "read"),
    Route("GET", "/api/v1/items/<uid>/content", contents.content, "read"),
    Route("POST", "/api/v1/items/<uid>/retry", redo.retry_one, "write"),
    Route("POST", "/api/v1/retry", redo.retry, "write"),
    Route("POST", "/api/v1/replay", redo.replay, "write"),
    Route("GET", "/api/v1/breakers", breakers.list_breakers, "read"),
    Route("GET", "/api/v1/errors", mishaps.list_mishaps, "read"),
    Route("GET", "/api/v1/errors/<error_id>", mishaps.show, "read"),
    Route("GET", "/api/v1/search", search.find, "read"),
    Route("GET", "/api/v1/feeds", feeds.list_feeds, "read"),
    Route("POST", "/api/v1/feeds", feeds.create, "write"),
    Route("GET", "/", library.show, "read"),
    Route("GET", "/items/<uid>", reader.show, "read"),
    Route("POST", "/items/<uid>/flags", reader.flag, "write"),
    Route("GET", "/items/<uid>/original", contents.original, "read"),
    Route("POST", "/items/<uid>/retry", reader.retry, "write"),
    Route("GET", "/items/<uid>/delete", reader.ask_delete, "write"),
    Route("POST", "/items/<uid>/delete", reader.delete, "write"),
    Route("GET", "/items/<uid>/timeline", steps.show, "read"),
    Route("GET", "/add", add.form, "write"),
    Route("POST", "/add", add.submit, "write"),
    Route("GET", "/pipeline", pipeline.show, "read"),
    Route("GET", "/errors", mishap_list.show, "read"),
    Route("GET", "/errors/<error_id>", mishap_list.show_one, "read"),
    Route("GET", "/failed", failed.show, "read"),
    Route("GET", "/failed/retry", failed.ask, "write"),
    Route("POST", "/failed/retry", failed.retry, "write"),
    Route("GET", "/feeds", feed_list.show, "read"),
    Route("POST", "/feeds", feed_list.add, "write"),
    Route("GET", "/sign-in", sign_in.form, None),
    Route("POST", "/sign-in", sign_in.redeem, None),
    Route("GET", "/sign-in/<secret>", sign_in.link, None),
    Route("POST", "/sign-out", sign_in.sign_out, "read"),
    Route("GET", "/static/<name>", assets.serve, None),
)
