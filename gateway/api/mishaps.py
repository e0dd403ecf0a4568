"""/api/v1/errors: unexpected errors, each kind once, with how often it was met and the traceback of the last time."""

from __future__ import annotations

from quart import Response

from gateway import shape, wire
from gateway.deps import Deps
from gateway.query import Query
from gateway.render import json


async def list_mishaps(deps: Deps) -> Response:
    """The last seen first, without their tracebacks."""
    query = Query("limit")
    limit = query.number("limit", 100, least=1, most=500)
    query.done()
    found = await deps.store.mishaps.list(limit=limit)
    return json(wire.MishapList(errors=tuple(shape.mishap(each) for each in found)))


async def show(deps: Deps, error_id: str) -> Response:
    return json(shape.mishap_detail(await deps.store.mishaps.get(error_id.upper())))
