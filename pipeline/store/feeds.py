"""`store.feeds`: feeds, and the work of polling them."""

from __future__ import annotations

import apsw

from pipeline import errors
from pipeline.ids import new_uid
from pipeline.lifecycle import ENTRY
from pipeline.store import rows
from pipeline.store.ports import Db
from pipeline.text.urls import canonicalise
from pipeline.work import Feed

INTERVAL_SECONDS = 3600
LEAST_INTERVAL_SECONDS = 300
AT_ONCE = 500


class FeedStore:
    """`store.feeds`"""

    def __init__(self, db: Db) -> None:
        self._db = db

    async def add(self, url: str, *, interval_seconds: int = INTERVAL_SECONDS) -> Feed:
        """Follow a feed; its first poll is due at once. Adding it again returns the one there is.

        Raises BadUrl and StoreFull.
        """
        url_key = canonicalise(url)
        if interval_seconds < LEAST_INTERVAL_SECONDS:
            fault = errors.Fault(where="interval_seconds", what=f"is under {LEAST_INTERVAL_SECONDS}")
            raise errors.InvalidInput("the feed cannot be polled that often", faults=(fault,))
        self._db.check_takes_in()
        now = self._db.clock.wall_ms()
        uid = new_uid(now, self._db.random)

        def add(conn: apsw.Connection) -> Feed:
            conn.execute(
                """INSERT INTO feeds (uid, url, url_key, interval_seconds, next_poll_at, created_at)
                   VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (url_key) DO NOTHING""",
                (uid, url, url_key, interval_seconds, now, now),
            )
            queue_due(conn, now)
            return rows.feed(conn.execute(f"SELECT {rows.FEED_COLUMNS} FROM feeds WHERE url_key = ?", (url_key,)).get)

        return await self._db.write(add)

    async def list(self) -> tuple[Feed, ...]:
        """All feeds, by title."""

        def job(conn: apsw.Connection) -> tuple[Feed, ...]:
            found = conn.execute(f"SELECT {rows.FEED_COLUMNS} FROM feeds ORDER BY coalesce(title, url), id")
            return tuple(rows.feed(row) for row in found)

        return await self._db.read(job)

    async def queue_due(self) -> int:
        """Put due polls on the queue, each feed at most once. Returns how many were added."""
        now = self._db.clock.wall_ms()
        return await self._db.write(lambda conn: queue_due(conn, now))


def queue_due(conn: apsw.Connection, now: int) -> int:
    """Put due polls on the queue. A feed that is on it already is left alone, so missed ticks make one poll."""
    before = conn.total_changes()
    conn.execute(
        """INSERT INTO work (feed_id, hundred, stage, state, priority, due_at)
           SELECT id, 0, ?, 'ready', 1, ? FROM feeds f
           WHERE next_poll_at <= ? AND NOT EXISTS (SELECT 1 FROM work w WHERE w.feed_id = f.id)
           ORDER BY next_poll_at LIMIT ?""",
        (ENTRY[0], now, now, AT_ONCE),
    )
    return conn.total_changes() - before
