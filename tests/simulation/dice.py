"""Where the world's randomness comes from: a stream of its own for everyone, all from one seed.

With streams of their own, a person who saves once more does not change what the hosts do.
"""

from __future__ import annotations

from random import Random


class Dice:
    def __init__(self, seed: int) -> None:
        self._seed = seed

    def stream(self, name: str) -> Random:
        return Random(f"{self._seed}/{name}")  # text is hashed by its bytes and not by PYTHONHASHSEED
