"""A snapshot is the live database as of one moment, taken in one step; a note reaches a library of any schema."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path
from typing import Self

import apsw
import pytest
import trio

from pipeline.errors import StoreBusy, StoreFull, StoreUnreadable
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store import snapshot as module
from pipeline.store.deep import examine
from pipeline.store.handle import Store, open_store
from pipeline.store.migrate import migrate, migrations
from pipeline.store.snapshot import note, snapshot
from tests.store.hands import TestClock, page


@pytest.fixture
def library(tmp_path: Path) -> Path:
    async def fill() -> None:
        settings = (DatabaseSettings(), QueueSettings(), RetrySettings())
        async with open_store(*settings, folder=tmp_path, clock=TestClock()) as store:
            for n in range(50):
                await store.items.accept(page(f"https://example.org/{n}"))

    trio.run(fill)
    return tmp_path / "atlas.db"


def count(path: Path) -> int:
    with closing(apsw.Connection(str(path))) as conn:
        return int(conn.execute("SELECT count(*) FROM items").get)


def test_a_copy_is_whole_for_its_owner_alone_and_no_file_is_left_beside_either(library: Path, tmp_path: Path) -> None:
    (tmp_path / "copies").mkdir()
    before = sorted(path.name for path in tmp_path.iterdir())
    snapshot(library, tmp_path / "copies" / "copy.db")
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    (copy,) = (tmp_path / "copies").iterdir()
    assert copy.stat().st_mode & 0o777 == 0o600
    assert (examine(copy), count(copy)) == ((), 50)


def test_what_is_in_the_write_ahead_log_only_is_copied_and_what_is_not_committed_is_not(
    library: Path, tmp_path: Path
) -> None:
    with closing(apsw.Connection(str(library))) as writer:
        writer.wal_autocheckpoint(0)
        writer.execute("INSERT INTO meta (key, value) VALUES ('seen', 'yes')")
        writer.execute("BEGIN IMMEDIATE; INSERT INTO meta (key, value) VALUES ('unseen', 'yes')")
        snapshot(library, tmp_path / "copy.db")
        writer.execute("ROLLBACK")
    with closing(apsw.Connection(str(tmp_path / "copy.db"))) as copy:
        assert copy.execute("SELECT key FROM meta").fetchall() == [("seen",)]


def test_writers_go_on_while_it_is_copied_in_a_single_step(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop of steps begins anew at each write; whoever watches one that does never sees its end."""
    steps: list[int] = []
    with closing(apsw.Connection(str(library))) as writer:

        class Watched:
            def __init__(self, backup: apsw.Backup) -> None:
                self.backup = backup

            def __enter__(self) -> Self:
                return self

            def __exit__(self, *_error: object) -> None:
                self.backup.close()

            def step(self, pages: int) -> None:
                writer.execute("INSERT INTO meta (key, value) VALUES (?, '')", (f"before {len(steps)}",))
                steps.append(pages)
                self.backup.step(pages)
                assert self.backup.done

        opened = module.fresh

        class Copy:
            def __init__(self, path: Path) -> None:
                self.conn = opened(path)

            def backup(self, *names: object) -> Watched:
                return Watched(self.conn.backup(*names))  # type: ignore[arg-type]

            def close(self) -> None:
                self.conn.close()

        monkeypatch.setattr(module, "fresh", Copy)
        snapshot(library, tmp_path / "copy.db")
    assert steps == [-1]


def test_a_file_that_is_there_is_not_written_over(library: Path, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        snapshot(library, tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_bytes() == b"mine"


@pytest.mark.parametrize("content", [None, b"", b"no database at all, " * 100])
def test_what_is_no_library_is_not_copied(tmp_path: Path, content: bytes | None) -> None:
    source = tmp_path / "atlas.db"
    if content is not None:
        source.write_bytes(content)
    if content == b"":
        snapshot(source, tmp_path / "copy.db")  # an empty database is one
        return
    with pytest.raises(StoreUnreadable):
        snapshot(source, tmp_path / "copy.db")


def test_a_full_disk_is_said_to_be_full(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_path: Path) -> apsw.Connection:
        raise apsw.FullError("database or disk is full")

    monkeypatch.setattr(module, "fresh", full)
    with pytest.raises(StoreFull):
        snapshot(library, tmp_path / "copy.db")


def test_a_note_is_seen_by_the_store_and_migrates_nothing(tmp_path: Path) -> None:
    old = tmp_path / "atlas.db"
    with closing(apsw.Connection(str(old))) as conn:
        conn.pragma("journal_mode", "wal")
        migrate(conn, migrations("atlas")[:2])
    note(old, {"backup_at": 7})
    with closing(apsw.Connection(str(old))) as conn:
        assert (conn.pragma("user_version"), conn.execute("SELECT n FROM totals WHERE name = 'backup_at'").get) == (
            2,
            7,
        )

    async def figures(store: Store) -> int | None:
        return (await store.status.figures()).backup_at

    async def look() -> int | None:
        settings = (DatabaseSettings(), QueueSettings(), RetrySettings())
        async with open_store(*settings, folder=tmp_path, clock=TestClock()) as store:
            return await figures(store)

    assert trio.run(look) == 7


def test_a_note_waits_for_a_writer_and_gives_up_on_one_that_does_not_end(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_MS", 20)
    with closing(apsw.Connection(str(library))) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy):
            note(library, {"backup_at": 7})
        monkeypatch.setattr(module, "BUSY_MS", 5000)
        waiting = threading.Thread(target=note, args=(library, {"backup_at": 8}))
        waiting.start()
        holder.execute("ROLLBACK")
        waiting.join(20)
        assert holder.execute("SELECT n FROM totals WHERE name = 'backup_at'").get == 8
