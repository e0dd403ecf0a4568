"""The outbox: events in the order of their commits, for whoever follows what happens."""

from __future__ import annotations

import apsw
import msgspec

from pipeline.events import Event
from pipeline.store import rows
from pipeline.store.ports import Db


class OutboxEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One committed fact. `id` only grows: reading after the last one seen misses nothing."""

    id: int
    at: int
    event: Event
    item_uid: str | None
    payload: dict[str, str]


def append(conn: apsw.Connection, now: int, event: Event, item_id: int, **payload: str) -> None:
    """Put an event into the caller's transaction."""
    conn.execute(
        "INSERT INTO outbox (at, event, item_id, payload) VALUES (?, ?, ?, ?)",
        (now, event, item_id, msgspec.json.encode(payload).decode()),
    )


def read(conn: apsw.Connection, after: int, limit: int) -> tuple[OutboxEvent, ...]:
    """Events with an id above `after`, oldest first."""
    found = conn.execute(
        """SELECT o.id, o.at, o.event, i.uid, o.payload FROM outbox o LEFT JOIN items i ON i.id = o.item_id
           WHERE o.id > ? ORDER BY o.id LIMIT ?""",
        (after, limit),
    )
    return tuple(
        OutboxEvent(
            id=rows.integer(number),
            at=rows.integer(at),
            event=Event(rows.text(event)),
            item_uid=None if uid is None else rows.text(uid),
            payload=msgspec.json.decode(rows.text(payload), type=dict[str, str]),
        )
        for number, at, event, uid, payload in found
    )


class OutboxStore:
    """`store.outbox`"""

    def __init__(self, db: Db) -> None:
        self._db = db

    async def read(self, after: int, limit: int = 100) -> tuple[OutboxEvent, ...]:
        """Events after the id `after`, oldest first, at most `limit`."""
        return await self._db.read(lambda conn: read(conn, after, limit))

    async def newest(self) -> int:
        """The id of the newest event, 0 when there is none yet."""
        return await self._db.read(
            lambda conn: rows.integer(conn.execute("SELECT coalesce(max(id), 0) FROM outbox").get)
        )
