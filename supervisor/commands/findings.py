"""What `atlas doctor` finds in the store, check by check. Judges what was seen, asks nobody.

What is wrong with a part is said by `gateway.condition`, as in /health; here it gets its figure and a remedy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from gateway.condition import Condition, Looked, State
from gateway.figures import STAGES
from pipeline import lifecycle
from pipeline.store.counts import Count
from pipeline.store.figures import Figures
from pipeline.store.status import PAUSED, Format, RoleReport
from supervisor.commands.output import ago
from supervisor.commands.remedies import Commands, is_up, last_of, remedy

OLD_MS: Final = 300_000  # an item that could be worked on and is not: somebody should look
VERY_OLD_MS: Final = 1_800_000
API: Final = "No api has reported for 30 s: pages, phones and programs reach nobody."


_UNITS: Final = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One check. `advice` is what to do, with a command; empty while all is well."""

    check: str
    state: State
    found: str
    advice: str = ""
    age_seconds: float | None = None


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """All that the doctor looks at in an open store."""

    looked: Looked
    condition: Condition
    why: str  # the database cannot be used, in the store's words
    formats: tuple[Format, ...]
    engine: str


def size(n: int) -> str:
    """Bytes for a person: 0 KiB, 12.3 MiB, 512 GiB."""
    unit, number = next((unit, n / size) for size, unit in _UNITS if n >= size or size == 2**10)
    return f"{number:.1f} {unit}" if 0 < number < 100 else f"{number:,.0f} {unit}"


def in_store(seen: Seen, commands: Commands) -> tuple[Finding, ...]:
    """What /health says, and what it leaves to a person."""
    found = {name: _part(name, seen, commands) for name in seen.condition.components}
    figures = seen.looked.figures
    if figures is not None:
        found["oldest"] = _oldest(figures.counts, seen.looked, commands)
        found["api"] = _api(seen.looked, commands)
        found["breakers"] = _breakers(seen.condition)
    return tuple(sorted(found.values(), key=lambda each: _ORDER.index(each.check)))


def _part(name: str, seen: Seen, commands: Commands) -> Finding:
    part = seen.condition.components[name]
    return Finding(
        check=name,
        state=part.state,
        found=". ".join(filter(None, (_FIGURES[name](seen), part.reason))),
        advice="" if part.state == "ok" else remedy(name, seen.looked, commands),
        age_seconds=part.age_seconds,
    )


# Beside the parts of /health


def _api(looked: Looked, commands: Commands) -> Finding:
    """The api reports every 10 s, and is no part of what it says of itself in /health."""
    last = last_of(looked, "api")
    is_well = is_up(last, looked.now)
    return Finding(
        check="api",
        state="ok" if is_well else "failing",
        found=_heard(last, looked.now) + ("" if is_well else f". {API}"),
        advice="" if is_well else remedy("api", looked, commands),
        age_seconds=None if last is None else max(0, looked.now - last.seen_at) / 1000,
    )


def _oldest(counts: Sequence[Count], looked: Looked, commands: Commands) -> Finding:
    """The one figure that sees every stall: since when something could be worked on, stage by stage."""
    since: dict[str, int] = {}
    for each in counts:
        if each.oldest_at is not None and each.state in (lifecycle.State.READY, lifecycle.State.LEASED):
            stage = STAGES[lifecycle.hundred(each.stage)]
            since[stage] = min(each.oldest_at, since.get(stage, each.oldest_at))
    age = max((looked.now - at for at in since.values()), default=0)
    state: State = "failing" if age > VERY_OLD_MS else "warning" if age > OLD_MS else "ok"
    told = ", ".join(f"{stage} {ago(looked.now, at)}" for stage, at in since.items())
    return Finding(
        check="oldest",
        state=state,
        found=f"of the items that could be worked on: {told}" if told else "nothing waits to be worked on",
        advice="" if state == "ok" else remedy("oldest", looked, commands),
        age_seconds=max(0, age) / 1000 if since else None,
    )


def _breakers(condition: Condition) -> Finding:
    """No alarm: leaving alone who fails is what they are for."""
    left = condition.breakers_open
    names = [] if left is None else [*([f"{left.hosts:,} hosts"] if left.hosts else []), *left.providers]
    told = (
        f"left alone for now: {', '.join(names)}; `atlas breakers` lists them"
        if names
        else "no host or provider is left alone"
    )
    off = f"; not set up: {', '.join(condition.providers_off)}" if condition.providers_off else ""
    return Finding(check="breakers", state="ok", found=told + off)


# The figures of the parts of /health


def _known(seen: Seen) -> Figures:
    assert seen.looked.figures is not None, "without them `assess` judges none of their parts"
    return seen.looked.figures


def _heard(role: RoleReport | None, now: int) -> str:
    if role is None:
        return "not running: it has never run on this folder"
    if role.stopped_at is not None:
        return f"not running: stopped {ago(now, role.stopped_at)} ago"
    if is_up(role, now):
        return f"running for {ago(now, role.started_at)}, heard of {ago(now, role.seen_at)} ago, pid {role.pid}"
    return f"not running: pid {role.pid} was last heard of {ago(now, role.seen_at)} ago and never said that it stops"


def _database(seen: Seen) -> str:
    return seen.why or ", ".join(f"{each.name} {size(each.database)}" for each in seen.looked.files)


def _disk(seen: Seen) -> str:
    room = seen.looked.room
    return (
        ""
        if room is None
        else f"{size(room.free)} of {size(room.total)} are free, saving stops below {size(room.reserve)}"
    )


def _wal(seen: Seen) -> str:
    return ", ".join(f"{each.name} {size(each.wal)}" for each in seen.looked.files)


def _archive(seen: Seen) -> str:
    """Why it is away, in the words of whoever noticed: this process or the worker."""
    if seen.condition.archive == "ok":
        return "at hand"
    paused = (each.last_error for role in seen.looked.roles for each in role.actors if each.state == PAUSED)
    return seen.looked.archive_fault or next(filter(None, paused), "")


def _queue(seen: Seen) -> str:
    depth = _known(seen).depth
    queue = f"{depth.queue_size:,} of {depth.max_queue_size:,}"
    return f"{queue}, backlog {depth.backlog:,} of {depth.max_backlog:,}"


def _worker(seen: Seen) -> str:
    return _heard(last_of(seen.looked, "worker"), seen.looked.now)


def _actors(seen: Seen) -> str:
    worker = last_of(seen.looked, "worker")
    if worker is None or not is_up(worker, seen.looked.now):
        return "none without a worker"
    running = sum(each.state == "running" for each in worker.actors)
    restarts = sum(each.restarts for each in worker.actors)
    return f"{running} of {len(worker.actors)} run, restarts so far: {restarts}"


def _scheduler(seen: Seen) -> str:
    swept = _known(seen).swept_at
    return "no round yet" if swept is None else f"last round {ago(seen.looked.now, swept)} ago"


def _conservation(seen: Seen) -> str:
    figures = _known(seen)
    if figures.swept_at is None:
        return "no recount yet"
    told = f"{figures.drift:,} items off" if figures.drift else "no item is missing"
    return f"{told}, recounted {ago(seen.looked.now, figures.swept_at)} ago"


def _backup(seen: Seen) -> str:
    figures, now = _known(seen), seen.looked.now
    if figures.backup_at is None:
        first = figures.first_item_at
        return "nothing is kept yet" if first is None else f"none yet, the first item was kept {ago(now, first)} ago"
    verified = figures.backup_verified_at
    checked = "never checked" if verified is None else f"checked {ago(now, verified)} ago"
    drilled = "" if figures.drilled_at is None else f", drilled {ago(now, figures.drilled_at)} ago"
    copied = "" if figures.copied_at is None else f", copied {ago(now, figures.copied_at)} ago"
    return f"made {ago(now, figures.backup_at)} ago, {checked}{drilled}{copied}"


def _errors(seen: Seen) -> str:
    n = seen.looked.recent_errors
    return f"{n} {'kind' if n == 1 else 'kinds'}" if n else "none in the last 24 hours"


_FIGURES: Final[dict[str, Callable[[Seen], str]]] = {
    "database": _database,
    "disk": _disk,
    "wal": _wal,
    "archive": _archive,
    "queue": _queue,
    "worker": _worker,
    "actors": _actors,
    "scheduler": _scheduler,
    "conservation": _conservation,
    "backup": _backup,
    "errors": _errors,
}
_ORDER: Final = (
    "database",
    "disk",
    "wal",
    "archive",
    "queue",
    "oldest",
    "worker",
    "api",
    "actors",
    "scheduler",
    "conservation",
    "backup",
    "errors",
    "breakers",
)
