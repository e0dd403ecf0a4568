"""How close an extracted text comes to the expected one: F1 over bags of words."""

from __future__ import annotations

import re
from collections import Counter

from lxml import html


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", text.lower()))


def word_f1(text: str, expected: str) -> float:
    """The harmonic mean of precision and recall, words counted as often as they stand: 0 to 1."""
    got, wanted = words(text), words(expected)
    common = (got & wanted).total()
    return 2 * common / (got.total() + wanted.total()) if common else 0.0


def text_of(page: str) -> str:
    """The text of an HTML page as it stands, without a word about blocks: the measure of the 0.913 in facts.md."""
    return str(html.fromstring(page).text_content())


def same_title(title: str | None, expected: str | None) -> bool:
    """Equal but for white space."""
    return " ".join((title or "").split()) == " ".join((expected or "").split())
