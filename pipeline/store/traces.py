"""`store.traces`: the spans of the last saves, for their timeline pages. A ring, so its size is bounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import apsw
import msgspec

from observability.spans import SpanRecord
from pipeline.store import rows
from pipeline.store.ports import Db

SHOWN_MOST: Final = 1000  # spans of one item that are read
_decoder: Final = msgspec.json.Decoder(tuple[SpanRecord, ...])


_TRIM: Final = "DELETE FROM spans WHERE id <= (SELECT max(id) FROM spans) - ?"


class TraceStore:
    """`store.traces`"""

    def __init__(self, db: Db) -> None:
        self._db = db

    async def keep(self, spans: Sequence[SpanRecord], *, most: int) -> None:
        """Keep spans of items, and of all rows the newest `most`. Atomic; spans of no item are left out."""
        groups: dict[tuple[str, str], list[SpanRecord]] = {}
        for span in spans:
            if span.item is not None:
                groups.setdefault((span.trace_id, span.item), []).append(span)
        if groups:
            given = [(*key, msgspec.json.encode(group).decode()) for key, group in groups.items()]
            await self._db.write(lambda conn: _keep(conn, given, most))

    async def trim(self, *, most: int) -> None:
        """Keep the newest `most` rows: what a smaller ring has no room for goes. Atomic."""
        await self._db.write(lambda conn: conn.execute(_TRIM, (most,)).get)

    async def of_item(self, uid: str) -> tuple[SpanRecord, ...]:
        """The kept spans of an item, by their start, at most SHOWN_MOST and the latest of them."""
        return await self._db.read(lambda conn: _of_item(conn, uid))


def _keep(conn: apsw.Connection, given: Sequence[tuple[str, str, str]], most: int) -> None:
    conn.executemany("INSERT INTO spans (trace_id, item, spans) VALUES (?, ?, ?)", given)
    conn.execute(_TRIM, (most,))


def _of_item(conn: apsw.Connection, uid: str) -> tuple[SpanRecord, ...]:
    found: list[SpanRecord] = []
    for (encoded,) in conn.execute("SELECT spans FROM spans WHERE item = ? ORDER BY id DESC", (uid,)):
        found += _decoder.decode(rows.text(encoded))
        if len(found) >= SHOWN_MOST:
            break
    return tuple(sorted(found, key=lambda span: (span.start, -span.end))[-SHOWN_MOST:])
