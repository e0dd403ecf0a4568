"""The heartbeat of one task: says when its next beat is due, so that whoever watches can tell slow from stuck."""

from __future__ import annotations

import math
from collections.abc import Callable

import anyio


class Pulse:
    """Set by the task that works, read by the supervisor of that task. Nothing is expected until `expect` is called."""

    def __init__(self, now: Callable[[], float] = anyio.current_time) -> None:
        self._now = now
        self._within = math.inf
        self._due = math.inf
        self.stalled = False  # set by the supervisor before it cancels the task: the task was stuck, not stopped

    def expect(self, seconds: float) -> None:
        """The next beat must come within `seconds` from now, and each later one within as long of the one before."""
        self._within = seconds
        self._due = self._now() + seconds

    def beat(self) -> None:
        """There is progress: what is expected is counted from now."""
        self._due = self._now() + self._within

    def rest(self) -> None:
        """Nothing is expected until the next `expect`."""
        self._within = self._due = math.inf

    def overdue(self) -> bool:
        """Whether a beat was expected before now and did not come."""
        return self._now() > self._due

    def restarted(self) -> None:
        """The task starts afresh: nothing is expected of it yet."""
        self.rest()
        self.stalled = False
