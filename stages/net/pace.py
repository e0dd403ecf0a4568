"""How fast requests may follow each other: a token bucket for each place, told by one number. Pure."""

from __future__ import annotations

from typing import Final

from pipeline.errors import RateLimited

SWEEP_SECONDS: Final = 60.0  # between two looks for buckets that are full again
LATER_MOST: Final = 3600.0  # no one is told to come back later than this


class Pace:
    """Buckets by key. A bucket that is full again is forgotten, so memory is bounded by what was asked in a minute.

    A bucket is the time at which it will be full (the generic cell rate algorithm): a request moves that on by one
    interval, and may go when that is no more than `burst` intervals ahead. Times are seconds of the caller's clock.
    """

    def __init__(self) -> None:
        self._full_at: dict[str, float] = {}
        self._later: dict[str, float] = {}  # the time that the last one that was sent away was given
        self._sweep_at = 0.0

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: str, now: float, *, interval: float, burst: int, patience: float) -> float:
        """Take a place in the row; the seconds until it comes up, at most `patience`.

        RateLimited, and no place taken, when that is too long; those sent away come back one after the other.
        """
        self._sweep(now)
        full_at = max(now, self._full_at.get(key, now))
        wait = max(0.0, full_at - (burst - 1) * interval - now)
        if wait > patience:
            raise RateLimited(
                f"{key} gets no more than a request every {interval:g} s and {burst} at once",
                retry_after=self.later(key, now, interval=interval, wait=wait),
                hint="It is tried again by itself; `[net] per_host_per_second` and robots.txt say how often.",
            )
        self._full_at[key] = full_at + interval
        return wait

    def later(self, key: str, now: float, *, interval: float, wait: float = 0.0) -> float:
        """Seconds until one that is sent away should come back: `wait`, and after the one that was sent away before."""
        self._later[key] = later = max(now + wait, self._later.get(key, 0.0)) + interval
        return min(later - now, LATER_MOST)

    def _sweep(self, now: float) -> None:
        if now < self._sweep_at:
            return
        self._sweep_at = now + SWEEP_SECONDS
        self._full_at = {key: full_at for key, full_at in self._full_at.items() if full_at > now}
        self._later = {key: later for key, later in self._later.items() if later > now}
