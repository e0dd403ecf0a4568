"""The sketch of a text, by which almost the same texts find each other."""

from __future__ import annotations

import re
from itertools import islice
from typing import Final

from rensa import RMinHash

from pipeline.text.cjk import SPACELESS
from pipeline.text.sketch import PERMUTATIONS, sketch_of
from stages.text.normal import normalised

WORDS_LEAST: Final = 50  # below, a shared sentence would already be a likeness
WORDS_MOST: Final = 100_000  # the first of a book tell it from others
RUN: Final = 3  # words that stand together; of scripts without spaces a character counts as one
_SEED: Final = 1
_WORD: Final = re.compile(f"[{SPACELESS}]|[^\\W_{SPACELESS}]+")


def fingerprint(text: str) -> bytes | None:
    """The sketch; None for a text of fewer than 50 words. About 10 ms for 10,000 words."""
    words = _words(text, WORDS_MOST)
    if len(words) < WORDS_LEAST:
        return None
    minhash = RMinHash(num_perm=PERMUTATIONS, seed=_SEED)
    minhash.update([" ".join(run) for run in zip(*(words[start:] for start in range(RUN)), strict=False)])
    return sketch_of(RMinHash.ALGORITHM_VERSION, minhash.digest())


def counted(text: str, *, most: int) -> int:
    """How many words there are, counted up to `most`."""
    return len(_words(text, most))


def _words(text: str, most: int) -> list[str]:
    return [found[0] for found in islice(_WORD.finditer(normalised(text)), most)]
