"""A copy of a live database as of one moment, for a process that makes backups: synchronous, in nobody's way."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

import apsw

from pipeline.errors import StoreUnreadable
from pipeline.store.connection import ARCHIVE_CACHES, ATLAS_CACHES, mapped, prepare_reader
from pipeline.store.migrate import check_header

ALL_PAGES: Final = -1  # a loop of smaller steps begins anew at every write of somebody else, and never ends under load
BUSY_MS: Final = 5000
NOTE_TRIES: Final = 6  # of BUSY_MS each: a role that writes all the time lets others in between


def snapshot(source: Path, target: Path, *, durable: bool = True) -> None:
    """Copy `source`, which others may be writing, to the new file `target` (0600); `durable`: and sync that.

    Readers and writers go on; the write-ahead log cannot be cut back meanwhile. Raises StoreError. What was written of
    `target` stays when it does.
    """
    with mapped(f"copy {source}"), contextlib.closing(live(source)) as original:
        check_header(original)
        with contextlib.closing(fresh(target)) as copy, copy.backup("main", original, "main") as backup:
            backup.step(ALL_PAGES)
    if durable:
        sync(target)


def note(path: Path, figures: Mapping[str, int]) -> None:
    """Write rows of `totals` into a live database of whatever schema, without migrating it. Raises StoreError."""
    with mapped(f"note in {path}"), contextlib.closing(_opened(path, apsw.SQLITE_OPEN_READWRITE)) as conn:
        conn.set_busy_timeout(BUSY_MS)
        check_header(conn)
        conn.pragma("synchronous", "FULL")
        conn.wal_autocheckpoint(0)  # that is the roles' business
        _begin(conn)
        conn.executemany("INSERT OR REPLACE INTO totals (name, n) VALUES (?, ?)", tuple(figures.items()))
        conn.execute("COMMIT")


def _begin(conn: apsw.Connection) -> None:
    for _ in range(NOTE_TRIES - 1):
        with contextlib.suppress(apsw.BusyError):
            conn.execute("BEGIN IMMEDIATE")
            return
    conn.execute("BEGIN IMMEDIATE")


def live(path: Path) -> apsw.Connection:
    """A connection that only reads a database which others write."""
    # It may write all the same: one that may not leaves the files of the WAL behind when it is the last.
    conn = _opened(path, apsw.SQLITE_OPEN_READWRITE)
    prepare_reader(ATLAS_CACHES)(conn)
    conn.set_busy_timeout(BUSY_MS)
    return conn


@contextlib.contextmanager
def reading(path: Path) -> Iterator[apsw.Connection]:
    """A `frozen` connection. Raises StoreError, also for what is no text though the schema says so."""
    with mapped(f"read {path.name}"), contextlib.closing(frozen(path)) as conn:
        try:
            yield conn
        except UnicodeDecodeError as error:
            raise StoreUnreadable(
                f"{path.name} is damaged: it holds what is no text", hint="use another one"
            ) from error


def frozen(path: Path) -> apsw.Connection:
    """A connection to a file that nobody writes, and that may be anybody's: nothing in its schema is run or trusted.

    No file appears beside it. What has to be sorted is sorted in temporary files, not in memory.
    """
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    conn = apsw.Connection(f"file:{quote(str(path))}?immutable=1", flags=flags)
    conn.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    conn.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    conn.config(apsw.SQLITE_DBCONFIG_ENABLE_VIEW, 0)
    prepare_reader(ARCHIVE_CACHES)(conn)
    conn.pragma("temp_store", 1)
    return conn


def fresh(path: Path) -> apsw.Connection:
    """A connection to a new file (0600) that is of no use before all of it is written and synced: see `sync`."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    conn = _opened(path, apsw.SQLITE_OPEN_READWRITE)
    conn.pragma("journal_mode", "off")
    conn.pragma("synchronous", "off")
    conn.pragma("cache_size", -ARCHIVE_CACHES.writer_kib)
    conn.pragma("mmap_size", 0)
    return conn


def sync(path: Path) -> None:
    """Bring a file, or a folder's list of names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _opened(path: Path, flags: int) -> apsw.Connection:
    return apsw.Connection(str(path), flags=flags)
