"""News from the other role: a long poll sleeps here until something was committed."""

from __future__ import annotations

import asyncio


class News:
    """A bell without memory: take `next()` first, look at the store, then wait. So no ring is missed."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.closed = False

    def ring(self) -> None:
        """Wake everyone who waits. Called in the loop's own thread when the worker's doorbell rings."""
        event, self._event = self._event, asyncio.Event()
        event.set()

    def next(self) -> asyncio.Event:
        """The event that the next ring sets."""
        return self._event

    def close(self) -> None:
        """The role is stopping: who waits answers with what there is, and nobody waits again."""
        self.closed = True
        self.ring()
