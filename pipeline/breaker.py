"""A circuit breaker: whoever fails again and again is left alone for a while, then asked by one probe. Pure.

closed -> open after `failures` in a row; open -> half open when its time is up, for exactly one probe; half open ->
closed after `successes` good probes in a row, or open again, each time for longer.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from pipeline.settings import BreakerSettings

LONGEST_MS = 86_400_000  # no breaker is open for longer than a day, whatever a server or a jumping clock says


class BreakerState(StrEnum):
    """As the `breakers` table holds it."""

    CLOSED = "closed"
    OPEN = "open"  # nobody asks before `probe_at`
    HALF_OPEN = "half_open"  # one probe is out; the next may follow at `probe_at` should it never come back


class Breaker(msgspec.Struct, frozen=True, kw_only=True):
    """One host's or provider's breaker. Times are wall ms, so that they survive a restart."""

    name: str  # "host:example.org", "host:example.org:8080", "provider:wayback"
    state: BreakerState = BreakerState.CLOSED
    failures: int = 0  # in a row
    successes: int = 0  # good probes in a row
    opens: int = 0  # times it opened without closing in between
    opened_at: int | None = None
    probe_at: int | None = None
    reason: str = ""  # what the last failure was, or who asked us to wait

    @property
    def is_fresh(self) -> bool:
        """Nothing to remember: as if it had never been used."""
        return self.state is BreakerState.CLOSED and self.failures == 0


def admit(breaker: Breaker, now: int, *, probe_ms: int) -> Breaker | None:
    """The breaker after letting one request through, or None when it has to wait until `probe_at`.

    A probe that is not heard of again within `probe_ms` is taken for lost, and another is let through.
    """
    breaker = _on_this_clock(breaker, now)
    if breaker.state is BreakerState.CLOSED:
        return breaker
    if breaker.probe_at is not None and now < breaker.probe_at:
        return None
    return msgspec.structs.replace(breaker, state=BreakerState.HALF_OPEN, probe_at=now + probe_ms)


def wait_ms(breaker: Breaker, now: int) -> int:
    """How long until the next probe may go."""
    breaker = _on_this_clock(breaker, now)
    return 0 if breaker.probe_at is None else max(0, breaker.probe_at - now)


def good(breaker: Breaker, now: int, settings: BreakerSettings) -> Breaker:
    """After an answer that was one."""
    if breaker.state is not BreakerState.HALF_OPEN:
        # Of a request that began before it opened: one late answer does not make it well.
        return breaker if breaker.state is BreakerState.OPEN or breaker.is_fresh else Breaker(name=breaker.name)
    if breaker.successes + 1 >= settings.successes:
        return Breaker(name=breaker.name)
    return msgspec.structs.replace(breaker, successes=breaker.successes + 1, probe_at=now)


def bad(breaker: Breaker, now: int, reason: str, settings: BreakerSettings) -> Breaker:
    """After a failure."""
    failures = breaker.failures + 1
    if breaker.state is BreakerState.OPEN or (breaker.state is BreakerState.CLOSED and failures < settings.failures):
        return msgspec.structs.replace(breaker, failures=failures, reason=reason)
    seconds = min(settings.cap_seconds, settings.open_seconds * 2 ** min(breaker.opens, 16))
    return _opened(breaker, now, round(seconds * 1000), reason, failures=failures)


def hold(breaker: Breaker, now: int, milliseconds: int, reason: str) -> Breaker:
    """After the other side asked to be left alone for so long (Retry-After). Never shortens a wait."""
    wanted = min(milliseconds, LONGEST_MS)
    if breaker.state is BreakerState.OPEN and wait_ms(breaker, now) >= wanted:
        return breaker
    return _opened(breaker, now, wanted, reason, failures=breaker.failures)


def release(breaker: Breaker, now: int) -> Breaker:
    """After a probe that was cut off by us: the next one may go at once."""
    return msgspec.structs.replace(breaker, probe_at=now) if breaker.state is BreakerState.HALF_OPEN else breaker


def _opened(breaker: Breaker, now: int, milliseconds: int, reason: str, *, failures: int) -> Breaker:
    return msgspec.structs.replace(
        breaker,
        state=BreakerState.OPEN,
        failures=failures,
        successes=0,
        opens=breaker.opens + 1,
        opened_at=now,
        probe_at=now + min(milliseconds, LONGEST_MS),
        reason=reason,
    )


def _on_this_clock(breaker: Breaker, now: int) -> Breaker:
    """Wall time may have been set back: then the wait begins anew instead of lasting until the old time returns."""
    if breaker.opened_at is None or breaker.probe_at is None or now >= breaker.opened_at:
        return breaker
    wait = min(max(0, breaker.probe_at - breaker.opened_at), LONGEST_MS)
    return msgspec.structs.replace(breaker, opened_at=now, probe_at=now + wait)
