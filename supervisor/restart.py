"""When a crashed child is started again: a budget of crashes in a time, and a back-off with full jitter. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import msgspec

# Doubling stops here, long past any cap, so that a very long streak cannot overflow a float.
_MOST_DOUBLINGS = 30


class RestartPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """At most `max_restarts` in any `within` seconds. Give each level of a tree its own figures: levels multiply."""

    max_restarts: int
    within: float
    base: float = 0.1
    cap: float = 5.0

    def decide(
        self, budget: Sequence[float], streak: Sequence[float], random: Callable[[], float], *, now: float
    ) -> float | None:
        """Seconds to wait before the restart, or None: give up.

        Times of crashes in seconds that only grow, oldest first, this one included: `budget` those of all children
        under the policy, `streak` those of the crashed child. `random` gives 0 <= x < 1.
        """
        if sum(now - at <= self.within for at in budget) > self.max_restarts:
            return None
        return random() * self.ceiling(streak)

    def ceiling(self, streak: Sequence[float]) -> float:
        """The longest back-off after these crashes: doubled with each one, afresh after a quiet `within`."""
        doublings = 0
        for earlier, later in pairwise(streak):
            doublings = doublings + 1 if later - earlier <= self.within else 0
        return min(self.cap, self.base * 2.0 ** min(doublings, _MOST_DOUBLINGS))
