"""Sketches: 128 numbers of which two texts share as many as they share of their words in order (MinHash).

A sketch is a byte that says how it was made and 128 unsigned numbers of four bytes, little-endian. Those of different
making are not compared.
"""

from __future__ import annotations

import array
import hashlib
import sys
from collections.abc import Sequence
from typing import Final

PERMUTATIONS: Final = 128
# 32 bands of 4 numbers: two texts meet in a band with probability 1 - (1 - s**4)**32 when their likeness is s.
# That is 0.23 at 0.3, 0.87 at 0.5, 0.99 at 0.6 (Broder; Leskovec, Rajaraman & Ullman, section 3.4).
BANDS: Final = 32
_BAND_BYTES: Final = 4 * PERMUTATIONS // BANDS


def sketch_of(made: int, numbers: Sequence[int]) -> bytes:
    """A sketch of 128 numbers below 2**32; `made` (0 to 255) tells how."""
    assert len(numbers) == PERMUTATIONS
    packed = array.array("I", numbers)
    if sys.byteorder == "big":
        packed.byteswap()
    return bytes([made]) + packed.tobytes()


def bands(sketch: bytes) -> tuple[int, ...]:
    """32 numbers of 64 bits (signed, as SQLite keeps them); alike texts have some of them in common."""
    return tuple(
        int.from_bytes(
            hashlib.blake2b(
                sketch[at : at + _BAND_BYTES], digest_size=8, salt=at.to_bytes(2, "little") + sketch[:1]
            ).digest(),
            "little",
            signed=True,
        )
        for at in range(1, len(sketch), _BAND_BYTES)
    )


def likeness(one: bytes, other: bytes) -> float:
    """The estimated share of three-word runs in common (Jaccard), 0 to 1, with a standard error of at most 0.045."""
    if one[:1] != other[:1]:
        return 0.0
    pairs = zip(memoryview(one[1:]).cast("I"), memoryview(other[1:]).cast("I"), strict=True)
    return sum(mine == theirs for mine, theirs in pairs) / PERMUTATIONS
