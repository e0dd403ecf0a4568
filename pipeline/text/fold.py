"""Folding makes texts and queries comparable: case, diacritics, ligatures, full-width forms, invisible characters.

Character by character, so that a place in the folded text has a place in the original. It goes further than SQLite's
`unicode61 remove_diacritics 2`, which keeps ß, ligatures and every script but Latin as they are.
"""

from __future__ import annotations

import bisect
import itertools
import re
import unicodedata
from typing import Final

# Accents, Hebrew points, Arabic vowels and tatweel, soft hyphens, joiners and direction marks, variation selectors.
_DROPPED: Final = re.compile(
    "[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670"
    "\u00ad\u1ab0-\u1aff\u1dc0-\u1dff\u200c-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\u20d0-\u20ff\ufe00-\ufe0f"
    "\ufe20-\ufe2f\ufeff]"
)
# All but common lower-case letters that are their own fold: looking those up one by one would take most of the time.
_CHANGING: Final = re.compile(
    "[^\x00-\x7f\u0430-\u0438\u043a-\u044f\u05d0-\u05ea\u0627-\u063f\u0641-\u064a\u2010\u2012-\u2016\u2018-\u2023"
    "\u3001-\u3003\u3041-\u3096\u30a1-\u30fe\u4e00-\u9fff\uac00-\ud7a3]+"
)
_KNOWN: Final = 20_000  # folded characters remembered
_BLOCK: Final = 4096


class _Table(dict[int, str]):
    """Each character's fold, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        plain = unicodedata.normalize("NFKD", chr(code).casefold())
        folded = unicodedata.normalize("NFC", _DROPPED.sub("", plain).casefold())
        if len(self) < _KNOWN:
            self[code] = folded
        return folded


_TABLE: Final = _Table()


def fold(text: str) -> str:
    """`text` ready for comparing. Idempotent."""
    lower = text.lower()
    return lower if lower.isascii() else _CHANGING.sub(lambda found: found[0].translate(_TABLE), lower)


class Folded:
    """A text, its fold, and the way back from a place in the fold. Linear to make; `text` is folded block by block."""

    def __init__(self, original: str) -> None:
        self.original = original
        blocks = [fold(original[at : at + _BLOCK]) for at in range(0, len(original), _BLOCK)]
        self.text = "".join(blocks)
        self._starts = [0, *itertools.accumulate(map(len, blocks))]
        self._ends: dict[int, list[int]] = {}  # of the blocks asked about: where each character's fold ends

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """The characters of the original whose fold covers `start:end`, with the marks that follow them."""
        first = self._character(start)
        last = self._character(end - 1) + 1 if end > start else first
        while last < len(self.original) and not fold(self.original[last]):
            last += 1
        return first, last

    def _character(self, place: int) -> int:
        """The index of the original's character that gave the folded one at `place`."""
        block = bisect.bisect_right(self._starts, place) - 1
        if block not in self._ends:
            characters = self.original[block * _BLOCK : (block + 1) * _BLOCK]
            self._ends[block] = list(itertools.accumulate(len(fold(character)) for character in characters))
        character = block * _BLOCK + bisect.bisect_right(self._ends[block], place - self._starts[block])
        return min(character, len(self.original))  # the end of the text is a place too
