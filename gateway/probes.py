"""For monitors: /livez (the process answers), /health (what works), /ready (send more or wait)."""

from __future__ import annotations

from typing import Literal

import msgspec
from quart import Response

from gateway.deps import Deps
from gateway.render import json
from gateway.shape import iso
from pipeline.errors import StoreError

HEARTBEAT_MS = 30_000  # a worker that has not reported for so long counts as down


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """`degraded` (still 200): saving and reading work, but nothing is processed because the worker is away."""

    status: Literal["ok", "degraded", "down"]
    database: Literal["ok", "down"]
    processor: Literal["up", "down", "unknown"]
    timestamp: str
    version: str


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """503 while the queue is full or nothing can be written."""

    ready: bool
    queue_size: int
    max_queue_size: int
    database: Literal["ok", "down"]


async def health(deps: Deps) -> Response:
    try:
        await deps.store.status.check()
        processor = await processor_state(deps)
    except StoreError:
        return _health(deps, "down", "down", "unknown")
    return _health(deps, "ok" if processor == "up" else "degraded", "ok", processor)


async def processor_state(deps: Deps) -> Literal["up", "down"]:
    """Whether the worker has reported lately."""
    now = deps.clock.wall_ms()
    is_up = any(
        role.role == "worker" and role.stopped_at is None and now - role.seen_at <= HEARTBEAT_MS
        for role in await deps.store.status.roles()
    )
    return "up" if is_up else "down"


async def ready(deps: Deps) -> Response:
    try:
        await deps.store.status.check()
        depth = await deps.store.queue.depth()
    except StoreError:
        return json(Ready(ready=False, queue_size=0, max_queue_size=0, database="down"), 503)
    has_room = depth.queue_size < depth.max_queue_size
    report = Ready(ready=has_room, queue_size=depth.queue_size, max_queue_size=depth.max_queue_size, database="ok")
    return json(report, 200 if has_room else 503)


async def livez(_deps: Deps) -> Response:
    return Response("ok\n", content_type="text/plain; charset=utf-8")


def _health(
    deps: Deps,
    status: Literal["ok", "degraded", "down"],
    database: Literal["ok", "down"],
    processor: Literal["up", "down", "unknown"],
) -> Response:
    report = Health(
        status=status,
        database=database,
        processor=processor,
        timestamp=iso(deps.clock.wall_ms()),
        version=deps.version,
    )
    return json(report, 503 if status == "down" else 200)
