"""Deep checks: what shows only when every page of a database is read. For a person who waits, never for a role.

All of it reads, so nobody is kept from writing: `integrity_check` asks FTS5 as well, whose own command for that is an
INSERT and would hold the write lock. What runs meanwhile lets the write-ahead log grow until the end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import apsw

from pipeline.store import rows
from pipeline.store.connection import ATLAS_CACHES, mapped, prepare_reader
from pipeline.store.migrate import check_header

FAULTS_MOST: Final = 20  # of each kind: a damaged file has thousands, and the first say enough
INTERRUPT_STEPS: Final = 100_000  # of SQLite, a few milliseconds, between two moments at which Ctrl-C is heard


def examine(path: Path, *, tidy: bool = True) -> tuple[str, ...]:
    """What is wrong with the pages, the indexes, the full text and the references of a database; nothing when sound.

    Blocks for as long as reading the whole file takes, and answers Ctrl-C. Raises StoreError when it cannot be opened.
    What is damaged stays as it is, byte by byte; so does all else without `tidy`, which lets SQLite empty the WAL.
    """
    with mapped(f"examine {path}"), contextlib.closing(_opened(path)) as conn:
        conn.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        prepare_reader(ATLAS_CACHES)(conn)
        conn.set_progress_handler(lambda: False, INTERRUPT_STEPS)
        found = tuple(dict.fromkeys((*_until_damage(_integrity(conn)), *_until_damage(_references(conn)))))
        if tidy and not found:
            conn.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
        return found


def schema_of(path: Path, *, tidy: bool = True) -> int:
    """The schema number of a database as it lies there, 0 for one without any; opening the store would migrate it.

    Raises StoreError when it cannot be read.
    """
    with mapped(f"open {path}"), contextlib.closing(_opened(path)) as conn:
        conn.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        check_header(conn)
        version = int(conn.pragma("user_version"))
        if tidy:
            conn.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
        return version


def _opened(path: Path) -> apsw.Connection:
    # That may write, though it only reads: one that may not leaves the files of the WAL behind when it is the last.
    return apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)


def _until_damage(faults: Iterator[str]) -> Iterator[str]:
    """The faults, with that which kept SQLite from looking on as the last of them."""
    try:
        yield from faults
    except apsw.CorruptError as error:
        yield str(error)


def _integrity(conn: apsw.Connection) -> Iterator[str]:
    """A line each: what is wrong with the pages comes as one answer."""
    for (found,) in conn.execute(f"PRAGMA integrity_check({FAULTS_MOST})"):
        yield from (line for line in rows.text(found).splitlines() if line not in ("ok", "*** in database main ***"))


def _references(conn: apsw.Connection) -> Iterator[str]:
    for table, rowid, parent, _key in islice(conn.execute("PRAGMA foreign_key_check"), FAULTS_MOST):
        which = "a row" if rowid is None else f"row {rowid}"
        yield f"{which} of {table} refers to one of {parent} that is not there"
