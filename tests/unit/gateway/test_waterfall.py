"""Spans as people see them under a timeline."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.waterfall import GAP_NS, waterfall
from observability.names import Attribute
from observability.spans import SpanRecord

MS = 1_000_000


def span(
    name: str, start: int, end: int, *, parent: str | None = None, error: str | None = None, **attributes: str
) -> SpanRecord:
    """Between two milliseconds. Its id is its name."""
    return SpanRecord(
        trace_id="t",
        span_id=name,
        parent_id=parent,
        name=name,
        role="worker",
        start=start * MS,
        end=end * MS,
        error=error,
        attributes={Attribute[key].value: value for key, value in attributes.items()},
    )


def test_a_span_stands_inside_its_parent_on_the_axis_of_what_ran_together() -> None:
    (run,) = waterfall(
        [span("child", 25, 75, parent="whole"), span("whole", 0, 100), span("grandchild", 50, 60, parent="child")]
    )
    assert [(row.name, row.depth, row.left, row.width) for row in run.rows] == [
        ("whole", 0, 0, 100),
        ("child", 1, 25, 50),
        ("grandchild", 2, 50, 10),
    ]
    assert (run.at, run.duration_ms) == (0, 100)


def test_what_came_after_a_silence_has_an_axis_of_its_own() -> None:
    later = 100 + GAP_NS // MS + 1
    first, second = waterfall([span("before", 0, 100), span("after", later, later + 10, parent="before")])
    assert [row.name for row in first.rows] == ["before"]
    assert [(row.name, row.depth, row.left, row.width) for row in second.rows] == [("after", 0, 0, 100)]


def test_a_span_whose_parent_is_elsewhere_stands_at_the_top() -> None:
    (run,) = waterfall([span("orphan", 0, 10, parent="somebody")])
    assert [(row.name, row.depth) for row in run.rows] == [("orphan", 0)]


def test_a_row_says_what_was_asked_how_it_was_done_and_what_went_wrong() -> None:
    (run,) = waterfall(
        [span("fetch", 0, 10, error="timeout", URL="http://example.org/", CODE="timeout", CORRELATION="x", ITEM="y")]
    )
    assert (run.rows[0].error, run.rows[0].told) == ("timeout", "http://example.org/ · timeout")


def test_spans_in_a_circle_or_their_own_parents_are_drawn_once_or_not_at_all_but_never_for_ever() -> None:
    circle = [span("a", 0, 10, parent="b"), span("b", 0, 10, parent="a"), span("self", 0, 10, parent="self")]
    assert [row.name for run in waterfall([*circle, span("good", 0, 10)]) for row in run.rows] == ["good"]


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**5), st.integers(-1, 20)), max_size=30))
def test_every_bar_lies_on_its_axis_whatever_the_spans_say(drawn: list[tuple[int, int, int]]) -> None:
    spans = [
        span(f"s{n}", start, start + took, parent=f"s{parent}" if 0 <= parent < n else None)
        for n, (start, took, parent) in enumerate(drawn)
    ]
    rows = [row for run in waterfall(spans) for row in run.rows]
    assert sorted(row.name for row in rows) == sorted(each.name for each in spans)
    assert all(0 <= row.left < 100 and 0 < row.width <= 100 for row in rows)
