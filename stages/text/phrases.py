"""Key phrases of a text: runs of up to three words that carry meaning, by how often and how early they stand.

The idea is RAKE's (Rose et al., 2010): stop words and punctuation are the borders of phrases. Names, which are
capitalised, count more. Chinese and Japanese have no word borders; there, runs of characters that
repeat are taken, the longest form of each. Linear in the text, of which the first CHARS_MAX characters are read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Final

CHARS_MAX: Final = 16_000  # about 2,700 words; what an article is about stands at its beginning
COUNT: Final = 8
LONGEST: Final = 3
_TOKEN: Final = re.compile(r"\w+(?:['\u2019\-]\w+)*|[^\w\s]|\n")
_OWNED: Final = ("'s", "\u2019s")
_KANA: Final = re.compile("[\u30a1-\u30fa\u30fc]{3,20}")
_HAN: Final = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]{2,}")
_LATIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9\-]+(?: [A-Za-z][A-Za-z0-9\-]+){0,2}")
# Characters that hold Chinese and Japanese sentences together; no phrase begins or ends with one.
_GLUE: Final = frozenset(
    "的了是在和有不这那就也都而及与或一个为以于上下中人我你他她它们到说要会可能对被把从向其之所者等但并将还很更最没去来时年月日"
)


def phrases(text: str, *, stop: Collection[str], cjk: bool) -> tuple[str, ...]:
    """Up to eight phrases, best first, as they are first written in the text."""
    start = text[:CHARS_MAX]
    counts, first, shown = _counted(_cjk_runs(start) if cjk else _word_runs(start, stop))
    if cjk:
        _keep_longest(counts)
    size = max(1, len(start))
    least = 2 if sum(counts.values()) > 60 else 1
    scores = {
        key: count
        * (1 + 0.4 * _length(key, cjk))
        * (1.5 - first[key] / size)
        * (1.3 if shown[key][:1].isupper() else 1.0)
        for key, count in counts.items()
        if count >= least
    }
    chosen: list[str] = []
    for best in sorted(scores, key=lambda key: (-scores[key], first[key])):
        key = best if cjk else _fuller(best, counts, scores)
        if not any(_within(key, other, cjk) for other in chosen):
            chosen.append(key)
        if len(chosen) == COUNT:
            break
    return tuple(shown[key] for key in chosen)


def _keep_longest(counts: Counter[str]) -> None:
    """Drop what stands (nearly) only within something longer: two characters of a name of three."""
    for key, count in list(counts.items()):
        for part in (key[:-1], key[1:]):
            if len(key) > 2 and counts[part] <= count * 1.3 and count > 1:
                del counts[part]


def _fuller(key: str, counts: Counter[str], scores: Collection[str]) -> str:
    """The whole of a name that is mostly cut short: "Ada Lovelace" where later only "Lovelace" stands."""
    if " " in key:
        return key
    whole = [other for other in scores if " " in other and key in other.split() and counts[other] >= 0.3 * counts[key]]
    return max(whole, key=lambda other: (counts[other], -len(other)), default=key)


def _length(key: str, cjk: bool) -> int:
    return min(3, len(key) - 1) if cjk else len(key.split())


def _within(key: str, other: str, cjk: bool) -> bool:
    """Whether one of two phrases is (partly) the other: "Facebook users" says "Facebook", too."""
    if cjk:
        return any(key[at : at + 2] in other for at in range(len(key) - 1))
    return bool(set(key.split()) & set(other.split()))


def _counted(found: Iterator[tuple[str, int]]) -> tuple[Counter[str], dict[str, int], dict[str, str]]:
    counts: Counter[str] = Counter()
    first: dict[str, int] = {}
    shown: dict[str, str] = {}
    for phrase, at in found:
        key = phrase.lower()
        counts[key] += 1
        first.setdefault(key, at)
        shown.setdefault(key, phrase)
    return counts, first, shown


def _word_runs(text: str, stop: Collection[str]) -> Iterator[tuple[str, int]]:
    run: list[tuple[str, int]] = []
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word.endswith(_OWNED):
            word = word[:-2]
        if len(word) > 2 and word[0].isalpha() and word.lower() not in stop:
            run.append((word, token.start()))
        elif run:
            yield from _parts(run)
            run = []
    yield from _parts(run)


def _parts(run: list[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    for start, (first, at) in enumerate(run):
        phrase = first
        if len(first) > 3:
            yield phrase, at
        for word, _ in run[start + 1 : start + LONGEST]:
            phrase = f"{phrase} {word}"
            yield phrase, at


def _cjk_runs(text: str) -> Iterator[tuple[str, int]]:
    for pattern in (_KANA, _LATIN):
        for found in pattern.finditer(text):
            yield found[0], found.start()
    for found in _HAN.finditer(text):
        run = found[0]
        for start in range(len(run)):
            for length in (2, 3, 4):
                part = run[start : start + length]
                if len(part) == length and part[0] not in _GLUE and part[-1] not in _GLUE:
                    yield part, found.start() + start
