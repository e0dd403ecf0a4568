"""A bounded mailbox of one actor. It belongs to the pipeline and not to the actor, so a crash there never closes it.

What lies in it is only leased: the row in the database is the item, the mailbox never holds the sole copy.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio

from pipeline.work import Claim


class Closed(Exception):
    """The mailbox was closed by us: the pipeline is stopping."""


class Mailbox:
    """Claims on their way to one actor, at most `capacity`."""

    def __init__(self, capacity: int, *, on_room: Callable[[], None] = lambda: None) -> None:
        self.capacity = capacity
        self._send, self._receive = anyio.create_memory_object_stream[Claim](capacity)
        self._on_room = on_room
        self._closed = False

    @property
    def depth(self) -> int:
        """Claims that wait in it."""
        return self._receive.statistics().current_buffer_used

    @property
    def room(self) -> int:
        """How many more it takes now."""
        if self._closed:
            return 0
        figures = self._receive.statistics()
        idle = min(figures.tasks_waiting_receive, self.capacity)
        return self.capacity - figures.current_buffer_used + idle - figures.tasks_waiting_send

    @property
    def hungry(self) -> bool:
        """At most half full: it is worth asking for more, because one claim then brings many rows."""
        return not self._closed and self.depth <= self.capacity // 2

    def offer(self, claim: Claim) -> bool:
        """Put a claim in without waiting; False when there is no room or it is closed."""
        if self._closed:
            return False
        try:
            self._send.send_nowait(claim)
        except anyio.WouldBlock:
            return False
        return True

    async def send(self, claim: Claim, seconds: float) -> bool:
        """Put a claim in, waiting for room at most `seconds`. False when there was none, or it is closed."""
        try:
            with anyio.move_on_after(seconds):
                await self._send.send(claim)
                return True
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            return False
        return False

    async def receive(self) -> Claim:
        """The next claim. Raises Closed once the mailbox is closed. Cancelled: no claim is lost."""
        try:
            claim = await self._receive.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError) as error:
            raise Closed from error
        if self.hungry:
            self._on_room()
        return claim

    def close(self) -> list[Claim]:
        """Take no more, wake whoever waits. Returns what was still in it: its leases are the caller's to return."""
        self._closed = True
        left: list[Claim] = []
        for _ in range(self.capacity + 1):
            try:
                left.append(self._receive.receive_nowait())
            except (anyio.WouldBlock, anyio.EndOfStream, anyio.ClosedResourceError):
                break
        self._send.close()  # wakes who waits for a claim
        self._receive.close()  # wakes who waits for room
        return left
