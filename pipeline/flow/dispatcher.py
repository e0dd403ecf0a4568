"""The dispatcher: claims only as many rows as there is room for in memory; the rest stays in the database.

It sleeps until somebody rings (a save, a retry put back, room in a mailbox that had been filled), until the next
waiting row is due, or at last for the fallback interval: a doorbell is a hint and may be lost.
"""

from __future__ import annotations

from collections.abc import Mapping

import anyio

from observability.log import Logger
from pipeline import errors
from pipeline.clock import Clock
from pipeline.flow import telling
from pipeline.flow.leases import Held
from pipeline.flow.mailbox import Mailbox
from pipeline.flow.pulse import Pulse
from pipeline.store.queue import QueueStore
from pipeline.work import Claim

FALLBACK_SECONDS = 30.0
LEAST_SLEEP_SECONDS = 0.02  # between two claims when nothing but time has passed
PAUSE_SECONDS = 2.0  # when the store cannot be written to
GRACE_SECONDS = 30.0


class Dispatcher:
    """Fills the mailboxes of all actors from the queue."""

    def __init__(
        self,
        queue: QueueStore,
        mailboxes: Mapping[int, Mailbox],
        held: Held,
        *,
        boot: str,
        clock: Clock,
        log: Logger,
        fallback_seconds: float = FALLBACK_SECONDS,
    ) -> None:
        self._queue = queue
        self._mailboxes = mailboxes
        self._held = held
        self._boot = boot
        self._clock = clock
        self._log = log
        self._fallback = fallback_seconds
        self._bell = anyio.Event()
        self._left: frozenset[int] = frozenset()  # the actors that the last claim left rows behind for
        self._item_left = False  # an item has left the queue since the last claim
        self._queue_full = False  # nothing is ready and rows are deferred: each that leaves the queue lets one in
        self.paused = False  # the store took no write at the last try

    def ring(self) -> None:
        """There may be something to claim. Cheap, never blocks, may be called by anyone on this loop."""
        self._bell.set()

    def room_made(self, hundred: int) -> None:
        """A mailbox has room again; worth a claim only when the last one left rows behind for it."""
        if hundred in self._left:
            self._bell.set()

    def item_left(self) -> None:
        """An item has left the queue; worth a claim only when that lets in one that waits for room there."""
        self._item_left = True
        if self._queue_full:
            self._bell.set()

    async def run(self, pulse: Pulse) -> None:
        """Claim and sleep until cancelled."""
        while True:
            pulse.expect(self._fallback + GRACE_SECONDS)
            self._bell, self._item_left = anyio.Event(), False
            try:
                wait = await self._wait_seconds() if await self._fill() else self._wait_for_room()
                self.paused = False
            except errors.TAKES_NO_WRITE:
                # Saves fail for the same reason; what is claimed goes on, nothing new is begun.
                self.paused = True
                wait = PAUSE_SECONDS
            with anyio.move_on_after(wait):
                await self._bell.wait()

    async def _fill(self) -> bool:
        """Claim once; False when no mailbox had room and nothing was asked."""
        room = {hundred: box.room for hundred, box in self._mailboxes.items()}
        if not any(places > 0 for places in room.values()):
            return False
        began = self._clock.monotonic()
        claimed = await self._queue.claim(room, boot=self._boot)
        took, now = self._clock.monotonic() - began, self._clock.wall_ms()
        refused: list[Claim] = []
        for claim in (telling.claimed(each, took, now, self._log) for each in claimed):
            hundred = claim.stage - claim.stage % 100
            self._held.add(claim)
            if not self._mailboxes[hundred].offer(claim):
                refused.append(claim)
        if refused:
            await self._give_back(refused)
        return True

    def _wait_for_room(self) -> float:
        """Rows may be left for every actor; whichever mailbox has room first is worth a claim."""
        self._left = frozenset(self._mailboxes)
        return self._fallback

    async def _give_back(self, refused: list[Claim]) -> None:
        """Forwarded items were faster than these: their places are taken."""
        for claim in refused:
            self._held.drop(claim)
        await self._queue.release([claim.lease_token for claim in refused])

    async def _wait_seconds(self) -> float:
        outlook = await self._queue.outlook()
        self._left = outlook.ready
        self._queue_full = outlook.deferred and not outlook.ready
        if any(hundred in self._left and box.hungry for hundred, box in self._mailboxes.items()):
            return 0.0  # room was made while we looked
        if self._queue_full and self._item_left:
            return 0.0  # and so here, in the queue
        if outlook.next_due is None:
            return self._fallback
        until = (outlook.next_due - self._clock.wall_ms()) / 1000
        return min(max(until, LEAST_SLEEP_SECONDS), self._fallback)
