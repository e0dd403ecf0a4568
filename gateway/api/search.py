"""/api/v1/search"""

from __future__ import annotations

from quart import Response

from gateway import shape, wire
from gateway.deps import Deps
from gateway.query import Query
from gateway.render import json


async def find(deps: Deps) -> Response:
    query = Query("q", "limit", "cursor")
    words = query.text("q") or ""
    limit = query.number("limit", 20, least=1, most=100)
    cursor = query.text("cursor")
    if not words.strip() and not query.is_faulty("q"):
        query.fault("q", "is missing", "what to search for")
    query.done()
    page = await deps.store.search.find(words, limit=limit, cursor=cursor)
    now = deps.clock.wall_ms()
    hits = tuple(shape.hit(each, now) for each in page.hits)
    return json(wire.SearchOut(query=words, total=page.total, hits=hits, cursor=page.cursor))
