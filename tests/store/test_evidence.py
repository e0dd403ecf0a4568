"""A copy is known by its schema, its counts and what its index finds; whatever differs is named."""

from __future__ import annotations

import contextlib
import shutil
from contextlib import closing
from pathlib import Path

import apsw
import msgspec
import pytest
import trio

from pipeline.errors import StoreError, StoreTooNew, StoreUnreadable
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.evidence import QUERIES, differences, gather, referenced, strangers
from pipeline.store.handle import Store, open_store
from pipeline.store.migrate import APPLICATION_ID, SCHEMA_VERSION
from tests.store.hands import TestClock, claim_all, page, run_through

CHINESE = "北京的天气今天非常好 我们去公园散步 看见很多孩子在湖边玩耍"


async def fill(folder: Path) -> None:
    settings = (DatabaseSettings(), QueueSettings(), RetrySettings())
    async with open_store(*settings, folder=folder, clock=TestClock()) as store:
        for n in range(30):
            await _keep(store, n, CHINESE * 3 if n == 17 else f"text {n} of word{n} and other{n} things " * 20)
        await store.items.accept(page("https://example.org/waiting"))


async def _keep(store: Store, n: int, text: str) -> None:
    await store.items.accept(page(f"https://example.org/{n}"))
    (claim,) = await claim_all(store)
    await run_through(store, claim, text=text)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    trio.run(fill, folder)
    run(folder / "atlas.db", "UPDATE documents SET language = 'zh' WHERE item_id = 18")
    return folder / "atlas.db"


@pytest.fixture
def atlas(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(original, tmp_path / "atlas.db"))


def run(path: Path, *statements: str) -> None:
    with closing(apsw.Connection(str(path))) as conn:
        for statement in statements:
            conn.execute(statement)
        conn.pragma("wal_checkpoint(truncate)")


def test_a_library_is_told_by_counts_of_every_table_and_by_golden_queries(atlas: Path) -> None:
    found = gather(atlas)
    assert (found.application_id, found.schema, found.oldest_code) == (APPLICATION_ID, SCHEMA_VERSION, 0)
    assert found.items == {"done": 30, "ready": 1}
    assert (found.tables["items"], found.tables["documents"], found.tables["captures"]) == (31, 30, 30)
    assert found.tables["search_docsize"] == 30
    assert {"feeds", "tokens", "steps", "tags", "outbox", "spans"} <= found.tables.keys()
    assert len(found.golden) == QUERIES
    assert all(golden.total >= 1 and golden.items for golden in found.golden)
    assert differences(atlas, found) == ()


def test_words_of_scripts_without_spaces_are_among_the_golden_queries(atlas: Path) -> None:
    (chinese,) = [golden for golden in gather(atlas).golden if not golden.phrase.isascii()][:1]
    assert chinese.items == (18,)
    assert any(len(golden.phrase) > 3 and " " in golden.phrase for golden in gather(atlas).golden)


def test_an_empty_library_has_no_queries_and_is_the_same_as_itself(tmp_path: Path) -> None:
    async def empty() -> None:
        settings = (DatabaseSettings(), QueueSettings(), RetrySettings())
        async with open_store(*settings, folder=tmp_path, clock=TestClock()):
            pass

    trio.run(empty)
    found = gather(tmp_path / "atlas.db")
    assert (found.items, found.golden, differences(tmp_path / "atlas.db", found)) == ({}, (), ())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("DELETE FROM steps WHERE id = 1", "tables steps: "),
        ("UPDATE items SET state = 'dead' WHERE id = 3", "items dead: 1, and 0 were noted"),
        ("DELETE FROM search WHERE rowid = 18", "a search for "),
        ("INSERT INTO meta (key, value) VALUES ('oldest_code', '3')", "oldest_code is 3, and 0 was noted"),
    ],
)
def test_what_differs_is_named(atlas: Path, change: str, told: str) -> None:
    noted = gather(atlas)
    run(atlas, change)
    assert any(each.startswith(told) for each in differences(atlas, noted))


def test_queries_of_anybody_do_no_harm(atlas: Path) -> None:
    noted = gather(atlas)
    for phrase in ('"', "a AND", "NEAR(", "'; DROP TABLE items; --", "*", "", "text : a"):
        golden = msgspec.structs.replace(noted.golden[0], phrase=phrase)
        asked = msgspec.structs.replace(noted, golden=(golden,))
        with contextlib.suppress(StoreError):
            assert differences(atlas, asked)
    assert differences(atlas, noted) == ()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("CREATE TRIGGER evil AFTER INSERT ON items BEGIN DELETE FROM items; END", "trigger evil is unknown to Atlas"),
        ("CREATE VIEW evil AS SELECT * FROM tokens", "view evil is unknown to Atlas"),
        ("CREATE TABLE evil (a)", "table evil is unknown to Atlas"),
        ("CREATE TABLE search_evil (a)", "table search_evil is unknown to Atlas"),
        ("CREATE INDEX evil ON items (hex(url))", "index evil is unknown to Atlas"),
        ("CREATE VIRTUAL TABLE evil USING fts5 (a)", "table evil is unknown to Atlas"),
        ("DROP TRIGGER items_moved", "trigger items_moved is missing"),
        ("DROP INDEX items_state", "index items_state is missing"),
        ("ALTER TABLE items ADD COLUMN evil TEXT AS (hex(url))", "table items is not as Atlas makes it"),
        (
            "DROP TRIGGER items_moved; CREATE TRIGGER items_moved AFTER UPDATE ON items BEGIN SELECT 1; END",
            "trigger items_moved is not as Atlas makes it",
        ),
    ],
)
def test_a_schema_that_our_migrations_do_not_make_is_named(atlas: Path, change: str, told: str) -> None:
    assert strangers(atlas, "atlas") == ()
    run(atlas, change)
    assert told in strangers(atlas, "atlas")


def test_a_hidden_trigger_with_a_name_of_sqlites_is_found(atlas: Path) -> None:
    run(
        atlas,
        "CREATE TRIGGER evil AFTER INSERT ON items BEGIN DELETE FROM items; END",
        "PRAGMA writable_schema = 1",
        "UPDATE sqlite_schema SET name = 'sqlite_stat1' WHERE name = 'evil'",
    )
    with pytest.raises(StoreUnreadable, match="malformed database schema"):
        strangers(atlas, "atlas")


def test_statistics_of_the_planner_and_comments_of_a_migration_are_no_strangers(atlas: Path) -> None:
    run(
        atlas,
        "ANALYZE",
        "PRAGMA writable_schema = 1",
        "UPDATE sqlite_schema SET sql = replace(sql, 'WITHOUT', '-- a comment\n  WITHOUT') WHERE name = 'meta'",
    )
    assert strangers(atlas, "atlas") == ()


def test_a_database_that_is_none_of_atlas_is_refused(atlas: Path, tmp_path: Path) -> None:
    run(atlas, "PRAGMA application_id = 7")
    with pytest.raises(StoreUnreadable, match="not one of Atlas"):
        strangers(atlas, "atlas")
    (tmp_path / "text").write_bytes(b"hello " * 1000)
    with pytest.raises(StoreUnreadable):
        strangers(tmp_path / "text", "atlas")
    with closing(apsw.Connection(str(tmp_path / "empty.db"))) as empty:
        empty.execute("VACUUM")
    assert strangers(tmp_path / "empty.db", "atlas") == ("it is empty: there is no schema of Atlas in it",)


def test_a_later_schema_is_not_compared_unless_it_shuts_us_out(atlas: Path) -> None:
    run(atlas, "CREATE TABLE later (a)", f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    assert strangers(atlas, "atlas") == ()
    run(atlas, f"INSERT INTO meta (key, value) VALUES ('oldest_code', '{SCHEMA_VERSION + 1}')")
    with pytest.raises(StoreTooNew):
        strangers(atlas, "atlas")


def test_looking_writes_nothing_and_leaves_no_file(atlas: Path) -> None:
    before = atlas.read_bytes()
    found = gather(atlas)
    strangers(atlas, "atlas")
    differences(atlas, found)
    assert len(list(referenced(atlas))) == 30
    assert [path.name for path in atlas.parent.iterdir()] == ["atlas.db"]
    assert atlas.read_bytes() == before


def test_the_bodies_it_refers_to_come_once_and_in_order(atlas: Path) -> None:
    columns = "body, size, url, final_url, status, media_type, provider, captured_at"
    run(atlas, f"INSERT INTO captures (item_id, {columns}) SELECT item_id, {columns} FROM captures")
    found = list(referenced(atlas))
    assert found == sorted(set(found))
    assert len(found) == 30
