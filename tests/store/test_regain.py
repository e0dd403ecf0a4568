"""What was accepted since a backup goes into the restored library once, marks as they were in the end."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import apsw
import pytest
import trio

from pipeline.items import Kind
from pipeline.lifecycle import State
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.handle import Store, open_store
from pipeline.store.regain import DOUBTS_MOST, Regained, regain
from pipeline.store.since import FollowedSince, Line, MarkedSince, Marks, SavedSince
from tests.store.hands import TestClock, claim_all, page, run_through

T = TypeVar("T")
UID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


class Restored:
    """A library as a restore leaves it, which nobody has open."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, job: Callable[[Store], Awaitable[T]]) -> T:
        async def go() -> T:
            settings = (DatabaseSettings(), QueueSettings(), RetrySettings())
            async with open_store(*settings, folder=self.folder, clock=TestClock()) as store:
                return await job(store)

        return trio.run(go)

    def item(self, url: str, *, done: bool = True, deleted: bool = False) -> str:
        async def job(store: Store) -> str:
            uid = (await store.items.accept(page(url))).uid
            if done:
                (claim,) = await claim_all(store)
                await run_through(store, claim, text=url)
            if deleted:
                await store.items.delete(uid)
            return uid

        return self.run(job)

    def regain(self, *lines: Line) -> Regained:
        return regain(
            self.folder / "atlas.db",
            self.folder / "archive.db",
            lines,
            tokens=None,
            totals={},
            database=DatabaseSettings(),
            queue=QueueSettings(),
            clock=TestClock(),
            random=Random(1).randbytes,
        )

    def ask(self, query: str, *values: Any, of: str = "atlas") -> list[Any]:
        with contextlib.closing(apsw.Connection(str(self.folder / f"{of}.db"))) as conn:
            return conn.execute(query, values).fetchall()


@pytest.fixture
def restored(tmp_path: Path) -> Restored:
    made = Restored(tmp_path / "data")
    made.run(lambda store: store.queue.depth())
    return made


def test_what_was_saved_since_is_there_once_with_its_id_its_time_and_its_marks(restored: Restored) -> None:
    line = SavedSince(
        kind=Kind.PAGE, uid=UID, url="https://a.example/", saved_at=5000, raised_at=6000, marks=Marks(starred_at=7000)
    )
    for _ in range(2):
        assert (restored.regain(line).failed, restored.regain(line).doubts) == (0, ())
    columns = "uid, url, created_at, raised_at, starred_at, state"
    assert restored.ask(f"SELECT {columns} FROM items") == [(UID, "https://a.example/", 5000, 6000, 7000, "ready")]


def test_of_an_item_whose_address_alone_could_be_read_the_rest_is_new(restored: Restored) -> None:
    assert restored.regain(SavedSince(kind=Kind.PAGE, url="https://a.example/")).lines == 1
    ((uid, created_at),) = restored.ask("SELECT uid, created_at FROM items")
    assert (len(uid), created_at) == (26, TestClock().wall_ms())


def test_a_note_comes_back_with_its_text(restored: Restored) -> None:
    restored.regain(SavedSince(kind=Kind.NOTE, uid=UID, text="What I thought.", title="A note"))
    assert restored.ask("SELECT size FROM bodies", of="archive") == [(15,)]
    assert restored.ask("SELECT kind, uid FROM items") == [("note", UID)]


def test_marks_are_as_they_were_in_the_end_also_the_tags_that_were_taken_away(restored: Restored) -> None:
    uid = restored.item("https://a.example/")
    for tags, starred in ((("one", "two"), 1000), (("two",), None), (None, 2000)):
        assert restored.regain(MarkedSince(uid=uid, marks=Marks(tags=tags, starred_at=starred))).failed == 0
        assert restored.ask("SELECT starred_at FROM items") == [(starred,)]
    assert len(restored.ask("SELECT 1 FROM tags WHERE item_id = 1")) == 1  # unread tags change none


def test_what_was_deleted_since_stays_deleted_and_is_not_found(restored: Restored) -> None:
    uid = restored.item("https://a.example/")
    for _ in range(2):
        assert restored.regain(MarkedSince(uid=uid, marks=Marks(deleted_at=9000))).failed == 0
    assert restored.ask("SELECT uid FROM tombstones") == [(uid,)]
    assert restored.ask("SELECT count(*) FROM search") == [(0,)]


@pytest.mark.parametrize("done", [True, False])
def test_what_was_deleted_before_the_backup_and_is_there_again_is_back_and_goes_on(
    restored: Restored, done: bool
) -> None:
    uid = restored.item("https://a.example/", done=done, deleted=True)
    assert restored.regain(MarkedSince(uid=uid, marks=Marks())).failed == 0
    assert restored.ask("SELECT count(*) FROM search") == [(int(done),)]
    assert restored.ask("SELECT count(*) FROM work WHERE item_id IS NOT NULL") == [(int(not done),)]
    assert restored.run(lambda store: store.items.get(uid)).state is (State.DONE if done else State.READY)


def test_a_feed_is_followed_once(restored: Restored) -> None:
    line = FollowedSince(
        uid=UID, url="https://a.example/feed", url_key="a.example/feed", interval_seconds=3600, created_at=5000
    )
    assert [restored.regain(line, line).lines, restored.regain(line).failed] == [2, 0]
    assert restored.ask("SELECT uid, created_at FROM feeds") == [(UID, 5000)]


def test_a_line_that_cannot_be_brought_back_is_told_and_costs_no_other(restored: Restored) -> None:
    done = restored.regain(
        SavedSince(kind=Kind.PAGE, url="no address"),
        MarkedSince(uid=UID, marks=Marks()),
        SavedSince(kind=Kind.PAGE, url="https://a.example/"),
    )
    assert (done.lines, done.failed) == (1, 2)
    assert done.doubts[0].startswith("no address could not be brought back: ")
    assert done.doubts[1] == f"the marks of {UID} could not be brought back: there is no item {UID}"
    assert restored.ask("SELECT url FROM items") == [("https://a.example/",)]


def test_of_many_doubts_the_first_are_told_and_all_are_counted(restored: Restored) -> None:
    done = restored.regain(*(MarkedSince(uid=UID, marks=Marks()) for _ in range(DOUBTS_MOST + 5)))
    assert (done.failed, len(done.doubts)) == (DOUBTS_MOST + 5, DOUBTS_MOST)
