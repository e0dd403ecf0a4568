"""What belongs beside an item: those with almost its text, and those it links to or that link to it."""

from __future__ import annotations

import apsw
import msgspec

from pipeline.items import Item
from pipeline.store import rows

ALIKE_MOST = 10
MOST = 20


class Related(msgspec.Struct, frozen=True, kw_only=True):
    """A kept item beside another. `likeness` (0 to 1) when it has almost the same text, None when links join them."""

    item: Item
    likeness: float | None


def related(conn: apsw.Connection, item_id: int) -> tuple[Related, ...]:
    """Both ways: almost the same texts first, the most alike of them first; then what is linked, the newest first."""
    shares = _alike(conn, item_id)
    linked = [other for other in _linked(conn, item_id) if other not in shares]
    marks = [*shares.items(), *((other, None) for other in linked)]
    found: list[Related] = []
    for other, share in marks[:MOST]:
        row = conn.execute(f"SELECT {rows.ITEM_COLUMNS} FROM {rows.ITEM_FROM} WHERE i.id = ?", (other,)).get
        found.append(Related(item=rows.item(row), likeness=share))
    return tuple(found)


def _alike(conn: apsw.Connection, item_id: int) -> dict[int, float]:
    """At most ALIKE_MOST. A text may be like thousands that came later: only its most alike are looked at."""
    found = conn.execute(
        """SELECT i.id, max(a.likeness) FROM (
               SELECT other_id AS id, likeness FROM alike WHERE item_id = ?1
               UNION ALL
               SELECT * FROM (SELECT item_id, likeness FROM alike WHERE other_id = ?1 ORDER BY likeness DESC LIMIT ?2)
           ) a JOIN items i ON i.id = a.id
           WHERE i.deleted_at IS NULL AND i.state = 'done'
           GROUP BY i.id ORDER BY max(a.likeness) DESC, i.raised_at DESC LIMIT ?3""",
        (item_id, 5 * ALIKE_MOST, ALIKE_MOST),
    )
    return {rows.integer(other): share for other, share in found}


def _linked(conn: apsw.Connection, item_id: int) -> list[int]:
    found = conn.execute(
        """SELECT i.id FROM items i
           WHERE i.deleted_at IS NULL AND i.state = 'done' AND i.id <> ?1 AND i.id IN (
               SELECT k.item_id FROM links l JOIN keys k ON k.url_key = l.url_key WHERE l.item_id = ?1
               UNION
               SELECT l.item_id FROM keys k JOIN links l ON l.url_key = k.url_key WHERE k.item_id = ?1)
           ORDER BY i.raised_at DESC LIMIT ?2""",
        (item_id, MOST),
    )
    return [rows.integer(row[0]) for row in found]
