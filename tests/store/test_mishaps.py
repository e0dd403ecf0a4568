"""Unexpected errors on the disk: grouped, counted over roles and restarts, bounded; and what never scans."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from observability.unexpected import Unexpected
from pipeline import errors
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.handle import Store, open_store
from pipeline.store.mishaps import KEPT_MOST
from tests.store.hands import TestClock


def met(error_id: str = "ABCDEFGH", *, at: int = 1000, count: int = 1, **more: str | None) -> Unexpected:
    fields = {"kind": "ValueError", "message": "m", "traceback": "Traceback\n  x", "place": "stage.extract"} | more
    return Unexpected(id=error_id, count=count, first_seen=at, last_seen=at, **fields)  # type: ignore[arg-type]


async def test_a_fault_is_kept_with_all_that_is_known_of_it(store: Store) -> None:
    await store.mishaps.keep([met(item="ITEM", correlation_id="r-1")], role="worker")
    found = await store.mishaps.get("ABCDEFGH")
    assert await store.mishaps.list() == (found,)
    assert (found.kind, found.message, found.traceback) == ("ValueError", "m", "Traceback\n  x")
    assert (found.place, found.role) == ("stage.extract", "worker")
    assert (found.item, found.correlation_id) == ("ITEM", "r-1")
    assert (found.count, found.first_seen, found.last_seen) == (1, 1000, 1000)


async def test_the_same_fault_again_counts_and_shows_the_last_time(store: Store) -> None:
    await store.mishaps.keep([met(item="ITEM", correlation_id="r-1")], role="worker")
    again = met(at=5000, count=3, message="later", traceback="Later", place="request GET /", item=None)
    await store.mishaps.keep([again], role="api")
    (found,) = await store.mishaps.list()
    assert (found.count, found.first_seen, found.last_seen) == (4, 1000, 5000)
    assert (found.message, found.traceback, found.place, found.role) == ("later", "Later", "request GET /", "api")
    assert (found.item, found.correlation_id) == (None, None)


async def test_a_fault_that_is_kept_late_does_not_turn_back_when_it_was_last_met(store: Store) -> None:
    await store.mishaps.keep([met(at=5000)], role="worker")
    await store.mishaps.keep([met(at=1000)], role="api")
    found = await store.mishaps.get("ABCDEFGH")
    assert (found.count, found.first_seen, found.last_seen) == (2, 1000, 5000)


async def test_counts_add_up_over_restarts(tmp_path: Path) -> None:
    for at in (1000, 2000, 3000):
        async with open_store(
            DatabaseSettings(), QueueSettings(), RetrySettings(), folder=tmp_path, clock=TestClock()
        ) as store:
            await store.mishaps.keep([met(at=at, count=2)], role="worker")
            found = await store.mishaps.get("ABCDEFGH")
    assert (found.count, found.first_seen, found.last_seen) == (6, 1000, 3000)


async def test_different_faults_are_listed_the_last_seen_first(store: Store) -> None:
    await store.mishaps.keep([met("A", at=1), met("B", at=3), met("C", at=2), met("D", at=3)], role="api")
    assert [each.id for each in await store.mishaps.list()] == ["B", "D", "C", "A"]
    assert [each.id for each in await store.mishaps.list(limit=2)] == ["B", "D"]
    assert (await store.mishaps.since(0), await store.mishaps.since(2), await store.mishaps.since(3)) == (4, 2, 0)


async def test_at_most_so_many_are_kept_and_the_one_not_seen_for_longest_goes_first(store: Store) -> None:
    await store.mishaps.keep([met("OLDEST", at=1), met("OLD", at=2)], role="api")
    await store.mishaps.keep([met(f"N{number}", at=10 + number) for number in range(KEPT_MOST - 2)], role="api")
    assert len(await store.mishaps.list(limit=1000)) == KEPT_MOST
    await store.mishaps.keep([met("OLDEST", at=5000)], role="worker")  # seen again
    await store.mishaps.keep([met("NEW", at=6000)], role="worker")
    left = {each.id for each in await store.mishaps.list(limit=1000)}
    assert len(left) == KEPT_MOST
    assert {"OLDEST", "NEW", "N0"} <= left
    assert "OLD" not in left
    await store.mishaps.keep([met(f"M{number}", at=10_000 + number) for number in range(KEPT_MOST)], role="api")
    assert {each.id[0] for each in await store.mishaps.list(limit=1000)} == {"M"}


async def test_an_id_that_is_not_known_is_not_found(store: Store) -> None:
    with pytest.raises(errors.NotFound, match="no error ZZZZZZZZ"):
        await store.mishaps.get("ZZZZZZZZ")


async def test_nothing_met_writes_nothing(store: Store) -> None:
    before = store.mishaps._db.writer.batches
    await store.mishaps.keep([], role="api")
    assert store.mishaps._db.writer.batches == before


async def test_what_was_met_is_kept_whole_or_not_at_all(store: Store) -> None:
    def refuse(conn: apsw.Connection) -> None:
        conn.execute(
            "CREATE TEMP TRIGGER refuse BEFORE INSERT ON main.errors WHEN NEW.id = 'B'"
            " BEGIN SELECT raise(ABORT, 'no'); END"
        )

    await store.mishaps._db.write(refuse)
    with pytest.raises(Exception, match="no"):
        await store.mishaps.keep([met("A"), met("B")], role="api")
    assert await store.mishaps.list() == ()
