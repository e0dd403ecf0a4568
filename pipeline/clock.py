"""Time as an argument: wall time for what is stored, monotonic time for leases and durations.

Wall time may jump; nothing that decides who owns a row depends on it.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where the roles and the simulation differ."""

    def wall_ms(self) -> int:
        """Milliseconds since 1970 in UTC. May jump."""
        ...

    def monotonic(self) -> float:
        """Seconds that only grow, the same for all processes of one boot of the machine."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()
