"""`store.status`: where everything stands, what each role says of itself, and the scheduler's checks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import cast

import anyio
import apsw
import msgspec

from pipeline import errors
from pipeline.store import counts, rows
from pipeline.store.bodies import Archive
from pipeline.store.counts import Count
from pipeline.store.damage import Damage
from pipeline.store.disk import Room
from pipeline.store.figures import SWEPT, Figures, FileSize, figures, file_size
from pipeline.store.ports import Db

IDEMPOTENCY_MS = 86_400_000  # a key is remembered for a day
PAUSED = "paused"  # an actor whose steps need the archive while that cannot be used
OUTBOX_MS = 7 * 86_400_000  # events are kept for a week


class ActorReport(msgspec.Struct, frozen=True, kw_only=True):
    """One stage actor as its supervisor sees it."""

    name: str
    state: str  # running, paused, restarting, stopped, failed
    restarts: int = 0
    stalls: int = 0
    slots: int = 0
    busy: int = 0
    mailbox: int = 0
    capacity: int = 0
    last_error: str | None = None


class RoleReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a role last said of itself. Times are wall ms; `stopped_at` is set by a clean stop."""

    role: str
    boot: str
    pid: int
    started_at: int
    seen_at: int
    stopped_at: int | None = None
    actors: tuple[ActorReport, ...] = ()


class Format(msgspec.Struct, frozen=True, kw_only=True):
    """How one database is kept."""

    name: str
    schema: int
    journal: str  # wal, and nothing else


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """What the scheduler's round did: `drift` other than 0 is an alarm."""

    drift: int
    pruned: int


class StatusStore:
    """`store.status`"""

    def __init__(self, db: Db, *, files: Mapping[str, Path], archive: Archive) -> None:
        self._db = db
        self._files = files
        self._archive = archive

    async def figures(self) -> Figures:
        """What monitors are told, as of one moment; never a scan."""
        return await self._db.read(lambda conn: figures(conn, self._db.queue))

    def engine(self) -> str:
        """The version of the database engine."""
        return apsw.sqlite_lib_version()

    async def formats(self) -> tuple[Format, ...]:
        """Of the databases that are open, the library's first."""
        found = await self._db.read(partial(_format, "atlas"))
        if self._archive.readers is None:
            return (found,)
        return (found, await self._archive.readers.read(partial(_format, "archive")))

    def file_sizes(self) -> tuple[FileSize, ...]:
        """How large the databases and their write-ahead logs are."""
        return tuple(file_size(name, path) for name, path in self._files.items())

    def writes_waiting(self) -> dict[str, int]:
        """How many writes of this process wait for the next transaction, by database."""
        waiting = {"atlas": self._db.writer.waiting}
        return waiting if self._archive.writer is None else waiting | {"archive": self._archive.writer.waiting}

    async def counts(self) -> tuple[Count, ...]:
        """How many items are at which stage in which state; never a scan."""
        return await self._db.read(counts.by_stage)

    async def roles(self) -> tuple[RoleReport, ...]:
        """The last report of every role."""
        return await self._db.read(_roles)

    async def report(self, report: RoleReport) -> None:
        """Say how a role is. Callers write on change, at most once a second."""
        actors = msgspec.json.encode(report.actors).decode()

        def write(conn: apsw.Connection) -> None:
            conn.execute(
                """INSERT OR REPLACE INTO roles (role, boot, pid, started_at, seen_at, stopped_at, report)
                   VALUES (?, ?, ?, ?, ?, ?, ?)""",
                (
                    report.role,
                    report.boot,
                    report.pid,
                    report.started_at,
                    report.seen_at,
                    report.stopped_at,
                    actors,
                ),
            )

        await self._db.write(write)

    async def check(self, *, seconds: float | None = None) -> None:
        """Raise StoreError unless the database can be read and its write lock be had.

        With `seconds`, StoreBusy comes after so long, whatever the busy timeout is.
        """
        await self._db.read(lambda conn: conn.execute("SELECT 1 FROM items LIMIT 1").get)
        with anyio.move_on_after(math.inf if seconds is None else seconds):
            await self._db.write(_nothing)
            return
        raise errors.StoreBusy("a write takes longer than it should", hint="another process holds the database's lock")

    def disk(self) -> Room | None:
        """The room on the disk, as the guard of saving and claiming sees it; None when that cannot be known."""
        return self._db.disk.room()

    def damage(self) -> Damage | None:
        """For which the library is in safe mode: it is read as far as it can be, and nothing is written to it."""
        return self._db.guard.seen()

    def writer_busy_seconds(self) -> float:
        """How long the write at work has taken: a disk that hangs shows here, a foreign lock for 5 s only."""
        archive = self._archive.writer
        return max(self._db.writer.busy_seconds, 0.0 if archive is None else archive.busy_seconds)

    async def sweep(self) -> Swept:
        """The scheduler's round: recount, prune what has served its time, let SQLite tune its statistics."""
        now = self._db.clock.wall_ms()
        drift = await self._db.write(lambda conn: _recount(conn, now))
        pruned = await self._db.write(lambda conn: _prune(conn, now))
        await self._db.write(lambda conn: conn.pragma("optimize"))
        return Swept(drift=drift, pruned=pruned)


def _recount(conn: apsw.Connection, now: int) -> int:
    conn.execute("INSERT OR REPLACE INTO totals (name, n) VALUES (?, ?)", (SWEPT, now))
    return counts.recount(conn)


def _format(name: str, conn: apsw.Connection) -> Format:
    return Format(
        name=name, schema=rows.integer(conn.pragma("user_version")), journal=rows.text(conn.pragma("journal_mode"))
    )


def _nothing(_conn: apsw.Connection) -> None:
    """An empty transaction: taking the write lock is the test."""


def _roles(conn: apsw.Connection) -> tuple[RoleReport, ...]:
    found = conn.execute("SELECT role, boot, pid, started_at, seen_at, stopped_at, report FROM roles ORDER BY role")
    return tuple(
        RoleReport(
            role=rows.text(role),
            boot=rows.text(boot),
            pid=rows.integer(pid),
            started_at=rows.integer(started_at),
            seen_at=rows.integer(seen_at),
            stopped_at=cast("int | None", stopped_at),
            actors=msgspec.json.decode(rows.text(report), type=tuple[ActorReport, ...]),
        )
        for role, boot, pid, started_at, seen_at, stopped_at, report in found
    )


def _prune(conn: apsw.Connection, now: int) -> int:
    before = conn.total_changes()
    conn.execute("DELETE FROM idempotency WHERE created_at < ?", (now - IDEMPOTENCY_MS,))
    conn.execute("DELETE FROM outbox WHERE at < ?", (now - OUTBOX_MS,))
    conn.execute("DELETE FROM tokens WHERE expires_at IS NOT NULL AND expires_at < ?", (now,))
    return conn.total_changes() - before
