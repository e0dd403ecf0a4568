"""Group commit: whoever waits shares a transaction, nobody shares a failure, and a disk that fails ends it all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import anyio
import apsw
import pytest
import trio

from pipeline import errors
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store import writer as group_commit
from pipeline.store.connection import mapping
from pipeline.store.handle import Store, open_store
from pipeline.store.writer import Writer
from tests.conftest import ROOT
from tests.store.faulty_disk import FaultyDisk, fails, faulty_disk
from tests.store.hands import TestClock, page

QUICK = DatabaseSettings(busy_timeout_ms=100)


def writer_of(store: Store) -> Writer:
    return store.status._db.writer


def put(key: str, value: str = "") -> object:
    return lambda conn: conn.execute("INSERT INTO meta (key, value) VALUES (?, ?)", (key, value)).get


def keys(folder: Path) -> list[str]:
    """What another process sees."""
    conn = apsw.Connection(str(folder / "atlas.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return [str(key) for (key,) in conn.execute("SELECT key FROM meta ORDER BY key")]
    finally:
        conn.close()


def opened(folder: Path, settings: DatabaseSettings = QUICK) -> AbstractAsyncContextManager[Store]:
    return open_store(settings, QueueSettings(), RetrySettings(), folder=folder, clock=TestClock())


async def test_requests_that_wait_together_share_transactions(store: Store) -> None:
    writer = writer_of(store)
    before = writer.batches
    async with trio.open_nursery() as nursery:
        for number in range(100):
            nursery.start_soon(writer.submit, put(f"{number:03}"))
    # 64 in one, the rest in the next.
    assert writer.batches - before <= 3


async def test_an_answer_comes_only_when_everybody_else_could_read_it(store: Store, tmp_path: Path) -> None:
    await writer_of(store).submit(put("a"))
    assert keys(tmp_path / "data") == ["a"]


async def test_a_request_that_fails_takes_back_all_of_itself_and_nothing_of_its_neighbours(
    store: Store, tmp_path: Path
) -> None:
    writer = writer_of(store)
    failed: list[Exception] = []

    def writes_then_fails(conn: apsw.Connection) -> None:
        put("mine")(conn)
        put("a")(conn)  # there by then

    async def fail() -> None:
        try:
            await writer.submit(writes_then_fails)
        except errors.StoreError as error:
            failed.append(error)

    async with trio.open_nursery() as nursery:
        for request in ("a", None, "b"):
            if request is None:
                nursery.start_soon(fail)
            else:
                nursery.start_soon(writer.submit, put(request))
            await trio.testing.wait_all_tasks_blocked()
    assert len(failed) == 1
    assert keys(tmp_path / "data") == ["a", "b"]


async def test_without_the_lock_everybody_who_waits_is_told_after_one_timeout(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        other = apsw.Connection(str(tmp_path / "atlas.db"))
        other.execute("BEGIN IMMEDIATE")
        told: list[float] = []

        async def write(number: int) -> None:
            with pytest.raises(errors.StoreBusy):
                await writer_of(store).submit(put(f"{number}"))
            told.append(trio.current_time())

        async with trio.open_nursery() as nursery:
            for number in range(group_commit.BATCH * 6):
                nursery.start_soon(write, number)
        assert max(told) - min(told) < 0.3, "one timeout, not one a batch"
        other.execute("COMMIT")
        other.close()
        await writer_of(store).submit(put("after"))
    assert keys(tmp_path) == ["after"]


async def test_a_request_whose_caller_is_gone_before_its_turn_is_not_made(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        writer = writer_of(store)
        other = apsw.Connection(str(tmp_path / "atlas.db"))
        other.execute("BEGIN IMMEDIATE")
        async with trio.open_nursery() as nursery:

            async def first() -> None:
                with pytest.raises(errors.StoreBusy):
                    await writer.submit(put("first"))

            nursery.start_soon(first)
            await trio.testing.wait_all_tasks_blocked()
            with trio.move_on_after(0):
                await writer.submit(put("given up"))
            assert writer.waiting == 0
        other.execute("COMMIT")
        other.close()
        await writer.submit(put("after"))
    assert keys(tmp_path) == ["after"]


async def test_a_full_disk_refuses_and_there_is_room_again_when_there_is_room_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        writer = writer_of(store)
        full = await writer.submit(lambda conn: conn.pragma("page_count"))
        await writer.submit(lambda conn: conn.pragma("max_page_count", full))
        with pytest.raises(errors.StoreFull):
            await writer.submit(put("big", "x" * 100_000))
        await writer.submit(lambda conn: conn.pragma("max_page_count", 1_000_000))
        await writer.submit(put("big", "x" * 100_000))
    assert keys(tmp_path) == ["big"]


def test_no_room_for_the_index_of_the_wal_is_a_full_disk_and_not_a_broken_one() -> None:
    no_room = apsw.exception_for(apsw.SQLITE_IOERR_SHMSIZE)
    assert isinstance(mapping(no_room, "open"), errors.StoreFull)
    assert isinstance(mapping(apsw.exception_for(apsw.SQLITE_IOERR_SHMMAP), "open"), errors.StoreBroken)


async def test_a_disk_that_cannot_sync_ends_the_store_and_everyone_who_waits(tmp_path: Path) -> None:
    told: list[Exception] = []

    async def main(disk: FaultyDisk) -> None:
        async with opened(tmp_path) as store:
            await writer_of(store).submit(put("before"))
            disk.on_sync = fails(apsw.SQLITE_IOERR_FSYNC)

            async def write(number: int) -> None:
                try:
                    await writer_of(store).submit(put(f"{number}"))
                except errors.StoreBroken as error:
                    told.append(error)

            async with trio.open_nursery() as nursery:
                for number in range(group_commit.BATCH * 2):
                    nursery.start_soon(write, number)
                await trio.sleep_forever()

    with faulty_disk() as disk, pytest.raises(errors.StoreBroken):
        await main(disk)
    assert len(told) == group_commit.BATCH * 2
    async with opened(tmp_path) as store:
        assert await writer_of(store).submit(lambda conn: conn.pragma("integrity_check")) == "ok"
    assert "before" in keys(tmp_path)


async def test_whoever_cleans_up_on_a_broken_disk_does_not_hide_that_it_is_broken(tmp_path: Path) -> None:
    async def main(disk: FaultyDisk) -> None:
        async with opened(tmp_path) as store:
            disk.on_sync = fails(apsw.SQLITE_IOERR_FSYNC)
            try:
                with pytest.raises(errors.StoreBroken):
                    await store.items.accept(page("https://example.org/a"))
                await trio.sleep_forever()
            finally:
                # As a worker gives its leases back.
                with anyio.CancelScope(shield=True):
                    await store.queue.release_all(boot="b")

    with faulty_disk() as disk, pytest.raises(errors.StoreBroken):
        await main(disk)


async def test_a_checkpoint_that_finds_the_disk_full_is_put_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "CHECK_WAL_EVERY", 1)
    monkeypatch.setattr(group_commit, "WAL_TRUNCATE_BYTES", 0)
    with faulty_disk() as disk:
        async with opened(tmp_path) as store:

            def full(name: str) -> None:
                if name == "atlas.db":
                    raise apsw.exception_for(apsw.SQLITE_FULL)

            disk.on_write = full
            await writer_of(store).submit(put("a"))
            await writer_of(store).submit(put("b"))
            disk.on_write = lambda _name: None
    assert keys(tmp_path) == ["a", "b"]


async def test_the_wal_is_cut_back_when_it_has_grown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "CHECK_WAL_EVERY", 2)
    monkeypatch.setattr(group_commit, "WAL_TRUNCATE_BYTES", 50_000)
    async with opened(tmp_path) as store:
        wal = tmp_path / "atlas.db-wal"
        writer = writer_of(store)
        if writer.batches % 2:
            await writer.submit(put("even"))
        await writer.submit(put("a", "x" * 100_000))
        assert wal.stat().st_size > 50_000
        await writer.submit(put("b"))
        await store.status.counts()
        await writer.submit(put("c"))
        assert wal.stat().st_size < 50_000


async def test_a_closed_store_refuses_at_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        writer = writer_of(store)
    with pytest.raises(errors.StoreError):
        await writer.submit(put("late"))


async def test_more_than_there_is_memory_for_is_refused_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "PENDING", 3)
    refused: list[Exception] = []

    async def write(number: int) -> None:
        try:
            await writer_of(store).submit(put(f"{number}"))
        except errors.StoreBusy as error:
            refused.append(error)

    async with opened(tmp_path) as store, trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(write, number)
    assert len(refused) == 2
    assert len(keys(tmp_path)) == 3


KILLED_IN_SYNC = """
import os, signal, sys
from pathlib import Path
import trio
from pipeline.clock import SystemClock
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.connection import mapping
from pipeline.store.handle import open_store
from tests.store.faulty_disk import faulty_disk
from tests.store.hands import page

async def main(disk):
    async with open_store(DatabaseSettings(), QueueSettings(), RetrySettings(), folder=Path(sys.argv[1]),
                          clock=SystemClock()) as store:
        left = int(sys.argv[2])
        def die(name):
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        disk.on_sync = die
        for number in range(100):
            accepted = await store.items.accept(page(f"https://example.org/{number}"))
            print(accepted.uid, flush=True)

with faulty_disk() as disk:
    trio.run(main, disk)
"""


@pytest.mark.parametrize("syncs", [0, 7])
def test_a_process_killed_in_the_middle_of_a_commit_has_kept_what_it_said_and_nothing_by_half(
    tmp_path: Path, syncs: int
) -> None:
    child = subprocess.run(
        [sys.executable, "-P", "-c", KILLED_IN_SYNC, str(tmp_path), str(syncs)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
        text=True,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    said = child.stdout.split()
    assert len(said) >= min(syncs, 1)

    async def look() -> None:
        async with opened(tmp_path) as store:
            assert await writer_of(store).submit(lambda conn: conn.pragma("integrity_check")) == "ok"
            for uid in said:
                assert len(await store.items.steps(uid)) == 2
            # The one that was being committed is whole or not there.
            assert (await store.queue.depth()).backlog in {len(said), len(said) + 1}
            assert (await store.status.sweep()).drift == 0

    trio.run(look)


async def test_a_sync_that_fails_while_the_wal_is_copied_ends_the_store_and_takes_back_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "CHECKPOINT_PAGES", 1)
    answered = []
    with faulty_disk() as disk, pytest.raises(errors.StoreBroken):  # noqa: PT012
        async with opened(tmp_path) as store:

            def on_the_database(name: str) -> None:
                if not name.endswith("-wal"):
                    raise apsw.exception_for(apsw.SQLITE_IOERR_FSYNC)

            disk.on_sync = on_the_database
            await writer_of(store).submit(put("kept"))
            answered.append("kept")
            await anyio.sleep_forever()
    assert answered == ["kept"]
    assert keys(tmp_path) == ["kept"]
