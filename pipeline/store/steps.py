"""The timeline of an item and the bodies it refers to: rows that are only ever added."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from pipeline.items import Capture, StepEntry
from pipeline.lifecycle import Stage
from pipeline.store import rows


def append(conn: apsw.Connection, item_id: int, entries: Sequence[StepEntry]) -> None:
    """Put entries on the timeline, in order."""
    conn.executemany(
        """INSERT INTO steps (item_id, code, at, method, bytes, duration_ms, error, detail)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
        [(item_id, e.code, e.at, e.method, e.bytes, e.duration_ms, e.error, e.detail) for e in entries],
    )


def append_reached(
    conn: apsw.Connection, item_id: int, now: int, *codes: Stage, method: str = "", error: str | None = None
) -> None:
    """Put plain entries on the timeline: these stages were reached now."""
    append(conn, item_id, [StepEntry(code=code, at=now, method=method, error=error) for code in codes])


def timeline(conn: apsw.Connection, item_id: int) -> tuple[StepEntry, ...]:
    """Every step of an item, oldest first."""
    found = conn.execute(
        """SELECT code, at, method, bytes, duration_ms, error, detail FROM steps WHERE item_id = ? ORDER BY id""",
        (item_id,),
    )
    return tuple(rows.step(row) for row in found)


def keep_capture(conn: apsw.Connection, item_id: int, capture: Capture) -> None:
    """Refer to a body that is in archive.db already."""
    conn.execute(
        f"INSERT INTO captures (item_id, {rows.CAPTURE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            item_id,
            capture.body,
            capture.size,
            capture.url,
            capture.final_url,
            capture.status,
            capture.media_type,
            capture.charset,
            capture.etag,
            capture.last_modified,
            capture.provider,
            capture.captured_at,
            capture.similarity,
        ),
    )


def refers_to_bodies(conn: apsw.Connection) -> bool:
    """Whether anything was ever put into archive.db."""
    return conn.execute("SELECT 1 FROM captures LIMIT 1").get is not None


def newest_capture(conn: apsw.Connection, item_id: int) -> Capture | None:
    """The body that the item is made from."""
    found = conn.execute(
        f"SELECT {rows.CAPTURE_COLUMNS} FROM captures WHERE item_id = ? ORDER BY id DESC LIMIT 1", (item_id,)
    ).get
    return None if found is None else rows.capture(found)
