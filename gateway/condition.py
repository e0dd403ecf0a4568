"""The condition that Atlas is in, part by part: what works, and what each part that does not work takes with it.

`look` asks the store, `assess` judges, without asking anybody: the api's probes and `atlas doctor` say the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from gateway.shape import iso
from pipeline.errors import StoreBusy, StoreError, StoreFull
from pipeline.store.counts import QueueDepth
from pipeline.store.disk import Room
from pipeline.store.figures import Figures, FileSize
from pipeline.store.handle import Store
from pipeline.store.status import PAUSED, RoleReport

HEARTBEAT_MS: Final = 30_000  # a worker that has not reported for so long counts as down
SWEEP_MS: Final = 900_000  # three of the scheduler's ticks: it has missed some
LOCK_SECONDS: Final = 2.0  # for the write lock: a monitor does not wait out a foreign one
DAY_MS: Final = 86_400_000
BACKUP_HOURS: Final = 26  # a daily backup, and two hours for it to be late
LITTLE_DISK: Final = 0.1
WAL_LARGE: Final = 64 * 1024 * 1024
WAL_HUGE: Final = 256 * 1024 * 1024

Database = Literal["ok", "busy", "full", "down"]
State = Literal["ok", "warning", "failing"]

# What each part that fails takes with it, and what goes on without it.
DATABASE: Final = {
    "ok": "",
    "down": "The database cannot be used: nothing can be read or saved.",
    "busy": "Another process holds the database's write lock: reading works, saves are answered 503.",
    "full": "The disk is full: reading works, saves are answered 507.",
}
DAMAGED: Final = (
    "The database is damaged: it is read as far as it can be, and nothing is saved or worked on until it is restored."
)
DISK_LOW: Final = "The disk is nearly full: reading works, saves are answered 507, nothing new is begun."
ARCHIVE: Final = (
    "The archive of fetched bodies cannot be used: search and reading work, URLs are accepted and wait,"
    " notes are refused. Restore it, then restart Atlas."
)
BACKLOG: Final = "The backlog is full: saves are answered 503 until some of it is done."
QUEUE: Final = "The queue is full: what is saved is kept, and waits for room."
WORKER: Final = "No worker has reported for 30 s: what is saved waits for one."
SCHEDULER: Final = "The scheduler has not run for 15 minutes: feeds are not polled."
DRIFT: Final = "The counts differed from a recount; they were repaired. This is a fault of Atlas: please report it."
WAL: Final = "The write-ahead log is not cut back: something has been reading from the database for very long."
NO_BACKUP: Final = "No backup has been made yet."
OLD_BACKUP: Final = "The last backup is more than a day old."
ERRORS: Final = "Unexpected errors in the last 24 hours; `atlas errors` lists them."
# Without these no save is accepted.
_SAVING: Final = frozenset({"database", "disk", "queue"})


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """One part. `reason` is empty while all is well with it; `age_seconds` is since it was last heard of or done."""

    state: State
    reason: str = ""
    age_seconds: float | None = None


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


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """`degraded`: saves are accepted, and some part fails; `down`: no save is accepted. Warnings change neither."""

    status: Literal["ok", "degraded", "down"]
    database: Database
    processor: Literal["up", "down", "unknown"]
    archive: Literal["ok", "unavailable", "unknown"]
    disk: Literal["ok", "low", "unknown"]
    queue: Queue | None
    breakers_open: BreakersOpen | None
    providers_off: tuple[str, ...]
    last_sweep: str | None
    components: dict[str, Component]


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """All that is judged, as of one moment."""

    now: int  # wall ms
    database: Database
    room: Room | None
    archive_fault: str | None
    files: tuple[FileSize, ...]
    is_damaged: bool = False
    figures: Figures | None = None  # these are unknown while the database is down
    roles: tuple[RoleReport, ...] = ()
    providers_open: tuple[str, ...] = ()
    recent_errors: int = 0


async def look(store: Store, now: int) -> Looked:
    """Look at everything once; takes little more than LOCK_SECONDS, whatever is wrong."""
    fault = store.bodies.fault
    looked = Looked(
        now=now,
        database=await database_state(store),
        room=store.status.disk(),
        archive_fault=None if fault is None else fault.message,
        files=store.status.file_sizes(),
    )
    if store.status.damage() is not None:
        return msgspec.structs.replace(looked, database="down", is_damaged=True)
    if looked.database == "down":
        return looked
    try:
        return msgspec.structs.replace(
            looked,
            figures=await store.status.figures(),
            roles=await store.status.roles(),
            providers_open=await store.breakers.providers_open(),
            recent_errors=await store.mishaps.since(now - DAY_MS),
        )
    except StoreError:
        return msgspec.structs.replace(looked, database="down", is_damaged=store.status.damage() is not None)


def assess(looked: Looked, *, providers_off: tuple[str, ...] = ()) -> Condition:
    """What it all means."""
    figures = looked.figures
    found = _components(looked, figures)
    failing = {name for name, each in found.items() if each.state == "failing"}
    is_known = figures is not None
    return Condition(
        status="down" if failing & _SAVING else ("degraded" if failing else "ok"),
        database=looked.database,
        processor=("down" if "worker" in failing else "up") if is_known else "unknown",
        archive=("unavailable" if "archive" in failing else "ok") if is_known else "unknown",
        disk="unknown" if looked.room is None else ("low" if looked.room.is_low else "ok"),
        queue=None if figures is None else _queue(figures.depth),
        breakers_open=None if figures is None else _open(figures, looked.providers_open),
        providers_off=providers_off,
        last_sweep=None if figures is None or figures.swept_at is None else iso(figures.swept_at),
        components=found,
    )


async def database_state(store: Store) -> Database:
    """Whether it can be read and written."""
    try:
        await store.status.check(seconds=LOCK_SECONDS)
    except StoreBusy:
        return "busy"
    except StoreFull:
        return "full"
    except StoreError:
        return "down"
    return "ok"


def worker_of(roles: Sequence[RoleReport], now: int) -> RoleReport | None:
    """The worker, when it has reported lately."""
    alive = (role for role in roles if role.stopped_at is None and now - role.seen_at <= HEARTBEAT_MS)
    return next((role for role in alive if role.role == "worker"), None)


# The parts


def _components(looked: Looked, figures: Figures | None) -> dict[str, Component]:
    reason = DAMAGED if looked.is_damaged else DATABASE[looked.database]
    database = Component(state="ok" if looked.database == "ok" else "failing", reason=reason)
    found = {"database": database, "disk": _disk(looked.room), "wal": _wal(looked.files)}
    if figures is None:
        return found
    worker = worker_of(looked.roles, looked.now)
    return found | {
        "archive": _archive(looked, worker),
        "queue": _queue_part(figures.depth),
        "worker": _worker(looked, worker),
        "actors": _actors(worker),
        "scheduler": _scheduler(looked.now, figures.swept_at, looked.roles),
        "conservation": _conservation(looked.now, figures),
        "backup": _backup(looked.now, figures),
        "errors": _judged(warning=ERRORS if looked.recent_errors else ""),
    }


def _judged(*, failing: str = "", warning: str = "", age: float | None = None) -> Component:
    state: State = "failing" if failing else "warning" if warning else "ok"
    return Component(state=state, reason=failing or warning, age_seconds=age)


def _age(now: int, at: int | None) -> float | None:
    return None if at is None else max(0, now - at) / 1000


def _disk(room: Room | None) -> Component:
    if room is None:
        return _judged(warning="The file system does not say how much room it has.")
    share, reserve = room.free / max(1, room.total), room.reserve // 1_048_576
    little = f"{share:.0%} of the disk is free; below {reserve:,} MiB saving stops."
    return _judged(
        failing=DISK_LOW if room.is_low else "", warning=little if room.free < LITTLE_DISK * room.total else ""
    )


def _wal(files: Sequence[FileSize]) -> Component:
    largest = max((each.wal for each in files), default=0)
    return _judged(failing=WAL if largest > WAL_HUGE else "", warning=WAL if largest > WAL_LARGE else "")


def _archive(looked: Looked, worker: RoleReport | None) -> Component:
    """Each process sees for itself whether the archive can be used; an actor that needs it and cannot is paused."""
    has_paused = worker is not None and any(actor.state == PAUSED for actor in worker.actors)
    return _judged(failing=ARCHIVE if looked.archive_fault is not None or has_paused else "")


def _queue_part(depth: QueueDepth) -> Component:
    return _judged(
        failing=BACKLOG if depth.backlog >= depth.max_backlog else "",
        warning=QUEUE if depth.queue_size >= depth.max_queue_size else "",
    )


def _worker(looked: Looked, worker: RoleReport | None) -> Component:
    last = next((role for role in looked.roles if role.role == "worker"), None)
    return _judged(failing="" if worker else WORKER, age=_age(looked.now, None if last is None else last.seen_at))


def _actors(worker: RoleReport | None) -> Component:
    """Of a worker that is up; one that is down is told as such. Not their errors: they may name what is read here."""
    actors = () if worker is None else worker.actors
    odd = [each for each in actors if each.state not in ("running", PAUSED)]
    said = "; ".join(f"{each.name} is {each.state}" for each in odd)
    has_failed = any(each.state == "failed" for each in odd)
    return _judged(failing=said if has_failed else "", warning=said)


def _scheduler(now: int, swept_at: int | None, roles: Sequence[RoleReport]) -> Component:
    """One that has never run is late once a role has been up for as long."""
    since = swept_at if swept_at is not None else min((each.started_at for each in roles), default=now)
    is_late = now - since > SWEEP_MS
    return _judged(failing=SCHEDULER if is_late else "", age=_age(now, swept_at))


def _conservation(now: int, figures: Figures) -> Component:
    return _judged(failing=DRIFT if figures.drift else "", age=_age(now, figures.swept_at))


def _backup(now: int, figures: Figures) -> Component:
    is_old = figures.backup_age(now) > BACKUP_HOURS * 3600
    why = NO_BACKUP if figures.backup_at is None else OLD_BACKUP
    return _judged(warning=why if is_old else "", age=_age(now, figures.backup_at))


def _queue(depth: QueueDepth) -> Queue:
    is_full = depth.queue_size >= depth.max_queue_size
    return Queue(
        state="backlog_full" if depth.backlog >= depth.max_backlog else ("full" if is_full else "ok"),
        size=depth.queue_size,
        max_size=depth.max_queue_size,
        backlog=depth.backlog,
        max_backlog=depth.max_backlog,
    )


def _open(figures: Figures, providers: tuple[str, ...]) -> BreakersOpen:
    hosts = sum(n for (kind, _state), n in figures.breakers.items() if kind == "host")
    return BreakersOpen(hosts=hosts, providers=providers)
