"""How many words a text has and how long reading it takes.

230 words a minute: Brysbaert, "How many words do we read per minute?" (2019) found 238 for English non-fiction. 500
characters a minute is what Medium counts for Chinese and Japanese ("Read time", its help pages).
"""

from __future__ import annotations

import re
from typing import Final

WORDS_A_MINUTE: Final = 230
CJK_A_MINUTE: Final = 500
# Han, kana and their extensions; Hangul is written with spaces and counted by words.
_CJK: Final = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]")
_WORD: Final = re.compile(r"\w+(?:['\u2019.\-]\w+)*")


def count(text: str) -> tuple[int, int]:
    """Words, and CJK characters: together they are the word count."""
    spaced, cjk = _CJK.subn(" ", text)
    return sum(1 for _ in _WORD.finditer(spaced)), cjk


def word_count(text: str) -> int:
    """Words of a text; every CJK character is one."""
    return sum(count(text))


def minutes(words: int, cjk: int) -> int:
    """Reading time in whole minutes, at least 1."""
    return max(1, round(words / WORDS_A_MINUTE + cjk / CJK_A_MINUTE))
