"""The figures of the whole system for monitors: read in one go, and given to the gauges as of that moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from gateway.deps import Deps
from observability import metrics, names
from observability.metrics import Sample
from observability.names import Metric
from pipeline.errors import StoreError
from pipeline.lifecycle import State, hundred
from pipeline.store.counts import Count
from pipeline.store.disk import Room
from pipeline.store.figures import Figures, FileSize

# As the actors are called, so that all metrics speak of the same stages.
STAGES: Mapping[int, str] = {
    0: "discover",
    100: "acquire",
    200: "validate",
    300: "extract",
    400: "enrich",
    500: "finalise",
}
_WORKABLE = (State.READY, State.LEASED)


async def take(deps: Deps, *, worker_up: bool) -> None:
    """Read everything once. What cannot be read is left out, not told as 0."""
    now, found = deps.clock.wall_ms(), dict[str, list[Sample]]()
    try:
        read = await deps.store.status.figures()
    except StoreError:
        read = None
    for metric, sample in _samples(read, deps.store.status.disk(), deps.store.status.file_sizes(), now):
        found.setdefault(metric.name, []).append(sample)
    found[names.WORKER_UP.name] = [({}, int(worker_up))]
    for metric in _ALL:
        samples = tuple(found.get(metric.name, ()))
        metrics.GAUGES[metric.name].follow(lambda samples=samples: samples)  # type: ignore[misc]


def _samples(
    read: Figures | None, room: Room | None, files: tuple[FileSize, ...], now: int
) -> Iterator[tuple[Metric, Sample]]:
    for each in files:
        yield names.WAL_BYTES, ({"database": each.name}, each.wal)
        yield names.DATABASE_BYTES, ({"database": each.name}, each.database)
    if room is not None:
        yield names.DISK_FREE, ({}, room.free)
        yield names.DISK_TOTAL, ({}, room.total)
        yield names.DISK_RESERVE, ({}, room.reserve)
    if read is not None:
        yield from _of_items(read.counts, read.poll_due_at, now)
        yield from _of_the_rest(read, now)


def _of_items(counts: tuple[Count, ...], poll_due: int | None, now: int) -> Iterator[tuple[Metric, Sample]]:
    items: Counter[tuple[str, str]] = Counter()
    oldest = dict.fromkeys(STAGES.values(), now)
    oldest[STAGES[0]] = now if poll_due is None else min(now, poll_due)  # polls are no items
    dead = 0
    for each in counts:
        stage = STAGES[hundred(each.stage)]
        items[stage, each.state] += each.n
        dead += each.n if each.state == State.DEAD else 0
        if each.state in _WORKABLE and each.oldest_at is not None:
            oldest[stage] = min(oldest[stage], each.oldest_at)
    for (stage, state), n in items.items():
        yield names.ITEMS, ({"stage": stage, "state": state}, n)
    for stage, since in oldest.items():
        yield names.OLDEST_ITEM, ({"stage": stage}, (now - since) / 1000)
    yield names.DEAD_LETTERS, ({}, dead)


def _of_the_rest(read: Figures, now: int) -> Iterator[tuple[Metric, Sample]]:
    yield names.QUEUE_DEPTH, ({}, read.depth.queue_size)
    yield names.QUEUE_LIMIT, ({}, read.depth.max_queue_size)
    yield names.BACKLOG, ({}, read.depth.backlog)
    yield names.BACKLOG_LIMIT, ({}, read.depth.max_backlog)
    yield names.DRIFT, ({}, read.drift)
    for kind in ("host", "provider"):
        for state in ("open", "half_open"):
            yield names.BREAKERS, ({"kind": kind, "state": state}, read.breakers.get((kind, state), 0))
    if read.swept_at is not None:
        yield names.SCHEDULER_AGE, ({}, max(0, now - read.swept_at) / 1000)
    yield names.BACKUP_AGE, ({}, read.backup_age(now))
    yield names.BACKUP_VERIFIED_AGE, ({}, read.backup_age(now, verified=True))
    yield names.BACKUP_DRILL_AGE, ({}, read.drill_age(now))


_ALL = (
    names.WAL_BYTES,
    names.DATABASE_BYTES,
    names.DISK_FREE,
    names.DISK_TOTAL,
    names.DISK_RESERVE,
    names.ITEMS,
    names.OLDEST_ITEM,
    names.DEAD_LETTERS,
    names.QUEUE_DEPTH,
    names.QUEUE_LIMIT,
    names.BACKLOG,
    names.BACKLOG_LIMIT,
    names.DRIFT,
    names.BREAKERS,
    names.SCHEDULER_AGE,
    names.BACKUP_AGE,
    names.BACKUP_VERIFIED_AGE,
    names.BACKUP_DRILL_AGE,
    names.WORKER_UP,
)
