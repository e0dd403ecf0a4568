"""Spells of bad weather: spans of time in which something is not as it should be."""

from __future__ import annotations

from bisect import bisect_right
from random import Random


class Spells:
    def __init__(self, dice: Random, until: float, *, every: float, lasting: tuple[float, float]) -> None:
        self.spans: list[tuple[float, float]] = []
        at = dice.expovariate(1 / every)
        while at < until:
            end = at + dice.uniform(*lasting)
            self.spans.append((at, end))
            at = end + dice.expovariate(1 / every)

    def now(self, at: float) -> bool:
        place = bisect_right(self.spans, (at, float("inf"))) - 1
        return place >= 0 and self.spans[place][1] > at
