"""F3: kill -9 at each statement of each migration: one version or the next, and the next start makes the rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import apsw
import pytest
import trio

from pipeline.store.migrate import migrate, migrations
from tests.conftest import ROOT
from tests.store.workload import opened
from tests.test_reliability.sizes import figure, size

pytestmark = pytest.mark.fault

STRIDE = size("STATEMENT_STRIDE", small=9, full=1)
SAVED = "a row from before"

# Opens the store as the roles do, and dies when it is about to run its Nth statement.
DIES = """
import os, signal, sys
from pathlib import Path
from random import Random
import apsw, trio
from tests.store.workload import opened

left = int(sys.argv[2])

def count(*_told):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return True

def hook(conn):
    conn.trace_v2(apsw.SQLITE_TRACE_STMT, count)

async def main():
    async with opened(Path(sys.argv[1]), Random(1)):
        pass

apsw.connection_hooks.append(hook)
trio.run(main)
"""


def child(folder: Path, statement: int) -> int:
    """How a start ended that was to die at its Nth statement."""
    ran = subprocess.run(
        [sys.executable, "-P", "-c", DIES, str(folder), str(statement)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode in {0, -signal.SIGKILL}, ran.stderr.decode()
    return ran.returncode


def as_before(folder: Path, version: int) -> None:
    """Files of schema `version`, with something in them; 0: none."""
    folder.mkdir()
    for name in ("atlas", "archive") if version else ():
        conn = apsw.Connection(str(folder / f"{name}.db"))
        conn.pragma("journal_mode", "wal")
        migrate(conn, migrations(name)[:version])
        if name == "atlas":
            conn.execute("INSERT INTO meta (key, value) VALUES ('test', ?)", (SAVED,))
        conn.close()


def shape(path: Path) -> tuple[int, frozenset[tuple[str, ...]]]:
    """The version of a file and all that is in its schema."""
    conn = apsw.Connection(str(path))
    try:
        assert conn.pragma("integrity_check") == "ok"
        schema = conn.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")
        return int(conn.pragma("user_version")), frozenset((str(t), str(n), str(s)) for t, n, s in schema)
    finally:
        conn.close()


def shapes(name: str) -> set[tuple[int, frozenset[tuple[str, ...]]]]:
    """What a file may be: each version, exactly."""
    found: set[tuple[int, frozenset[tuple[str, ...]]]] = {(0, frozenset())}
    for version in range(1, len(migrations(name)) + 1):
        conn = apsw.Connection(":memory:")
        migrate(conn, migrations(name)[:version])
        schema = conn.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")
        found.add((version, frozenset((str(t), str(n), str(s)) for t, n, s in schema)))
        conn.close()
    return found


async def start_and_stop(folder: Path) -> None:
    async with opened(folder, Random(1)) as store:
        assert (await store.status.sweep()).drift == 0


@pytest.mark.parametrize("version", [0, 1], ids=["a new folder", "files of schema 1"])
def test_an_upgrade_killed_at_any_statement_leaves_one_version_or_the_next_and_is_made_by_the_next_start(
    tmp_path: Path, version: int
) -> None:
    legal = {name: shapes(name) for name in ("atlas", "archive")}
    killed, statement, seen = 0, 1, set()
    while True:
        folder = tmp_path / str(statement)
        as_before(folder, version)
        if child(folder, statement) == 0:
            break
        killed += 1
        for name in ("atlas", "archive"):
            if (folder / f"{name}.db").exists():
                found = shape(folder / f"{name}.db")
                assert found in legal[name], f"{name}.db is none of the versions after statement {statement}"
                seen.add((name, found[0]))
        trio.run(start_and_stop, folder)
        for name in ("atlas", "archive"):
            assert shape(folder / f"{name}.db")[0] == len(migrations(name))
        if version:
            conn = apsw.Connection(str(folder / "atlas.db"))
            assert conn.execute("SELECT value FROM meta WHERE key = 'test'").get == SAVED
            conn.close()
        statement += STRIDE
    figure(
        "F3", f"from schema {version}: killed at {killed} of {statement - 1} statements, versions met {sorted(seen)}"
    )
    assert killed >= 3
