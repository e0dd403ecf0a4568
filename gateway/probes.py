"""For monitors: /livez (the process answers), /health (what works), /ready (send more or wait), /metrics (figures)."""

from __future__ import annotations

from typing import Literal

import msgspec
from quart import Response
from werkzeug.exceptions import NotFound

from gateway import figures
from gateway.condition import Condition, assess, database_state, look
from gateway.deps import Deps
from gateway.render import json
from gateway.shape import iso
from observability.exposition import CONTENT_TYPE, merge
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
    found = assess(await look(deps.store, deps.clock.wall_ms()), providers_off=deps.providers_off)
    values = {name: getattr(found, name) for name in Condition.__struct_fields__}
    report = Health(**values, timestamp=iso(deps.clock.wall_ms()), version=deps.version)
    return json(report, 503 if found.status == "down" else 200)


async def ready(deps: Deps) -> Response:
    database, room = await database_state(deps.store), deps.store.status.disk()
    disk: Literal["ok", "low", "unknown"] = "unknown" if room is None else "low" if room.is_low else "ok"
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


async def metrics(deps: Deps) -> Response:
    """The whole system: this process, the worker when it answers in time, and what the store knows of both."""
    theirs = await deps.worker_metrics()
    await figures.take(deps, worker_up=theirs is not None)
    ours = deps.scrape()
    if ours is None:
        raise NotFound("Metrics are switched off: [metrics] enabled.")
    return Response(merge([ours] if theirs is None else [ours, theirs]), content_type=CONTENT_TYPE)
