"""Pace per host: how many requests at once one host and port gets from us, and how fast they follow each other.

A host is remembered only while somebody uses it or waits for it, and for the moment that its bucket takes to fill
again, so memory is bounded by the callers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import anyio

from pipeline.errors import RateLimited
from stages.net.pace import Pace

WAIT_SECONDS: Final = 20.0  # for a turn; then the caller comes back later, at no cost to the item
AGAIN_SECONDS: Final = 5.0
WAITING_LEAST: Final = 8  # callers that may wait for one host, or twice as many as are let in at once
# How long a caller may wait for the rate alone: whoever waits keeps a slot that another host could use.
PATIENCE_SECONDS: Final = 5.0


class _Turns:
    __slots__ = ("semaphore", "users")

    def __init__(self, limit: int) -> None:
        self.semaphore = anyio.Semaphore(limit)  # first come, first served
        self.users = 0


class Hosts:
    """Turns at hosts. Cancel-safe: a waiter that gives up takes no turn with it."""

    def __init__(
        self,
        per_host: int,
        *,
        per_second: float,
        burst: int,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self._limit = per_host
        self._interval = 1.0 / per_second
        self._burst = burst
        self._waiting = max(WAITING_LEAST, 2 * per_host)
        self._wait = wait_seconds
        self._turns: dict[str, _Turns] = {}
        self._pace = Pace()

    def __len__(self) -> int:
        """How many hosts are in use or waited for."""
        return len(self._turns)

    @asynccontextmanager
    async def turn(self, place: str) -> AsyncIterator[None]:
        """Hold one of the turns at a host ("example.org", "example.org:8080"). RateLimited when none came up in time,
        or when too many are waiting already: they keep slots that other hosts could use."""
        turns = self._turns.setdefault(place, _Turns(self._limit))
        turns.users += 1
        try:
            if turns.users > self._limit + self._waiting:
                raise self._crowded(place, f"and {self._waiting} more are waiting")
            with anyio.move_on_after(self._wait) as waiting:
                await turns.semaphore.acquire()
            if waiting.cancelled_caught:
                raise self._crowded(place, f"and none ended in {self._wait:g} s")
            try:
                await self._in_time(place)
                yield
            finally:
                turns.semaphore.release()
        finally:
            turns.users -= 1
            if turns.users == 0:
                del self._turns[place]

    async def _in_time(self, place: str) -> None:
        now = anyio.current_time()
        wait = self._pace.take(
            place, now, interval=self._interval, burst=self._burst, patience=min(self._wait, PATIENCE_SECONDS)
        )
        if wait > 0:
            await anyio.sleep(wait)

    def _crowded(self, place: str, why: str) -> RateLimited:
        return RateLimited(
            f"{self._limit} requests to {place} are under way {why}",
            retry_after=self._pace.later(place, anyio.current_time(), interval=self._interval, wait=AGAIN_SECONDS),
            hint="It is tried again by itself; `[net] per_host` says how many a host gets at once.",
        )
