"""/api/v1/items/{id}/events: every step that the item took; /spans: what it took, as far as it is still kept."""

from __future__ import annotations

from quart import Response

from gateway import shape, wire
from gateway.api.items import known
from gateway.deps import Deps
from gateway.render import json


async def events(deps: Deps, uid: str) -> Response:
    item = await deps.store.items.get(known(uid))
    steps = await deps.store.items.steps(item.uid)
    return json(wire.Timeline(id=item.uid, events=tuple(shape.step(each) for each in steps)))


async def spans(deps: Deps, uid: str) -> Response:
    item = await deps.store.items.get(known(uid))
    found = await deps.store.traces.of_item(item.uid)
    return json(wire.SpanList(id=item.uid, spans=tuple(shape.span(each) for each in found)))
