"""The condition that Atlas is in, part by part: what works, and what each part that does not work takes with it."""

from __future__ import annotations

from typing import Literal

import msgspec

from gateway.deps import Deps
from gateway.shape import iso
from pipeline.breaker import Breaker, BreakerState
from pipeline.errors import StoreBusy, StoreError, StoreFull
from pipeline.store.counts import QueueDepth
from pipeline.store.status import PAUSED, RoleReport

HEARTBEAT_MS = 30_000  # a worker that has not reported for so long counts as down
SWEEP_MS = 900_000  # three of the scheduler's ticks: it has missed some
LOCK_SECONDS = 2.0  # for the write lock: a monitor does not wait out a foreign one
PROVIDER = "provider:"

Processor = Literal["up", "down", "unknown"]

# What each part takes with it, and what goes on without it.
EFFECTS = {
    "database": "The database cannot be used: nothing can be read or saved.",
    "database_busy": "Another process holds the database's write lock: reading works, saves are answered 503.",
    "database_full": "The disk is full: reading works, saves are answered 507.",
    "disk": "The disk is nearly full: reading works, saves are answered 507, nothing new is begun.",
    "archive": "The archive of fetched bodies cannot be used: search and reading work, URLs are accepted and wait,"
    " notes are refused. Restore it, then restart Atlas.",
    "backlog": "The backlog is full: saves are answered 503 until some of it is done.",
    "processor": "No worker has reported for 30 s: what is saved waits for one.",
    "scheduler": "The scheduler has not run for 15 minutes: feeds are not polled.",
}
NO_SAVES = frozenset({"database", "database_busy", "database_full", "disk", "backlog"})


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """`full`: what is saved waits at stage 50; `backlog_full`: nothing more is accepted."""

    state: Literal["ok", "full", "backlog_full"]
    size: int
    max_size: int
    backlog: int
    max_backlog: int


class BreakersOpen(msgspec.Struct, frozen=True, kw_only=True):
    """Who is left alone for now. Hosts only in number: what a person reads is nobody's business who asks here."""

    hosts: int
    providers: tuple[str, ...]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    part: str
    effect: str


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """`degraded`: saves are accepted, and something else is missing; `down`: no save is accepted."""

    status: Literal["ok", "degraded", "down"]
    database: Literal["ok", "busy", "full", "down"]
    processor: Processor
    archive: Literal["ok", "unavailable", "unknown"]
    disk: Literal["ok", "low", "unknown"]
    queue: Queue | None
    breakers_open: BreakersOpen | None
    providers_off: tuple[str, ...]
    last_sweep: str | None
    problems: tuple[Problem, ...]


class _Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the database says while it can be read."""

    depth: QueueDepth
    roles: tuple[RoleReport, ...]
    breakers: tuple[Breaker, ...]
    swept_at: int | None


async def condition(deps: Deps) -> Condition:
    """Looks at everything once; takes little more than LOCK_SECONDS, whatever is wrong."""
    database = await database_state(deps)
    seen = None if database == "down" else await _seen(deps)
    if seen is None:
        return _down(deps)
    now = deps.clock.wall_ms()
    worker = _worker(seen.roles, now)
    is_away = deps.store.bodies.fault is not None or _has_paused(worker)
    found = {
        f"database_{database}": database != "ok",
        "disk": disk_state(deps) == "low",
        "archive": is_away,
        "backlog": seen.depth.backlog >= seen.depth.max_backlog,
        "processor": worker is None,
        "scheduler": seen.swept_at is not None and now - seen.swept_at > SWEEP_MS,
    }
    wrong = [part for part, is_so in found.items() if is_so]
    return Condition(
        status="down" if NO_SAVES.intersection(wrong) else ("degraded" if wrong else "ok"),
        database=database,
        processor="down" if worker is None else "up",
        archive="unavailable" if is_away else "ok",
        disk=disk_state(deps),
        queue=_queue(seen.depth),
        breakers_open=_open(seen.breakers),
        providers_off=deps.providers_off,
        last_sweep=None if seen.swept_at is None else iso(seen.swept_at),
        problems=tuple(_problem(part) for part in wrong),
    )


async def database_state(deps: Deps) -> Literal["ok", "busy", "full", "down"]:
    """Whether it can be read and written."""
    try:
        await deps.store.status.check(seconds=LOCK_SECONDS)
    except StoreBusy:
        return "busy"
    except StoreFull:
        return "full"
    except StoreError:
        return "down"
    return "ok"


def disk_state(deps: Deps) -> Literal["ok", "low", "unknown"]:
    room = deps.store.status.disk()
    if room is None:
        return "unknown"
    return "low" if room.is_low else "ok"


async def processor_state(deps: Deps) -> Literal["up", "down"]:
    """Whether the worker has reported lately."""
    return "down" if _worker(await deps.store.status.roles(), deps.clock.wall_ms()) is None else "up"


async def _seen(deps: Deps) -> _Seen | None:
    try:
        return _Seen(
            depth=await deps.store.queue.depth(),
            roles=await deps.store.status.roles(),
            breakers=await deps.store.breakers.all(),
            swept_at=await deps.store.status.swept_at(),
        )
    except StoreError:
        return None


def _worker(roles: tuple[RoleReport, ...], now: int) -> RoleReport | None:
    """The worker, when it has reported lately."""
    alive = (role for role in roles if role.stopped_at is None and now - role.seen_at <= HEARTBEAT_MS)
    return next((role for role in alive if role.role == "worker"), None)


def _has_paused(worker: RoleReport | None) -> bool:
    """Each process sees for itself whether the archive can be used; an actor that needs it and cannot is paused."""
    return worker is not None and any(actor.state == PAUSED for actor in worker.actors)


def _queue(depth: QueueDepth) -> Queue:
    is_full = depth.queue_size >= depth.max_queue_size
    return Queue(
        state="backlog_full" if depth.backlog >= depth.max_backlog else ("full" if is_full else "ok"),
        size=depth.queue_size,
        max_size=depth.max_queue_size,
        backlog=depth.backlog,
        max_backlog=depth.max_backlog,
    )


def _open(breakers: tuple[Breaker, ...]) -> BreakersOpen:
    names = [each.name for each in breakers if each.state is not BreakerState.CLOSED]
    providers = tuple(name.removeprefix(PROVIDER) for name in names if name.startswith(PROVIDER))
    return BreakersOpen(hosts=len(names) - len(providers), providers=providers)


def _problem(part: str) -> Problem:
    return Problem(part=part.partition("_")[0], effect=EFFECTS[part])


def _down(deps: Deps) -> Condition:
    return Condition(
        status="down",
        database="down",
        processor="unknown",
        archive="unknown",
        disk=disk_state(deps),
        queue=None,
        breakers_open=None,
        providers_off=deps.providers_off,
        last_sweep=None,
        problems=(_problem("database"),),
    )
