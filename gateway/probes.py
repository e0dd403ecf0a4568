"""For monitors: /livez (the process answers), /health (what works), /ready (send more or wait)."""

from __future__ import annotations

from typing import Literal

import msgspec
from quart import Response

from gateway.condition import Condition, condition, database_state, disk_state
from gateway.deps import Deps
from gateway.render import json
from gateway.shape import iso
from pipeline.errors import StoreError


class Health(Condition, frozen=True, kw_only=True):
    """503 only when saves cannot be accepted."""

    timestamp: str
    version: str


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """503 while the queue is full, the disk is nearly so, or nothing can be written."""

    ready: bool
    queue_size: int
    max_queue_size: int
    database: Literal["ok", "busy", "full", "down"]
    disk: Literal["ok", "low", "unknown"]


async def health(deps: Deps) -> Response:
    found = await condition(deps)
    report = Health(**msgspec.structs.asdict(found), timestamp=iso(deps.clock.wall_ms()), version=deps.version)
    return json(report, 503 if found.status == "down" else 200)


async def ready(deps: Deps) -> Response:
    database, disk = await database_state(deps), disk_state(deps)
    try:
        depth = await deps.store.queue.depth()
    except StoreError:
        return json(Ready(ready=False, queue_size=0, max_queue_size=0, database="down", disk=disk), 503)
    is_ready = depth.queue_size < depth.max_queue_size and database == "ok" and disk != "low"
    report = Ready(
        ready=is_ready,
        queue_size=depth.queue_size,
        max_queue_size=depth.max_queue_size,
        database=database,
        disk=disk,
    )
    return json(report, 200 if is_ready else 503)


async def livez(_deps: Deps) -> Response:
    return Response("ok\n", content_type="text/plain; charset=utf-8")
