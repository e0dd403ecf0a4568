"""The deep look reads every page: it finds each one that is damaged, and is in nobody's way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest
import trio

from pipeline.errors import StoreUnreadable
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.deep import FAULTS_MOST, examine
from pipeline.store.handle import Store, open_store
from tests.store.hands import TestClock, claim_all, page, run_through

PAGE = 4096
SEARCH_BLOCK = "SELECT max(id) FROM search_data"  # a leaf of the full-text index, with words in it


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A library of some pages, closed."""

    async def fill() -> None:
        settings = (DatabaseSettings(), QueueSettings(), RetrySettings())
        async with open_store(*settings, folder=tmp_path, clock=TestClock()) as store:
            for n in range(20):
                await store.items.accept(page(f"https://example.org/{n}"))
                (claim,) = await claim_all(store)
                await run_through(store, claim, text=f"text {n} " + f"word{n} " * 100)

    trio.run(fill)
    return tmp_path


@pytest.fixture
def atlas(folder: Path) -> Path:
    return folder / "atlas.db"


@pytest.fixture
def hand(atlas: Path) -> Iterator[apsw.Connection]:
    with closing(apsw.Connection(str(atlas))) as connection:
        yield connection


def test_a_sound_database_has_no_faults_and_no_file_is_left_beside_it(folder: Path) -> None:
    for name in ("atlas.db", "archive.db"):
        assert examine(folder / name) == ()
    assert sorted(path.name for path in folder.iterdir()) == ["archive.db", "atlas.db", "library.lock"]


@pytest.mark.parametrize("name", ["atlas.db", "archive.db"])
def test_whichever_page_is_damaged_it_is_found(folder: Path, name: str) -> None:
    sound = (folder / name).read_bytes()
    sick = folder / "sick.db"
    for number in range(1, len(sound) // PAGE):
        sick.write_bytes(sound[: number * PAGE] + b"\xff" * PAGE + sound[(number + 1) * PAGE :])
        assert is_found(sick), f"page {number + 1}"


def is_found(path: Path) -> bool:
    """As a fault; or, where the schema cannot be read, as an error."""
    try:
        return examine(path) != ()
    except StoreUnreadable:
        return True


def test_a_damaged_full_text_index_is_found_though_its_pages_are_sound(atlas: Path, hand: apsw.Connection) -> None:
    hand.execute(f"UPDATE search_data SET block = zeroblob(length(block)) WHERE id = ({SEARCH_BLOCK})")
    (fault,) = examine(atlas)
    assert "search" in fault


def test_a_row_that_refers_to_nothing_is_found(atlas: Path, hand: apsw.Connection) -> None:
    hand.execute(
        "INSERT INTO tags VALUES (999, 'x'); INSERT INTO steps (id, item_id, at, code) VALUES (7777, 999, 1, 1)"
    )
    assert set(examine(atlas)) == {
        "a row of tags refers to one of items that is not there",
        "row 7777 of steps refers to one of items that is not there",
    }


def test_of_thousands_of_faults_only_so_many_are_told(atlas: Path, hand: apsw.Connection) -> None:
    orphan = "INSERT INTO steps (item_id, at, code) VALUES (999, 1, 1);"
    hand.execute(f"BEGIN; {orphan * 1000} COMMIT")
    assert len(examine(atlas)) == FAULTS_MOST


def test_it_needs_no_write_lock_and_keeps_nobody_from_writing(atlas: Path, hand: apsw.Connection) -> None:
    hand.execute("BEGIN IMMEDIATE; UPDATE meta SET value = value")
    assert examine(atlas) == ()
    hand.execute("COMMIT")


@pytest.mark.parametrize("content", [None, b"no database at all " * 1000])
def test_what_is_no_database_is_an_error_of_the_store(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StoreUnreadable):
        examine(path)


async def test_each_database_says_its_schema_and_that_it_has_a_write_ahead_log(store: Store) -> None:
    atlas, archive = await store.status.formats()
    assert (atlas.name, atlas.journal, archive.name, archive.journal) == ("atlas", "wal", "archive", "wal")
    assert atlas.schema > archive.schema > 0
