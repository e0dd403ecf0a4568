"""Snippets: the part of a text where most of what was sought stands together, cut from the original and marked.

Plain text, not HTML: whoever renders it escapes it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from pipeline.text.cjk import SPACELESS
from pipeline.text.fold import Folded
from pipeline.text.query import Words

_TRIES: Final = 40_000  # places looked at, for all needles together
_FOUND: Final = 2_000  # matches of one needle that are weighed
_NEEDLES: Final = 32
_MARKED_TITLE: Final = 2_000  # characters of a title
_WORD_SLACK: Final = 24  # how far a cut moves to stand between words

_SPACES: Final = re.compile(r"\s+")
_LETTER: Final = f"[^\\W_{SPACELESS}]"


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of text, as it is; not escaped."""

    text: str
    marked: bool


class _Span(msgspec.Struct, frozen=True, kw_only=True):
    """One match, in the folded text."""

    start: int
    end: int
    needle: int


def snippet(text: str, needles: Iterable[Words], width: int = 240) -> tuple[Segment, ...]:
    """About `width` characters of `text` round the most different needles, white space folded to one space.

    The start of the text when nothing is found. Linear in the text's length.
    """
    folded = Folded(text)
    spans = _spans(folded.text, needles)
    chosen = _densest(spans, width)
    start, end = _window(text, [folded.origin(span.start, span.end) for span in chosen], width)
    return _segments(text, start, end, [folded.origin(span.start, span.end) for span in _near(spans, chosen, width)])


def mark(title: str, needles: Iterable[Words]) -> tuple[Segment, ...]:
    """The whole `title` with its matches marked."""
    title = title[:_MARKED_TITLE]
    folded = Folded(title)
    marks = [folded.origin(span.start, span.end) for span in _spans(folded.text, needles)]
    return _segments(title, 0, len(title), marks)


def _spans(folded: str, needles: Iterable[Words]) -> list[_Span]:
    asked = list(dict.fromkeys(itertools.islice(needles, _NEEDLES)))
    tries = _TRIES // max(1, len(asked))
    found = [span for at, needle in enumerate(asked) for span in _matches(folded, needle, at, tries)]
    return sorted(found, key=lambda span: (span.start, -span.end))


def _matches(folded: str, needle: Words, number: int, tries: int) -> Iterator[_Span]:
    """Find the first word, then look whether the rest follows: no pattern is run over the whole text."""
    first, pattern = needle.words[0], _pattern(needle)
    place = -1
    found = 0
    for _ in range(tries):
        place = folded.find(first, place + 1)
        if place < 0 or found == _FOUND:
            return
        match = pattern.match(folded, place)
        if match:
            found += 1
            yield _Span(start=place, end=match.end(), needle=number)


def _pattern(needle: Words) -> re.Pattern[str]:
    """The needle's words with what may stand between them, between word boundaries where its script has words."""
    parts = [f"(?<!{_LETTER})" if re.match(_LETTER, needle.words[0]) else ""]
    for word, following in itertools.pairwise((*needle.words, "")):
        parts.append(re.escape(word))
        if following:
            joined = re.match(_LETTER, word) and re.match(_LETTER, following)
            parts.append(r"[\W_]{1,40}" if joined else r"[\W_]{0,40}")
        elif re.match(_LETTER, word):
            parts.append(f"{_LETTER}{{0,60}}" if needle.prefix else f"(?!{_LETTER})")
    return re.compile("".join(parts))


def _densest(spans: list[_Span], width: int) -> list[_Span]:
    """The spans of the window with the most different needles, then the most matches; the earliest of equals."""
    best, start = (0, 0), 0
    chosen = (0, 0)
    counts: dict[int, int] = {}
    for at, span in enumerate(spans):
        counts[span.needle] = counts.get(span.needle, 0) + 1
        while start < at and span.end - spans[start].start > width:
            gone = spans[start].needle
            counts[gone] -= 1
            if not counts[gone]:
                del counts[gone]
            start += 1
        score = (len(counts), at - start)
        if score > best:
            best, chosen = score, (start, at + 1)
    return spans[chosen[0] : chosen[1]]


def _near(spans: list[_Span], chosen: list[_Span], width: int) -> list[_Span]:
    """Also those that the cut will show before and after the chosen ones."""
    if not chosen:
        return []
    first, last = chosen[0].start - width, chosen[-1].end + width
    return [span for span in spans if first <= span.start and span.end <= last]


def _window(text: str, marks: list[tuple[int, int]], width: int) -> tuple[int, int]:
    """Where to cut: the marks in the middle, a little more before than after when the text ends."""
    if not marks:
        start = len(text) - len(text.lstrip())
        return start, _end(text, min(len(text), start + width))
    first, last = marks[0][0], max(end for _, end in marks)
    room = max(0, width - (last - first))
    start = max(0, min(first - room // 3, len(text) - width))
    end = min(len(text), max(last, start + width))
    return _start(text, start, first), max(last, _end(text, end))


def _start(text: str, start: int, limit: int) -> int:
    """Move on to where a word starts, if one does soon."""
    if start == 0:
        return 0
    for at in range(start, min(limit, start + _WORD_SLACK)):
        if text[at - 1].isspace():
            return at
    return start


def _end(text: str, end: int) -> int:
    """Move back to where a word ends, if one does soon."""
    if end >= len(text):
        return len(text)
    for at in range(end, max(0, end - _WORD_SLACK), -1):
        if text[at].isspace():
            return at
    return end


def _segments(text: str, start: int, end: int, marks: list[tuple[int, int]]) -> tuple[Segment, ...]:
    pieces: list[Segment] = []
    place = start
    for first, last in marks:
        first, last = max(first, place), min(last, end)  # noqa: PLW2901 - overlapping marks join
        if first >= last:
            continue
        pieces += [Segment(text=text[place:first], marked=False), Segment(text=text[first:last], marked=True)]
        place = last
    pieces.append(Segment(text=text[place:end], marked=False))
    before = "… " if text[:start].strip() else ""
    after = " …" if text[end : end + 200].strip() or len(text) > end + 200 else ""
    pieces = [Segment(text=before, marked=False), *pieces, Segment(text=after, marked=False)]
    return tuple(_joined([piece for piece in pieces if piece.text]))


def _joined(pieces: list[Segment]) -> Iterator[Segment]:
    for marked, group in itertools.groupby(pieces, key=lambda piece: piece.marked):
        text = _SPACES.sub(" ", "".join(piece.text for piece in group))
        if text:
            yield Segment(text=text, marked=marked)
