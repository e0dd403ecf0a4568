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

# What is the other side's doing. What we refuse ourselves (an address, a size, a redirect, a robots.txt) is not.
FAILURES: Final[tuple[type[Exception], ...]] = (
    errors.DnsFailed,
    errors.ConnectFailed,
    errors.TlsFailed,
    errors.FetchTimeout,
    errors.ProtocolBroken,
    errors.HttpStatus,
)
PROBE_SECONDS: Final = 10.0  # those that meet a probe come back after this, to see what became of it
SPREAD_SECONDS: Final = 0.5  # between those that wait for the same breaker, so that they do not all come back at once
SPREAD_MOST: Final = 300.0
SAVE_SECONDS: Final = 5.0
KNOWN_MOST: Final = 10_000  # breakers; past it the one that has been quiet for longest is forgotten


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

    Only what is in trouble is remembered, and no more than `KNOWN_MOST` of that.
    """

    def __init__(self, book: Book, settings: BreakerSettings, *, clock: Clock) -> None:
        self._book = book
        self._settings = settings
        self._clock = clock
        self._known: dict[str, Breaker] = {}  # in the order of their last change
        self._probing: set[str] = set()  # half open, and the probe is out
        self._refused: dict[str, int] = {}  # since it opened: each of them comes back a little later than the last
        self._unsaved: dict[str, None] = {}  # in order
        self._saving = False

    async def load(self) -> None:
        """Take up what an earlier worker knew. A probe that it had out is lost: the next one may go at once."""
        now = self._clock.wall_ms()
        for one in await self._book.all():
            self._keep(breaker.release(one, now))

    def wait_seconds(self, name: str) -> float:
        """How long until somebody may ask again; 0 when that is now."""
        known = self._known.get(name)
        if known is None or known.state is BreakerState.CLOSED:
            return 0.0
        if name in self._probing:
            return PROBE_SECONDS
        return breaker.wait_ms(known, self._clock.wall_ms()) / 1000

    def check(self, name: str) -> None:
        """Raise BreakerOpen when one who asked now would have to wait. Nobody is let through by this."""
        wait = self.wait_seconds(name)
        if wait > 0:
            raise self._refusal(name, wait)

    @asynccontextmanager
    async def passing(self, name: str, *, blame: tuple[type[Exception], ...] = FAILURES) -> AsyncIterator[Passage]:
        """Let one request through and learn from its end. Raises BreakerOpen instead when it has to wait.

        What is raised inside counts as a failure when it is one of `blame`; anything else (a cancellation, a refusal of
        our own) says nothing about the other side.
        """
        is_probe = self._admit(name)
        passage, known = Passage(), False
        try:
            yield passage
            known = True
        except blame as error:
            passage.bad(str(error))
            known = True
            raise
        finally:
            if is_probe:
                self._probing.discard(name)
            told = known or passage.held or passage.failed
            self._learn(name, passage if told else None, is_probe=is_probe)
            if self._unsaved:
                with anyio.move_on_after(SAVE_SECONDS, shield=True):
                    await self._save()

    def _admit(self, name: str) -> bool:
        """Whether the request that is let through is a probe."""
        self.check(name)
        known = self._known.get(name)
        if known is None or known.state is BreakerState.CLOSED:
            return False
        after = breaker.admit(known, self._clock.wall_ms(), probe_ms=round(PROBE_SECONDS * 1000))
        if after is None:  # the clock was set back in this very moment
            raise self._refusal(name, PROBE_SECONDS)
        self._known[name] = after
        self._probing.add(name)
        return True

    def _refusal(self, name: str, wait: float) -> errors.BreakerOpen:
        refused = self._refused[name] = self._refused.get(name, 0) + 1
        known = self._known[name]
        return errors.BreakerOpen(
            f"{name.partition(':')[2]} is left alone for {wait:.0f} s: {known.reason}",
            name=name,
            retry_after=wait + min(SPREAD_SECONDS * refused, SPREAD_MOST),
            hint="It failed again and again, or asked for it; one probe goes out when the time is up.",
        )

    def _learn(self, name: str, passage: Passage | None, *, is_probe: bool) -> None:
        before = self._known.get(name, Breaker(name=name))
        after = self._after(before, passage, is_probe=is_probe)
        if after == before:
            return
        if after.state is not BreakerState.OPEN or before.state is not BreakerState.OPEN:
            self._refused.pop(name, None)
        self._keep(after)
        self._change(name)

    def _after(self, before: Breaker, passage: Passage | None, *, is_probe: bool) -> Breaker:
        now = self._clock.wall_ms()
        if passage is not None and passage.held is not None:
            seconds, reason = passage.held
            return breaker.hold(before, now, round(seconds * 1000), reason)
        if before.state is BreakerState.HALF_OPEN and not is_probe:
            return before  # it began before the breaker opened: only the probe decides
        if passage is None:
            return breaker.release(before, now)
        if passage.failed is not None:
            return breaker.bad(before, now, passage.failed, self._settings)
        return breaker.good(before, now, self._settings)

    def _keep(self, one: Breaker) -> None:
        self._known.pop(one.name, None)
        if one.is_fresh:
            return
        self._known[one.name] = one
        if len(self._known) > KNOWN_MOST:
            quiet = (name for name in self._known if name not in self._probing and not self.wait_seconds(name))
            self._forget(next(quiet, next(iter(self._known))))

    def _forget(self, name: str) -> None:
        del self._known[name]
        self._refused.pop(name, None)
        self._change(name)

    def _change(self, name: str) -> None:
        self._unsaved[name] = None
        if len(self._unsaved) > 2 * KNOWN_MOST:  # of a store that has been full for very long
            del self._unsaved[next(iter(self._unsaved))]

    async def _save(self) -> None:
        """Store what has changed: one task at a time, and always the state of now, so none overwrites a later one.

        What the store does not take stays on the list for the next one that comes by.
        """
        if self._saving:
            return
        self._saving = True
        try:
            with contextlib.suppress(*errors.TAKES_NO_WRITE):
                while self._unsaved:
                    name = next(iter(self._unsaved))
                    saved = self._known.get(name)
                    await self._book.save(saved or Breaker(name=name))
                    if self._known.get(name) == saved:
                        del self._unsaved[name]
        finally:
            self._saving = False
