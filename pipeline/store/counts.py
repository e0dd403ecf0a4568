"""Counts: how many items are where, kept by triggers in the transactions that move them, and checked by a recount."""

from __future__ import annotations

import apsw
import msgspec

from pipeline.lifecycle import IN_FLIGHT
from pipeline.settings import QueueSettings
from pipeline.store import rows

DELETED = "deleted"  # what deleted items are counted under, whatever their state was

_FLYING = ", ".join(f"'{state.value}'" for state in sorted(IN_FLIGHT))


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """How many items stand at one stage in one state (or 'deleted'), and since when the oldest of them does."""

    stage: int
    state: str
    n: int
    oldest_at: int | None = None  # wall ms; only for items in flight


class QueueDepth(msgspec.Struct, frozen=True, kw_only=True):
    """How full the queue is: `queue_size` counts ready and leased items, `backlog` all that are in flight."""

    queue_size: int
    max_queue_size: int
    backlog: int
    max_backlog: int


class Depth(msgspec.Struct, frozen=True, kw_only=True):
    queue_size: int
    backlog: int


def depth(conn: apsw.Connection) -> Depth:
    """Queue and backlog from the counts; never a scan."""
    queue, backlog = conn.execute(
        f"""SELECT coalesce(sum(n) FILTER (WHERE state IN ('ready', 'leased')), 0),
                   coalesce(sum(n) FILTER (WHERE state IN ({_FLYING})), 0) FROM counts"""
    ).get
    return Depth(queue_size=rows.integer(queue), backlog=rows.integer(backlog))


def queue_depth(conn: apsw.Connection, limits: QueueSettings) -> QueueDepth:
    """The same with its limits."""
    now = depth(conn)
    return QueueDepth(
        queue_size=now.queue_size,
        max_queue_size=limits.max_size,
        backlog=now.backlog,
        max_backlog=limits.max_backlog,
    )


def by_stage(conn: apsw.Connection) -> tuple[Count, ...]:
    """Every count that is not zero. The oldest of items in flight comes from an index, one look each."""
    found = conn.execute("SELECT stage, state, n FROM counts WHERE n <> 0 ORDER BY stage, state").fetchall()
    return tuple(
        Count(
            stage=rows.integer(stage),
            state=rows.text(state),
            n=rows.integer(n),
            oldest_at=_oldest(conn, stage, state) if state in IN_FLIGHT else None,
        )
        for stage, state, n in found
    )


def _oldest(conn: apsw.Connection, stage: rows.SqlValue, state: rows.SqlValue) -> int | None:
    found = conn.execute(
        "SELECT min(changed_at) FROM items WHERE state = ? AND stage = ? AND deleted_at IS NULL", (state, stage)
    ).get
    return None if found is None else rows.integer(found)


def recount(conn: apsw.Connection) -> int:
    """Count everything anew and put the counts right. Returns the drift: how many counts were off, which is an alarm.

    Also checks conservation: what was ever accepted is done, duplicate, dead, in flight or deleted.
    """
    kept = {(s, t): rows.integer(n) for s, t, n in conn.execute("SELECT stage, state, n FROM counts WHERE n <> 0")}
    real = {
        (s, t): rows.integer(n)
        for s, t, n in conn.execute(
            f"SELECT stage, iif(deleted_at IS NULL, state, '{DELETED}') AS st, count(*) FROM items GROUP BY stage, st"
        )
    }
    accepted = conn.execute("SELECT n FROM totals WHERE name = 'accepted'").get
    drift: int = sum(abs(kept.get(key, 0) - real.get(key, 0)) for key in kept.keys() | real.keys())
    drift += abs(rows.integer(accepted) - sum(real.values()))
    if drift:
        conn.execute("DELETE FROM counts")
        conn.executemany(
            "INSERT INTO counts (stage, state, n) VALUES (?, ?, ?)", [(s, t, n) for (s, t), n in real.items()]
        )
    conn.execute("UPDATE totals SET n = ? WHERE name = 'drift'", (drift,))
    return drift
