"""Circuit breakers at work: who may be asked now, told from what became of the requests before, kept across restarts.

The state moves in memory, without waiting; what has changed is stored when a request ends. A store that takes no write
costs nothing but the memory of a restart.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Protocol

import anyio

from pipeline import breaker, errors
from pipeline.breaker import Breaker, BreakerState
from pipeline.clock import Clock
from pipeline.settings import BreakerSettings

PROBE_SECONDS: Final = 90.0  # a probe not heard of for so long is lost; longer than any fetch may take
SPREAD_SECONDS: Final = 0.5  # between those that wait for the same breaker, so that they do not all come back at once
SPREAD_MOST: Final = 300.0
SAVE_SECONDS: Final = 5.0


class Book(Protocol):
    """Where breakers are kept: `store.breakers`."""

    async def all(self) -> tuple[Breaker, ...]: ...
    async def save(self, breaker: Breaker) -> None: ...


class Passage:
    """One request that was let through. It counts as good unless `bad` or `hold` is called before it ends."""

    def __init__(self) -> None:
        self.failed: str | None = None
        self.held: tuple[float, str] | None = None

    def bad(self, reason: str) -> None:
        """It failed, and that is the other side's doing."""
        self.failed = reason

    def hold(self, seconds: float, reason: str) -> None:
        """The other side asked to be left alone for so long."""
        self.held = (seconds, reason)


class Breakers:
    """All breakers of one worker. Names: "host:example.org", "host:example.org:8080", "provider:wayback".

    Memory is bounded by what is in trouble: a breaker with nothing to remember is forgotten.
    """

    def __init__(self, book: Book, settings: BreakerSettings, *, clock: Clock) -> None:
        self._book = book
        self._settings = settings
        self._clock = clock
        self._known: dict[str, Breaker] = {}
        self._refused: dict[str, int] = {}  # since it opened: each of them comes back a little later than the last

    async def load(self) -> None:
        """Take up what an earlier worker knew. A probe that it had out is lost: the next one may go at once."""
        now = self._clock.wall_ms()
        self._known = {one.name: breaker.release(one, now) for one in await self._book.all()}

    def wait_seconds(self, name: str) -> float:
        """How long until somebody may ask again; 0 when that is now."""
        known = self._known.get(name)
        if known is None or known.state is BreakerState.CLOSED:
            return 0.0
        return breaker.wait_ms(known, self._clock.wall_ms()) / 1000

    @asynccontextmanager
    async def passing(
        self, name: str, *, blame: tuple[type[Exception], ...] = (errors.FetchError,)
    ) -> AsyncIterator[Passage]:
        """Let one request through and learn from its end. Raises BreakerOpen instead when it has to wait.

        What is raised inside counts as a failure when it is one of `blame`; anything else (a cancellation, a refusal of
        our own) says nothing about the other side.
        """
        self._admit(name)
        passage, known = Passage(), False
        try:
            yield passage
            known = True
        except blame as error:
            if not isinstance(error, errors.BreakerOpen):
                passage.bad(str(error))
                known = True
            raise
        finally:
            with anyio.move_on_after(SAVE_SECONDS, shield=True):
                await self._learn(name, passage if known else None)

    def _admit(self, name: str) -> None:
        known = self._known.get(name)
        if known is None:
            return
        now = self._clock.wall_ms()
        after = breaker.admit(known, now, probe_ms=round(PROBE_SECONDS * 1000))
        if after is not None:
            self._known[name] = after
            return
        refused = self._refused[name] = self._refused.get(name, 0) + 1
        wait = breaker.wait_ms(known, now) / 1000
        raise errors.BreakerOpen(
            f"{name.partition(':')[2]} is left alone for {wait:.0f} s: {known.reason}",
            name=name,
            retry_after=wait + min(SPREAD_SECONDS * refused, SPREAD_MOST),
            hint="It failed again and again, or asked for it; one probe goes out when the time is up.",
        )

    async def _learn(self, name: str, passage: Passage | None) -> None:
        before = self._known.get(name, Breaker(name=name))
        after = self._after(before, passage)
        if after == before:
            return
        if after.is_fresh:
            self._known.pop(name, None)
        else:
            self._known[name] = after
        if after.state is not BreakerState.OPEN or before.state is not BreakerState.OPEN:
            self._refused.pop(name, None)
        with contextlib.suppress(errors.StoreBusy, errors.StoreFull):
            await self._book.save(after)

    def _after(self, before: Breaker, passage: Passage | None) -> Breaker:
        now = self._clock.wall_ms()
        if passage is None:
            return breaker.release(before, now)
        if passage.held is not None:
            seconds, reason = passage.held
            return breaker.hold(before, now, round(seconds * 1000), reason)
        if passage.failed is not None:
            return breaker.bad(before, now, passage.failed, self._settings)
        return breaker.good(before, now, self._settings)
