"""Reading: short snapshots on connections that cannot write, a bound for everything, and nothing left open."""

from __future__ import annotations

import asyncio
import stat
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import anyio
import apsw
import pytest
import trio

from pipeline import errors
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store import readers
from pipeline.store.handle import Store, open_store
from tests.store.faulty_disk import faulty_disk
from tests.store.hands import TestClock, page

ENDLESS = "WITH RECURSIVE n(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


def opened(folder: Path, pool_size: int = 4) -> AbstractAsyncContextManager[Store]:
    settings = DatabaseSettings(pool_size=pool_size, busy_timeout_ms=100)
    return open_store(settings, QueueSettings(), RetrySettings(), folder=folder, clock=TestClock())


def threads_left() -> list[str]:
    """Threads of connections that nobody closed; one that was closed ends in a moment."""
    found = [thread for thread in threading.enumerate() if "apsw" in thread.name]
    for thread in found:
        thread.join(1)
    return [thread.name for thread in found if thread.is_alive()]


async def read_for_ever(store: Store) -> None:
    await store.status._db.read(lambda conn: conn.execute(ENDLESS).get)


@pytest.mark.parametrize("loop", ["trio", "asyncio"])
def test_a_read_past_its_deadline_is_cut_off_as_busy_and_the_next_one_works(
    loop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "READ_SECONDS", 0.05)

    async def main() -> None:
        async with opened(tmp_path, pool_size=1) as store:
            with pytest.raises(errors.StoreBusy):
                await read_for_ever(store)
            assert (await store.queue.depth()).backlog == 0

    trio.run(main) if loop == "trio" else asyncio.run(main())


async def test_who_finds_no_free_connection_in_time_is_told_to_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "WAIT_SECONDS", 0.02)
    monkeypatch.setattr(readers, "READ_SECONDS", 0.2)

    async def hog(store: Store) -> None:
        with pytest.raises(errors.StoreBusy, match="too long"):
            await read_for_ever(store)

    async with opened(tmp_path, pool_size=1) as store:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hog, store)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(errors.StoreBusy, match="in use"):
                await store.queue.depth()
        assert (await store.queue.depth()).backlog == 0


async def test_a_cancelled_wait_for_a_connection_takes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "READ_SECONDS", 0.1)

    async def hog(store: Store) -> None:
        with pytest.raises(errors.StoreBusy):
            await read_for_ever(store)

    async with opened(tmp_path, pool_size=1) as store:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hog, store)
            await trio.testing.wait_all_tasks_blocked()
            with anyio.move_on_after(0):
                await store.queue.depth()
        assert (await store.queue.depth()).backlog == 0


async def test_a_reader_sees_one_moment_and_cannot_write(store: Store) -> None:
    def two_looks(conn: apsw.Connection) -> tuple[object, object]:
        first = conn.execute("SELECT count(*) FROM items").get
        with pytest.raises(apsw.ReadOnlyError):
            conn.execute("DELETE FROM items")
        return first, conn.execute("SELECT count(*) FROM items").get

    await store.items.accept(page("https://example.org/a"))
    assert await store.status._db.read(two_looks) == (1, 1)


async def test_reads_go_on_while_another_process_holds_the_write_lock(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        accepted = await store.items.accept(page("https://example.org/a"))
        other = apsw.Connection(str(tmp_path / "atlas.db"))
        other.execute("BEGIN IMMEDIATE")
        with trio.fail_after(0.2):
            assert (await store.items.get(accepted.uid)).uid == accepted.uid
        other.execute("ROLLBACK")
        other.close()


def failing_at(opening: int) -> Callable[[str], None]:
    """For a disk: the Nth opening of a database fails."""
    count = 0

    def fail(name: str) -> None:
        nonlocal count
        count += name.endswith(".db")
        if count == opening:
            raise apsw.exception_for(apsw.SQLITE_CANTOPEN)

    return fail


ATLAS_OPENINGS = 5  # the writer and four readers; those of the archive come after


@pytest.mark.parametrize("opening", range(1, ATLAS_OPENINGS + 1))
async def test_a_store_that_cannot_be_opened_leaves_no_thread_behind(tmp_path: Path, opening: int) -> None:
    with faulty_disk() as disk:
        disk.on_open = failing_at(opening)
        with pytest.raises(errors.StoreUnreadable):
            async with opened(tmp_path):
                pass
    assert threads_left() == []


@pytest.mark.parametrize("opening", range(ATLAS_OPENINGS + 1, ATLAS_OPENINGS + 3))
async def test_an_archive_that_cannot_be_opened_leaves_no_thread_behind_and_the_library_open(
    tmp_path: Path, opening: int
) -> None:
    with faulty_disk() as disk:
        disk.on_open = failing_at(opening)
        async with opened(tmp_path) as store:
            await store.status.check()
            with pytest.raises(errors.ArchiveAway):
                store.bodies.check()
    assert threads_left() == []


async def test_opening_can_be_cancelled_at_any_moment_and_leaves_no_thread_behind(tmp_path: Path) -> None:
    for tenths in range(0, 60, 3):
        with trio.move_on_after(tenths / 10_000):
            async with opened(tmp_path):
                pass
        assert threads_left() == []


async def test_all_files_are_for_their_owner_only(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as store:
        await store.items.accept(page("https://example.org/a"))
        files = list((tmp_path / "data").iterdir())
        assert {file.name for file in files} >= {"atlas.db", "atlas.db-wal", "atlas.db-shm", "archive.db"}
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
