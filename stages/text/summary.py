"""A summary of a text's own sentences: those whose words matter most to the whole, early ones first among equals.

Luhn's idea (1958) with today's usual corrections: word weights by document frequency within the text, sentences
normalised by length, a bonus for the beginning. Linear in the text; at most SENTENCES_MAX sentences are weighed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from typing import Final

SENTENCES_MAX: Final = 200
CHOSEN: Final = 3
SHORTEST: Final = 25  # characters; CJK sentences say the same in fewer
SHORTEST_CJK: Final = 8
LONGEST: Final = 600
# A Latin or Arabic mark needs a space or the end after it; a CJK mark does not.
_END: Final = re.compile(
    r"(?<=[.!?\u2026\u061f\u06d4\u0964])[\"'\u00bb\u201d\u2019)\]]{0,2}\s+|(?<=[\u3002\uff01\uff1f])(?![\u300d\u300f\u201d\u3002\uff01\uff1f])"
)
_ABBREVIATION: Final = re.compile(
    r"(?:\b[A-Z]|\b(?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|etc|e\.g|i\.e|bzw|usw|z\.B|No|Nr|Fig|Inc|Ltd))\.$"
)
_WHOLE: Final = re.compile(
    "[.!?\u2026\u061f\u06d4\u0964\u3002\uff01\uff1f][\"'\u00bb\u201d\u2019)\\]\u300d\u300f]{0,2}$"
)
_WORD: Final = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]|\w+")


def sentences(text: str, most: int = SENTENCES_MAX) -> list[str]:
    """The first sentences of a text, in order; a line break always ends one."""
    found: list[str] = []
    for line in text.split("\n"):
        held = ""
        for piece in _split(line[: LONGEST * 40]):
            held = f"{held} {piece}" if held else piece
            if len(held) < LONGEST and _ABBREVIATION.search(piece[-12:]):
                continue
            found.append(held)
            held = ""
        if held:
            found.append(held)
        if len(found) >= most:
            break
    return found[:most]


def _split(line: str) -> list[str]:
    pieces: list[str] = []
    at = 0
    for end in _END.finditer(line):
        pieces.append(line[at : end.end()].strip())
        at = end.end()
    pieces.append(line[at:].strip())
    return [piece for piece in pieces if piece]


def summary(text: str, *, stop: Collection[str], cjk: bool, title: str | None = None) -> str:
    """Up to three sentences in the order of the text; a text of less is its own summary."""
    shortest = SHORTEST_CJK if cjk else SHORTEST
    candidates = [line for line in sentences(text) if shortest <= len(line) <= LONGEST and line != title]
    candidates = list(dict.fromkeys(candidates))
    whole = [line for line in candidates if _WHOLE.search(line)]
    if len(whole) >= CHOSEN:  # else headings and list items have to do
        candidates = whole
    if len(candidates) > CHOSEN:
        scores = _scores(candidates, stop, title)
        best = sorted(range(len(candidates)), key=lambda place: -scores[place])[:CHOSEN]
        candidates = [candidates[place] for place in sorted(best)]
    return ("" if cjk else " ").join(candidates)


def _scores(candidates: list[str], stop: Collection[str], title: str | None) -> list[float]:
    words = [[word for word in _WORD.findall(line.lower()) if word not in stop] for line in candidates]
    weight = Counter(word for line in words for word in set(line))
    entitled = set(_WORD.findall(title.lower())) if title else set()
    scores: list[float] = []
    for place, line in enumerate(words):
        score = sum(weight[word] - 1 + (2 if word in entitled else 0) for word in set(line))
        scores.append(score / (10 + len(line)) * (1.0 + 1.0 / (1 + place)))
    return scores
