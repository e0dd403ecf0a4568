"""The world's two clocks. Both follow trio's, which jumps; the wall may be set wrong, a reboot sets the other to 0."""

from __future__ import annotations

import trio

BIRTH_MS = 1_790_000_000_000
DAY = 86_400.0
HOUR = 3_600.0
MINUTE = 60.0


class WorldClock:
    """pipeline.clock.Clock for every role of the world."""

    def __init__(self) -> None:
        self.wrong_ms = 0  # how far the wall clock is off
        self._booted = 0.0

    def now(self) -> float:
        """Seconds since the world began: the truth, which no role knows."""
        return trio.current_time()

    def wall_ms(self) -> int:
        return BIRTH_MS + round(self.now() * 1000) + self.wrong_ms

    def monotonic(self) -> float:
        return self.now() - self._booted

    def reboot(self) -> None:
        self._booted = self.now()


class SteadyClock:
    """The same for a role that lives on through the reboots of its machine: only the api of this world does."""

    def __init__(self, clock: WorldClock) -> None:
        self._clock = clock

    def wall_ms(self) -> int:
        return self._clock.wall_ms()

    def monotonic(self) -> float:
        return self._clock.now()
