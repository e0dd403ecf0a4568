"""The spans of an item as a waterfall: one row each, inside its parent, on the time axis of what ran together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from observability.names import Attribute, Span
from observability.spans import Scalar, SpanRecord

GAP_NS: Final = 5_000_000_000  # of silence; what comes after it has a time axis of its own
DEEPEST: Final = 5
_LEAST: Final = 0.4  # percent: what is too short to be seen is drawn all the same
_ROWS_MOST: Final = 400
# What a row says beside its name, in this order; the rest is in the API.
_TOLD: Final = (
    Attribute.HTTP_METHOD,
    Attribute.HTTP_ROUTE,
    Attribute.HTTP_STATUS,
    Attribute.URL,
    Attribute.METHOD,
    Attribute.OUTCOME,
    Attribute.CODE,
    Attribute.ERROR_ID,
    Attribute.DETAIL,
)
_WORDS: Final = {Span.REQUEST: "request", Span.ACCEPT: "kept on the disk", Span.CLAIM: "taken from the queue"}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One span. `left` and `width` in percent of the axis."""

    name: str
    role: str
    depth: int
    left: float
    width: float
    duration_ms: float
    error: str | None
    told: str


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Spans that ran together: from `at` (wall ms), on an axis of `duration_ms`."""

    at: int
    duration_ms: float
    rows: tuple[Row, ...]


def waterfall(spans: Sequence[SpanRecord]) -> tuple[Run, ...]:
    """Runs in the order in which they happened."""
    return tuple(_run(each) for each in _together(spans[-_ROWS_MOST:]))


def _together(spans: Sequence[SpanRecord]) -> Iterator[list[SpanRecord]]:
    run: list[SpanRecord] = []
    end = 0
    for span in sorted(spans, key=lambda each: (each.start, -each.end)):
        if run and span.start - end > GAP_NS:
            yield run
            run = []
        run.append(span)
        end = max(end, span.end)
    if run:
        yield run


def _run(spans: list[SpanRecord]) -> Run:
    begin, end = spans[0].start, max(span.end for span in spans)
    axis = max(1, end - begin)
    rows = tuple(
        Row(
            name=_WORDS.get(span.name, span.name.replace("_", " ")),  # type: ignore[call-overload]
            role=span.role,
            depth=min(depth, DEEPEST),
            left=min(100 * (span.start - begin) / axis, 100 - _LEAST),
            width=max(100 * (span.end - span.start) / axis, _LEAST),
            duration_ms=(span.end - span.start) / 1e6,
            error=span.error,
            told=_told(span.attributes),
        )
        for span, depth in _nested(spans)
    )
    return Run(at=begin // 1_000_000, duration_ms=axis / 1e6, rows=rows)


def _nested(spans: list[SpanRecord]) -> Iterator[tuple[SpanRecord, int]]:
    """Each with its depth, children after their parent; one whose parent is not here stands at the top."""
    here = {span.span_id for span in spans}
    children: dict[str | None, list[SpanRecord]] = {}
    for span in spans:
        children.setdefault(span.parent_id if span.parent_id in here else None, []).append(span)
    left = [(span, 0) for span in reversed(children.get(None, []))]
    while left:
        span, depth = left.pop()
        yield span, depth
        left += [(child, depth + 1) for child in reversed(children.pop(span.span_id, []))]


def _told(attributes: dict[str, Scalar]) -> str:
    return " · ".join(str(attributes[name.value]) for name in _TOLD if name.value in attributes)
