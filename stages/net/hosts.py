"""Pace per host: how many requests at once one host and port gets from us.

A host is remembered only while somebody uses it or waits for it, so memory is bounded by the callers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import anyio

from pipeline.errors import RateLimited

WAIT_SECONDS: Final = 20.0  # for a turn; then the caller comes back later, at no cost to the item
AGAIN_SECONDS: Final = 15.0


class _Turns:
    __slots__ = ("semaphore", "users")

    def __init__(self, limit: int) -> None:
        self.semaphore = anyio.Semaphore(limit)  # first come, first served
        self.users = 0


class Hosts:
    """Turns at hosts. Cancel-safe: a waiter that gives up takes no turn with it."""

    def __init__(self, per_host: int, *, wait_seconds: float = WAIT_SECONDS) -> None:
        self._limit = per_host
        self._wait = wait_seconds
        self._turns: dict[tuple[str, int], _Turns] = {}

    def __len__(self) -> int:
        """How many hosts are in use or waited for."""
        return len(self._turns)

    @asynccontextmanager
    async def turn(self, host: str, port: int) -> AsyncIterator[None]:
        """Hold one of the host's turns. RateLimited when none came up in time."""
        key = (host, port)
        turns = self._turns.setdefault(key, _Turns(self._limit))
        turns.users += 1
        try:
            with anyio.move_on_after(self._wait) as waiting:
                await turns.semaphore.acquire()
            if waiting.cancelled_caught:
                raise RateLimited(
                    f"{self._limit} requests to {host} are under way and none ended in {self._wait:g} s",
                    retry_after=AGAIN_SECONDS,
                    hint="It is tried again by itself; `[net] per_host` says how many a host gets at once.",
                )
            try:
                yield
            finally:
                turns.semaphore.release()
        finally:
            turns.users -= 1
            if turns.users == 0:
                del self._turns[key]
