"""Scripts written without spaces: their characters are set apart, so that SQLite's `unicode61` sees each as a word.

Then a query of one or two characters finds its documents, and a longer one is a phrase.
"""

from __future__ import annotations

import re
from typing import Final

from pipeline.text.fold import fold

# Inside of a regular expression's class: Han with all extensions, kana (also half width), bopomofo and Hangul,
# then Thai, Lao, Burmese and Khmer letters, which no spaces divide into words either.
SPACELESS: Final = (
    "\u1100-\u11ff\u2e80-\u2fd5\u3005-\u3007\u3021-\u3029\u3031-\u3035\u303b\u303c\u3041-\u3096\u309d-\u309f"
    "\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f\u3131-\u318e\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua960-\ua97f\uac00-\ud7a3\ud7b0-\ud7ff\uf900-\ufaff\uff66-\uff9f\uffa0-\uffdc"
    "\U0001aff0-\U0001b16f\U00020000-\U0003ffff"
    "\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46\u0e81-\u0eb0\u0eb2\u0eb3\u0ebd-\u0ec6\u1000-\u102a\u103f\u1780-\u17b3"
)

_WORD: Final = re.compile(f"[{SPACELESS}]|[^\\W_{SPACELESS}]+")
_RUN: Final = re.compile(f"[{SPACELESS}]+")


def space_out(text: str) -> str:
    """`text` with spaces round every such character. Texts without any come back as they are."""
    return text if text.isascii() else _RUN.sub(lambda run: f" {' '.join(run[0])} ", text)


def searchable(text: str) -> str:
    """What is written to the index for `text`."""
    return space_out(fold(text))


def words(text: str) -> tuple[str, ...]:
    """The words that the index sees in `text`; none for punctuation alone."""
    return tuple(_WORD.findall(fold(text)))
