"""The pipeline page: how many items stand at which stage, for how long, and how the actors are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec
from quart import Response

from gateway.condition import DAMAGED, DISK_LOW, worker_of
from gateway.deps import Deps
from gateway.query import Query
from gateway.render import page
from gateway.wording import stage as stage_words
from pipeline.breaker import BreakerState
from pipeline.lifecycle import IN_FLIGHT, State, hundred
from pipeline.store.counts import Count

SECTIONS = (
    (0, "Discover", "Waiting for room"),
    (100, "Acquire", "Fetching"),
    (200, "Validate", "Checking what came back"),
    (300, "Extract", "Finding the article"),
    (400, "Enrich", "Language, summary, topics"),
    (500, "Finalise", "Indexing and filing"),
)
MISHAPS = 5  # of the latest unexpected errors
ORDER = ("leased", "ready", "deferred", "waiting", "dead")  # as they are drawn in the bars
WORDS = {
    "leased": "in hand",
    "ready": "ready",
    "deferred": "deferred",
    "waiting": "waiting",
    "dead": "failed",
}


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """One state's part of a bar; `start` and `width` in percent."""

    state: str
    words: str
    n: int
    start: float
    width: float


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One stage number inside a section."""

    code: int
    words: str
    state: str
    n: int


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """An actor's hundred. Done and duplicate items are not in it: they have left."""

    first: int
    name: str
    purpose: str
    total: int
    shares: tuple[Share, ...]
    lines: tuple[Line, ...]
    oldest_at: int | None  # of what is in flight


async def show(deps: Deps) -> Response:
    query = Query("live")
    live = query.number("live", 0, least=0, most=1)
    query.done()
    counts = await deps.store.status.counts()
    states, roles, room = _by_state(counts), await deps.store.status.roles(), deps.store.status.disk()
    return await page(
        deps,
        "pipeline.html",
        live=bool(live),
        sections=tuple(_section(first, name, purpose, counts) for first, name, purpose in SECTIONS),
        states=states,
        in_flight=sum(states[state] for state in IN_FLIGHT),
        depth=await deps.store.queue.depth(),
        roles=roles,
        is_up=worker_of(roles, deps.clock.wall_ms()) is not None,
        paused=DAMAGED if deps.store.status.damage() else DISK_LOW if room is not None and room.is_low else None,
        mishaps=await deps.store.mishaps.list(limit=MISHAPS),
        resting=tuple(each for each in await deps.store.breakers.all() if each.state is not BreakerState.CLOSED),
    )


def _by_state(counts: Sequence[Count]) -> Counter[str]:
    found: Counter[str] = Counter()
    for count in counts:
        found[count.state] += count.n
    return found


def _section(first: int, name: str, purpose: str, counts: Sequence[Count]) -> Section:
    here = [each for each in counts if hundred(each.stage) == first and each.state in ORDER and each.n > 0]
    states = _by_state(here)
    ages = [each.oldest_at for each in here if each.oldest_at is not None and each.state != State.DEAD]
    return Section(
        first=first,
        name=name,
        purpose=purpose,
        total=sum(states.values()),
        shares=_shares(states),
        lines=tuple(
            Line(code=each.stage, words=stage_words(each.stage), state=each.state, n=each.n)
            for each in sorted(here, key=lambda each: (each.stage, each.state))
        ),
        oldest_at=min(ages, default=None),
    )


def _shares(states: Counter[str]) -> tuple[Share, ...]:
    total, start, shares = sum(states.values()), 0.0, []
    for state in ORDER:
        if states[state]:
            width = 100 * states[state] / total
            shares.append(Share(state=state, words=WORDS[state], n=states[state], start=start, width=width))
            start += width
    return tuple(shares)
