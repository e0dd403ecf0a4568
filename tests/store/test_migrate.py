"""Opening a file: ours, new, foreign, older, newer, or one that several processes open for the first time at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import apsw
import pytest
import trio

from pipeline import errors
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.handle import open_store
from pipeline.store.migrate import APPLICATION_ID, SCHEMA_VERSION, Migration, migrate, migrations
from tests.conftest import ROOT
from tests.store.faulty_disk import faulty_disk
from tests.store.hands import TestClock, page

TWO = (Migration(1, "0001", "CREATE TABLE a (x)"), Migration(2, "0002", "CREATE TABLE b (x); CREATE TABLE c (x)"))


async def open_and_close(folder: Path) -> None:
    async with open_store(
        DatabaseSettings(), QueueSettings(), RetrySettings(), folder=folder, clock=TestClock()
    ) as store:
        await store.items.accept(page("https://example.org/a"))


def database(path: Path, *statements: str) -> None:
    conn = apsw.Connection(str(path))
    for statement in statements:
        conn.execute(statement)
    conn.close()


def version(conn: apsw.Connection) -> tuple[object, list[str]]:
    tables = conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    return conn.pragma("user_version"), [str(name) for (name,) in tables]


def test_a_migration_that_fails_leaves_the_version_and_the_tables_of_the_one_before() -> None:
    conn = apsw.Connection(":memory:")
    broken = Migration(2, "0002", "CREATE TABLE b (x); CREATE TABLE a (x)")
    with pytest.raises(apsw.SQLError):
        migrate(conn, (TWO[0], broken))
    assert version(conn) == (1, ["a"])
    assert migrate(conn, TWO) == 2
    assert version(conn) == (2, ["a", "b", "c"])


def test_migrating_twice_changes_nothing() -> None:
    conn = apsw.Connection(":memory:")
    migrate(conn, TWO)
    before = conn.total_changes()
    assert migrate(conn, TWO) == 2
    assert conn.total_changes() == before


@pytest.mark.parametrize("name", ["atlas", "archive"])
def test_the_migrations_are_numbered_without_a_gap_up_to_the_schema_of_this_code(name: str) -> None:
    numbers = [step.number for step in migrations(name)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) <= SCHEMA_VERSION
    assert len(migrations("atlas")) == SCHEMA_VERSION


KILLED_IN_SYNC = """
import os, signal, sys
from pathlib import Path
import trio
from tests.store.faulty_disk import faulty_disk
from tests.store.test_migrate import open_and_close
left = int(sys.argv[2])
def die(name):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
with faulty_disk() as disk:
    disk.on_sync = die
    trio.run(open_and_close, Path(sys.argv[1]))
"""


@pytest.mark.parametrize("syncs", [0, 1, 2])
def test_a_first_start_killed_in_the_middle_leaves_all_or_nothing_and_the_next_one_succeeds(
    tmp_path: Path, syncs: int
) -> None:
    child = subprocess.run(
        [sys.executable, "-P", "-c", KILLED_IN_SYNC, str(tmp_path), str(syncs)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    trio.run(open_and_close, tmp_path)
    conn = apsw.Connection(str(tmp_path / "atlas.db"))
    assert conn.pragma("integrity_check") == "ok"
    assert conn.pragma("user_version") == SCHEMA_VERSION
    conn.close()


@pytest.mark.parametrize("identity", [0, 4711])
async def test_a_database_of_somebody_else_is_refused_and_stays_as_it_was(tmp_path: Path, identity: int) -> None:
    database(tmp_path / "atlas.db", "CREATE TABLE theirs (x)", f"PRAGMA application_id = {identity}")
    before = (tmp_path / "atlas.db").read_bytes()
    with pytest.raises(errors.StoreUnreadable, match="not one of Atlas"):
        await open_and_close(tmp_path)
    assert (tmp_path / "atlas.db").read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["atlas.db", "library.lock"]  # noqa: ASYNC240 - a look


async def test_a_file_that_is_no_database_is_refused_and_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "atlas.db").write_bytes(b"Dear diary, " * 1000)
    with pytest.raises(errors.StoreUnreadable):
        await open_and_close(tmp_path)
    assert (tmp_path / "atlas.db").read_bytes() == b"Dear diary, " * 1000


async def test_a_newer_file_that_this_code_still_serves_is_opened_and_not_migrated(tmp_path: Path) -> None:
    await open_and_close(tmp_path)
    newer = SCHEMA_VERSION + 1
    database(
        tmp_path / "atlas.db",
        "CREATE TABLE from_the_future (x)",
        f"PRAGMA user_version = {newer}",
        f"INSERT INTO meta VALUES ('oldest_code', '{SCHEMA_VERSION}')",
    )
    await open_and_close(tmp_path)
    conn = apsw.Connection(str(tmp_path / "atlas.db"))
    assert (conn.pragma("user_version"), conn.pragma("application_id")) == (newer, APPLICATION_ID)
    conn.close()


async def test_a_newer_file_that_needs_newer_code_is_refused_with_what_to_do(tmp_path: Path) -> None:
    await open_and_close(tmp_path)
    newer = SCHEMA_VERSION + 1
    database(
        tmp_path / "atlas.db",
        f"PRAGMA user_version = {newer}",
        f"INSERT INTO meta VALUES ('oldest_code', '{newer}')",
    )
    with pytest.raises(errors.StoreTooNew) as refused:
        await open_and_close(tmp_path)
    assert "install the newer release" in refused.value.hint


async def test_a_folder_that_cannot_be_written_to_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(errors.StoreUnreadable):
        await open_and_close(tmp_path / "data")


async def test_a_file_that_another_process_creates_while_we_look_is_not_taken_for_somebody_else_s(
    tmp_path: Path,
) -> None:
    """Between two looks at a new file another process has migrated it: the header is read in one moment."""
    path = tmp_path / "atlas.db"
    path.touch()
    conn = apsw.Connection(str(path))
    other = apsw.Connection(str(path))
    other.pragma("journal_mode", "wal")
    done = False

    def another_process(_cursor: object, statement: str, _bindings: object) -> bool:
        nonlocal done
        if "sqlite_schema" in statement and not done:
            done = True
            migrate(other, migrations("atlas"))
        return True

    conn.exec_trace = another_process
    assert migrate(conn, migrations("atlas")) == SCHEMA_VERSION
    conn.close()
    other.close()


MANY = """
import sys
from pathlib import Path
import trio
from tests.store.test_migrate import open_and_close
print("ready", flush=True)
sys.stdin.read()
trio.run(open_and_close, Path(sys.argv[1]))
"""


def test_processes_that_open_a_new_folder_at_the_same_moment_all_succeed(tmp_path: Path) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-P", "-c", MANY, str(tmp_path / "data")],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(4)
    ]
    for child in children:
        assert child.stdout is not None
        child.stdout.readline()
    for child in children:
        assert child.stdin is not None
        child.stdin.close()
        child.stdin = None
    said = [child.communicate()[1].decode() for child in children]
    assert said == [""] * 4


async def test_readers_go_on_while_another_process_migrates(tmp_path: Path) -> None:
    await open_and_close(tmp_path)
    async with open_store(
        DatabaseSettings(), QueueSettings(), RetrySettings(), folder=tmp_path, clock=TestClock()
    ) as store:
        other = apsw.Connection(str(tmp_path / "atlas.db"))
        other.execute("BEGIN IMMEDIATE; ALTER TABLE items ADD COLUMN later TEXT; CREATE TABLE later (x)")
        assert (await store.queue.depth()).backlog == 1
        other.execute("COMMIT")
        other.close()
        assert (await store.queue.depth()).backlog == 1
        accepted = await store.items.accept(page("https://example.org/b"))
        assert accepted.created


def test_the_faulty_disk_of_these_tests_is_gone_after_them() -> None:
    with faulty_disk():
        pass
    assert "faulty" not in apsw.vfs_names()
