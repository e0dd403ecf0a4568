"""Duplicates whose original no longer holds what they hold: they are looked at again, or their text would be lost."""

from __future__ import annotations

import apsw

from pipeline.lifecycle import ENTRY, State
from pipeline.settings import QueueSettings
from pipeline.store import intake, rows


def look_again(conn: apsw.Connection, item_id: int, now: int, limits: QueueSettings) -> None:
    """Send the copies of an item that was done again through finalise, without network, where its text is another.

    The first of them is kept then, the others are its copies. Not kept back by a full backlog: they are few, and
    nobody would ask for them again.
    """
    found = conn.execute(
        """SELECT c.id FROM items c JOIN documents d ON d.item_id = c.id
           WHERE c.duplicate_of = ?1 AND c.state = ?2 AND c.deleted_at IS NULL AND d.text_hash IS NOT
               (SELECT text_hash FROM documents WHERE item_id = ?1)
           ORDER BY c.id""",
        (item_id, State.DUPLICATE),
    ).fetchall()
    for (copy,) in found:
        intake.start_again(conn, rows.integer(copy), now, limits, entry=ENTRY[500], method=METHOD)


METHOD = "original changed"  # how the timeline calls it
