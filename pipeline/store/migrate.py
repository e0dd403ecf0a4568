"""Migrations: numbered files, each in one transaction with the version it leads to. Additive only, so that the
previous release still runs on the new schema; code refuses only a file that names a later `oldest_code`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import apsw

from pipeline import errors

APPLICATION_ID = 0x41544C53  # "ATLS"
SCHEMA_VERSION = 5  # of this code: what `oldest_code` in a newer file is compared with


class Migration:
    """One numbered file."""

    def __init__(self, number: int, name: str, sql: str) -> None:
        self.number = number
        self.name = name
        self.sql = sql


def migrations(database: str) -> tuple[Migration, ...]:
    """The migrations of `atlas` or `archive`, in order."""
    folder = resources.files("pipeline.store") / "migrations" / database
    found = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return tuple(
        Migration(int(name.split("_", 1)[0]), name, (folder / name).read_text(encoding="utf-8")) for name in found
    )


def migrate(conn: apsw.Connection, steps: Sequence[Migration]) -> int:
    """Bring the file to the newest version; returns it. Atomic per migration, safe to call twice and by two processes.

    Raises StoreUnreadable for a file that is not ours and StoreTooNew for one that this code cannot serve.
    """
    check_header(conn)
    for step in steps:
        if int(conn.pragma("user_version")) >= step.number:
            continue
        conn.execute("BEGIN IMMEDIATE")
        try:
            if int(conn.pragma("user_version")) < step.number:  # another process may have been faster
                conn.execute(step.sql)
                conn.pragma("application_id", APPLICATION_ID)
                conn.pragma("user_version", step.number)
            conn.execute("COMMIT")
        except BaseException:
            if conn.in_transaction:
                conn.execute("ROLLBACK")
            raise
    return int(conn.pragma("user_version"))


def check_header(conn: apsw.Connection) -> None:
    """Whether the file is ours and of a version that this code can use. Reads the header and one row, nothing deep.

    In one snapshot: another process may be creating it at this moment.
    """
    conn.execute("BEGIN")
    try:
        _check(conn)
    finally:
        if conn.in_transaction:  # an error of the disk may have ended it
            conn.execute("ROLLBACK")


def _check(conn: apsw.Connection) -> None:
    identity, version = int(conn.pragma("application_id")), int(conn.pragma("user_version"))
    name = Path(conn.filename).name
    if version == 0 and identity == 0 and not conn.execute("SELECT 1 FROM sqlite_schema LIMIT 1").get:
        return
    if identity != APPLICATION_ID:
        raise errors.StoreUnreadable(
            f"{name} is a database, but not one of Atlas", hint="point [data] dir or [database] path at another folder"
        )
    if version > SCHEMA_VERSION:
        oldest = oldest_code(conn)
        if oldest > SCHEMA_VERSION:
            raise errors.StoreTooNew(
                f"{name} has schema {version} and needs a release that knows schema {oldest}; this one knows"
                f" {SCHEMA_VERSION}",
                hint="install the newer release, or restore a backup from before the upgrade",
            )


def oldest_code(conn: apsw.Connection) -> int:
    """Of the code that may serve the file, the oldest; 0 when it does not say."""
    if not conn.execute("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").get:
        return 0
    value = conn.execute("SELECT value FROM meta WHERE key = 'oldest_code'").get
    return int(str(value)) if value is not None else 0
