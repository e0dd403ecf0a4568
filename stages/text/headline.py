"""A page's title when its metadata names none: the <title> element without the site's name, or the one heading.

The rule is that of Mozilla's Readability (Readability.js, _getArticleTitle), which readers' views have been judged by
for years.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_SEPARATOR: Final = re.compile(r"\s[|\-\u2013\u2014\\/>\u00bb]\s")
_HIERARCHY: Final = re.compile(r"\s[\\/>\u00bb]\s")
_CHARS_MAX: Final = 500


def headline(element: str, headings: Sequence[str], first: Sequence[str]) -> str | None:
    """`element`: the <title>; `headings`: all h1 and h2; `first`: the h1 alone. None when nothing is there."""
    whole = " ".join(element[:_CHARS_MAX].split())
    title = whole
    hierarchy = False
    if cuts := list(_SEPARATOR.finditer(whole)):
        hierarchy = bool(_HIERARCHY.search(whole))
        title = whole[: cuts[-1].start()]
        if len(title.split()) < 3:
            title = whole[cuts[0].end() :]
    elif ": " in whole:
        title = _without_prefix(whole, headings)
    elif (len(whole) > 150 or len(whole) < 15) and len(first) == 1:
        title = first[0]
    title = " ".join(title.split())
    if len(title.split()) <= 4 and not _cut_one_word(title, whole, hierarchy):
        title = whole
    return title or (first[0] if first else None)


def _without_prefix(whole: str, headings: Sequence[str]) -> str:
    if whole in headings:
        return whole
    title = whole.rpartition(":")[2]
    if len(title.split()) < 3:
        return whole.partition(":")[2]
    return whole if len(whole.partition(":")[0].split()) > 5 else title


def _cut_one_word(title: str, whole: str, hierarchy: bool) -> bool:
    """A short title is only trusted where a path of names ("Section / Site") lost exactly one word."""
    words = len(re.sub(r"[|\-\u2013\u2014\\/>\u00bb]+", "", whole).split())
    return hierarchy and len(title.split()) == words - 1
