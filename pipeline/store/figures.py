"""Figures: what monitors are told of the whole system, in one read that scans no big table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import apsw
import msgspec

from pipeline.settings import QueueSettings
from pipeline.store import counts, rows
from pipeline.store.counts import Count, QueueDepth

BACKUP = "backup_at"  # in `totals`: when a backup was last made, and when one was last restored and checked
BACKUP_VERIFIED = "backup_verified_at"
DRILLED = "drilled_at"  # when the newest was last restored with all bodies
COPIED = "backup_copied_at"  # when those that are good were last all in another place
SWEPT = "swept_at"


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """As of one moment. Times are wall ms."""

    counts: tuple[Count, ...]
    depth: QueueDepth
    breakers: Mapping[tuple[str, str], int]  # (host or provider, open or half_open) → how many
    drift: int
    swept_at: int | None
    backup_at: int | None
    backup_verified_at: int | None
    first_item_at: int | None  # since when there is something to lose
    poll_due_at: int | None  # of the feed poll that has been ready for longest
    drilled_at: int | None = None
    copied_at: int | None = None

    def backup_age(self, now: int, *, verified: bool = False) -> float:
        """Seconds since the last backup, or since there is something to lose: that is how much would be lost."""
        return self._age(now, self.backup_verified_at if verified else self.backup_at)

    def drill_age(self, now: int) -> float:
        """Seconds since a backup was last restored with all bodies, or since there is something to lose."""
        return self._age(now, self.drilled_at)

    def _age(self, now: int, at: int | None) -> float:
        since = at or self.first_item_at
        return 0.0 if since is None else max(0.0, (now - since) / 1000)


class FileSize(msgspec.Struct, frozen=True, kw_only=True):
    """Of one database, in bytes."""

    name: str
    database: int
    wal: int


def figures(conn: apsw.Connection, limits: QueueSettings) -> Figures:
    """Counts from the table that triggers keep, ages from indexes, the rest from tables that are small by nature."""
    totals = {rows.text(name): rows.integer(n) for name, n in conn.execute("SELECT name, n FROM totals")}
    first = conn.execute("SELECT created_at FROM items ORDER BY id LIMIT 1").get
    due = conn.execute("SELECT min(due_at) FROM work WHERE state = 'ready' AND hundred = 0 AND feed_id IS NOT NULL").get
    # Bounded: at most 10,000 breakers are remembered (stages.net.breakers).
    open_now = conn.execute(
        """SELECT substr(name, 1, instr(name, ':') - 1) AS kind, state, count(*) FROM breakers
           WHERE state <> 'closed' GROUP BY kind, state"""
    )
    return Figures(
        counts=counts.by_stage(conn),
        depth=counts.queue_depth(conn, limits),
        breakers={(rows.text(kind), rows.text(state)): rows.integer(n) for kind, state, n in open_now},
        drift=totals.get("drift", 0),
        swept_at=totals.get(SWEPT),
        backup_at=totals.get(BACKUP),
        backup_verified_at=totals.get(BACKUP_VERIFIED),
        drilled_at=totals.get(DRILLED),
        copied_at=totals.get(COPIED),
        first_item_at=cast("int | None", first),
        poll_due_at=cast("int | None", due),
    )


def file_size(name: str, path: Path) -> FileSize:
    """0 for a file that is not there: a WAL that was cut away, an archive that is missing."""
    return FileSize(name=name, database=_size(path), wal=_size(path.with_name(path.name + "-wal")))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
