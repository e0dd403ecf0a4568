"""The keys that pages give themselves (rel=canonical): a hint where to compare, never a reason of its own to merge.

A page may name its site's front page, its section, or its first part as its address, and many articles the same one.
So nothing is answered by such a key; two items are one page only when one names the other (or both name the same) and
their texts hardly differ. A part that is not merged is kept twice; one that is merged wrongly would be lost.
"""

from __future__ import annotations

import apsw

from pipeline.lifecycle import Stage, State
from pipeline.store import alike, rows

COMPARED = 10  # items of those that share a named key, the first kept ones


def keep(conn: apsw.Connection, item_id: int, url_key: str | None) -> None:
    """Note the key that the item's page gives itself, instead of what it gave before."""
    if url_key is None:
        conn.execute("DELETE FROM claimed_keys WHERE item_id = ?", (item_id,))
    else:
        conn.execute("INSERT OR REPLACE INTO claimed_keys (item_id, url_key) VALUES (?, ?)", (item_id, url_key))


def original(conn: apsw.Connection, item_id: int, sketch: bytes | None) -> int | None:
    """The kept item that is the same page by name and by text; None for an item that was done before itself."""
    if sketch is None or _was_done(conn, item_id):
        return None
    for other in _named(conn, item_id):
        if alike.likeness_to(conn, other, sketch) >= alike.SAME:
            return other
    return None


def _was_done(conn: apsw.Connection, item_id: int) -> bool:
    return conn.execute("SELECT 1 FROM steps WHERE item_id = ? AND code = ?", (item_id, Stage.DONE)).get is not None


def _named(conn: apsw.Connection, item_id: int) -> list[int]:
    """Kept items known under the key this one names, and those that name the same or one it is known under."""
    found = conn.execute(
        """SELECT i.id FROM items i WHERE i.id <> ?1 AND i.state = ?2 AND i.deleted_at IS NULL AND i.id IN (
               SELECT k.item_id FROM claimed_keys c JOIN keys k ON k.url_key = c.url_key WHERE c.item_id = ?1
               UNION ALL
               SELECT coalesce(o.duplicate_of, o.id) FROM claimed_keys c JOIN keys k ON k.url_key = c.url_key
                   JOIN items o ON o.id = k.item_id WHERE c.item_id = ?1
               UNION ALL
               SELECT * FROM (SELECT n.item_id FROM claimed_keys c JOIN claimed_keys n ON n.url_key = c.url_key
                   WHERE c.item_id = ?1 ORDER BY n.item_id LIMIT ?3)
               UNION ALL
               SELECT * FROM (SELECT n.item_id FROM keys k JOIN claimed_keys n ON n.url_key = k.url_key
                   WHERE k.item_id = ?1 ORDER BY n.item_id LIMIT ?3))
           ORDER BY i.id LIMIT ?3""",
        (item_id, State.DONE, COMPARED),
    )
    return [rows.integer(row[0]) for row in found]
