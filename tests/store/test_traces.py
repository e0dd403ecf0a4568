"""The ring of spans: bounded, by item, all or nothing."""

from __future__ import annotations

import apsw
import pytest

from observability.spans import SpanRecord
from pipeline.store.handle import Store
from pipeline.store.traces import SHOWN_MOST

MOST = 5


def span(number: int, item: str | None = "A", *, trace: str = "t1", start: int | None = None) -> SpanRecord:
    begun = number if start is None else start
    return SpanRecord(
        trace_id=trace,
        span_id=f"{number:016x}",
        name="commit",
        role="worker",
        start=begun,
        end=begun + 10,
        item=item,
        attributes={"atlas.bytes": number, "url.full": "https://example.org/ü", "ratio": 0.5, "ok": True},
        links=(("t0", "s0"),),
    )


async def rows(store: Store) -> int:
    """How many rows the ring has."""
    return await store.traces._db.read(lambda conn: conn.execute("SELECT count(*) FROM spans").get)


async def test_spans_come_back_as_they_were_by_their_beginning(store: Store) -> None:
    await store.traces.keep([span(3), span(1), span(2)], most=MOST)
    assert await store.traces.of_item("A") == (span(1), span(2), span(3))


async def test_an_outer_span_that_begins_together_with_an_inner_one_comes_first(store: Store) -> None:
    inner = span(1, start=100)
    outer = SpanRecord(trace_id="t1", span_id="o", name="stage.acquire", role="worker", start=100, end=900, item="A")
    await store.traces.keep([inner, outer], most=MOST)
    assert await store.traces.of_item("A") == (outer, inner)


async def test_spans_of_other_items_and_of_none_are_not_shown(store: Store) -> None:
    await store.traces.keep([span(1), span(2, "B"), span(3, None), span(4, trace="t2")], most=MOST)
    assert [each.span_id for each in await store.traces.of_item("A")] == [span(1).span_id, span(4).span_id]
    assert await store.traces.of_item("B") == (span(2, "B"),)
    assert await store.traces.of_item("C") == ()
    assert await rows(store) == 3


async def test_spans_of_one_item_and_trace_that_come_together_take_one_row(store: Store) -> None:
    await store.traces.keep([span(number) for number in range(50)], most=MOST)
    assert await rows(store) == 1


async def test_nothing_to_keep_writes_nothing(store: Store) -> None:
    before = store.traces._db.writer.batches
    await store.traces.keep([], most=MOST)
    await store.traces.keep([span(1, None)], most=MOST)
    assert store.traces._db.writer.batches == before


async def test_of_all_rows_the_newest_are_kept(store: Store) -> None:
    for number in range(20):
        await store.traces.keep([span(number, f"item-{number}")], most=MOST)
    assert await rows(store) == MOST
    assert [len(await store.traces.of_item(f"item-{number}")) for number in range(20)] == [0] * 15 + [1] * 5


async def test_one_batch_of_more_than_that_leaves_the_newest_too(store: Store) -> None:
    await store.traces.keep([span(number, f"item-{number}") for number in range(20)], most=MOST)
    assert await rows(store) == MOST
    assert await store.traces.of_item("item-19") != ()
    assert await store.traces.of_item("item-14") == ()


async def test_a_smaller_ring_drops_what_does_not_fit_any_more_at_the_next_batch(store: Store) -> None:
    for number in range(10):
        await store.traces.keep([span(number, f"item-{number}")], most=100)
    await store.traces.keep([span(10, "item-10")], most=2)
    assert await rows(store) == 2


async def test_the_ring_goes_on_turning_after_all_of_it_was_dropped(store: Store) -> None:
    await store.traces.keep([span(1)], most=1)
    await store.traces.keep([span(2, "B")], most=0)
    assert await rows(store) == 0
    await store.traces.keep([span(3)], most=1)
    await store.traces.keep([span(4)], most=1)
    assert await store.traces.of_item("A") == (span(4),)


async def test_of_very_many_spans_of_one_item_the_latest_are_shown(store: Store) -> None:
    for begin in range(0, 3 * SHOWN_MOST, 400):
        await store.traces.keep([span(number) for number in range(begin, begin + 400)], most=100)
    found = await store.traces.of_item("A")
    assert len(found) == SHOWN_MOST
    assert found[-1].start == max(range(0, 3 * SHOWN_MOST, 400)) + 399
    assert [each.start for each in found] == sorted(each.start for each in found)


async def test_a_batch_is_kept_whole_or_not_at_all(store: Store) -> None:
    await store.traces.keep([span(1)], most=MOST)

    def refuse(conn: apsw.Connection) -> None:
        conn.execute(
            "CREATE TEMP TRIGGER refuse BEFORE INSERT ON main.spans WHEN NEW.item = 'B'"
            " BEGIN SELECT raise(ABORT, 'no'); END"
        )

    await store.traces._db.write(refuse)
    with pytest.raises(Exception, match="no"):
        await store.traces.keep([span(2), span(3, "B")], most=MOST)
    assert await store.traces.of_item("A") == (span(1),)


async def test_the_spans_of_an_item_are_found_by_an_index(store: Store) -> None:
    def plan(conn: apsw.Connection) -> list[str]:
        asked = "EXPLAIN QUERY PLAN SELECT spans FROM spans WHERE item = ? ORDER BY id DESC"
        return [str(row[3]) for row in conn.execute(asked, ("A",))]

    assert await store.traces._db.read(plan) == ["SEARCH spans USING INDEX spans_item (item=?)"]


async def test_a_smaller_ring_lets_go_of_what_it_has_no_room_for(store: Store) -> None:
    for number in range(5):
        await store.traces.keep([span(number, f"I{number}")], most=10)
    await store.traces.trim(most=2)
    assert [len(await store.traces.of_item(f"I{number}")) for number in range(5)] == [0, 0, 0, 1, 1]
    await store.traces.trim(most=0)
    assert await store.traces.of_item("I4") == ()
