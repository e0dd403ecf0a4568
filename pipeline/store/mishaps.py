"""`store.mishaps`: unexpected errors, grouped by their id, with traceback, how often, and when first and last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

import apsw
import msgspec

from observability.unexpected import Unexpected
from pipeline import errors
from pipeline.store import rows
from pipeline.store.ports import Db

KEPT_MOST: Final = 500  # kinds of errors; the one not seen for longest goes first

_COLUMNS = "id, kind, message, traceback, place, role, count, first_seen, last_seen, item, correlation_id"


class Mishap(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of unexpected error. Times are wall ms; place, item and correlation id are of the last time."""

    id: str
    kind: str
    message: str
    traceback: str
    place: str
    role: str
    count: int
    first_seen: int
    last_seen: int
    item: str | None
    correlation_id: str | None


class MishapStore:
    """`store.mishaps`"""

    def __init__(self, db: Db) -> None:
        self._db = db

    async def keep(self, met: Sequence[Unexpected], *, role: str) -> None:
        """Add to what is known of each. Atomic; not repeatable, because it counts."""
        if met:
            await self._db.write(lambda conn: _keep(conn, met, role))

    async def list(self, *, limit: int = 100) -> tuple[Mishap, ...]:
        """The last seen first."""
        query = f"SELECT {_COLUMNS} FROM errors ORDER BY last_seen DESC, id LIMIT ?"
        return await self._db.read(lambda conn: tuple(_mishap(row) for row in conn.execute(query, (limit,))))

    async def since(self, at: int) -> int:
        """How many kinds of errors were met after `at` (wall ms)."""
        query = "SELECT count(*) FROM errors WHERE last_seen > ?"
        return await self._db.read(lambda conn: rows.integer(conn.execute(query, (at,)).get))

    async def get(self, error_id: str) -> Mishap:
        """Raises NotFound."""

        def job(conn: apsw.Connection) -> Mishap:
            row = conn.execute(f"SELECT {_COLUMNS} FROM errors WHERE id = ?", (error_id,)).get
            if row is None:
                raise errors.NotFound(
                    f"there is no error {error_id}", hint="it may be too old; search the log for its id"
                )
            return _mishap(row)

        return await self._db.read(job)


def _keep(conn: apsw.Connection, met: Sequence[Unexpected], role: str) -> None:
    conn.executemany(
        """INSERT INTO errors (id, fingerprint, code, kind, message, traceback, place, role, count, first_seen,
                               last_seen, item, correlation_id)
           VALUES (?1, ?1, 'internal', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
           ON CONFLICT (id) DO UPDATE SET message = ?3, traceback = ?4, place = ?5, role = ?6, count = count + ?7,
               first_seen = min(first_seen, ?8), last_seen = max(last_seen, ?9), item = ?10, correlation_id = ?11""",
        [
            (
                each.id,
                each.kind,
                each.message,
                each.traceback,
                each.place,
                role,
                each.count,
                each.first_seen,
                each.last_seen,
                each.item,
                each.correlation_id,
            )
            for each in met
        ],
    )
    conn.execute(
        "DELETE FROM errors WHERE id IN (SELECT id FROM errors ORDER BY last_seen DESC LIMIT -1 OFFSET ?)", (KEPT_MOST,)
    )


def _mishap(row: rows.Row) -> Mishap:
    kind, message, told, place, role = row[1:6]
    return Mishap(
        id=rows.text(row[0]),
        kind=rows.text(kind),
        message=rows.text(message),
        traceback=rows.text(told),
        place=rows.text(place),
        role=rows.text(role),
        count=rows.integer(row[6]),
        first_seen=rows.integer(row[7]),
        last_seen=rows.integer(row[8]),
        item=cast("str | None", row[9]),
        correlation_id=cast("str | None", row[10]),
    )
