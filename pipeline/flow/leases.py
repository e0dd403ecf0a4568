"""Leases: what this process holds is renewed; what it lost track of runs out and becomes ready again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import anyio

from pipeline import errors
from pipeline.flow.pulse import Pulse
from pipeline.store.queue import QueueStore
from pipeline.work import Claim


class Held:
    """The leases that this process knows it holds. Bounded by mailboxes and slots, which hold the claims themselves."""

    def __init__(self) -> None:
        self._tokens: dict[str, Claim] = {}

    def __len__(self) -> int:
        return len(self._tokens)

    def add(self, claim: Claim) -> None:
        self._tokens[claim.lease_token] = claim

    def drop(self, claim: Claim) -> None:
        self._tokens.pop(claim.lease_token, None)

    def tokens(self) -> tuple[str, ...]:
        return tuple(self._tokens)

    def forget(self, tokens: frozenset[str]) -> None:
        for token in tokens:
            self._tokens.pop(token, None)


class LeaseKeeper:
    """Renews three times within a lease, so that two missed rounds lose nothing."""

    def __init__(
        self, queue: QueueStore, held: Held, *, boot: str, lease_seconds: float, ring: Callable[[], None]
    ) -> None:
        self._queue = queue
        self._held = held
        self._boot = boot
        self._every = lease_seconds / 3
        self._ring = ring

    async def run(self, pulse: Pulse) -> None:
        """Renew and expire until cancelled."""
        while True:
            pulse.expect(self._every + 30)
            await anyio.sleep(self._every)
            with contextlib.suppress(*errors.TAKES_NO_WRITE):
                await self.round()  # a missed round loses nothing: leases are renewed before any is called expired

    async def round(self) -> None:
        """Renew once, expire once."""
        tokens = self._held.tokens()
        if tokens:
            self._held.forget(await self._queue.renew(tokens))
        if await self._queue.expire(boot=self._boot):
            self._ring()
