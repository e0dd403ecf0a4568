"""/api/v1/breakers: hosts and providers that have failed lately, and until when they are left alone."""

from __future__ import annotations

from quart import Response

from gateway import shape, wire
from gateway.deps import Deps
from gateway.render import json


async def list_breakers(deps: Deps) -> Response:
    return json(wire.BreakerList(breakers=tuple(shape.breaker(each) for each in await deps.store.breakers.all())))
