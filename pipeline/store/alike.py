"""Almost the same texts: sketches, what they have in common, and how much work finding that may be.

Whatever the library holds, an item costs at most BANDS look-ups of PER_BAND rows and COMPARED sketches to compare.
"""

from __future__ import annotations

from collections import Counter
from typing import cast

import apsw

from pipeline.store import rows
from pipeline.text.sketch import bands, likeness

PER_BAND = 16  # the newest; a band that everything shares (a site's boiler-plate) says nothing about the others
COMPARED = 64  # those with the most bands in common
LINKS_MOST = 10
ALIKE = 0.5  # likeness from which texts are shown as almost the same: with 10 % of the words changed this much is left
SAME = 0.9  # and from which two addresses of one site that name each other are one page


def keep_sketch(conn: apsw.Connection, item_id: int, sketch: bytes | None) -> None:
    """Keep the sketch of an item (None: the text is too short for one) and link what is like it, instead of before."""
    _forget(conn, item_id)
    if sketch is None:
        return
    found = similar(conn, item_id, sketch)
    conn.executemany(
        "INSERT INTO alike (item_id, other_id, likeness) VALUES (?, ?, ?)", [(item_id, *one) for one in found]
    )
    conn.execute("INSERT INTO sketches (item_id, sketch) VALUES (?, ?)", (item_id, sketch))
    conn.executemany(
        "INSERT INTO bands (band, item_id) VALUES (?, ?)", [(band, item_id) for band in set(bands(sketch))]
    )


def similar(conn: apsw.Connection, item_id: int, sketch: bytes) -> list[tuple[int, float]]:
    """Kept items with almost this text and their likeness, most alike first, at most LINKS_MOST."""
    found = []
    for other in _candidates(conn, item_id, sketch):
        kept = conn.execute(
            """SELECT s.sketch FROM sketches s JOIN items i ON i.id = s.item_id
               WHERE s.item_id = ? AND i.state = 'done' AND i.deleted_at IS NULL""",
            (other,),
        ).get
        if kept is not None and (share := likeness(sketch, cast(bytes, kept))) >= ALIKE:
            found.append((other, share))
    return sorted(found, key=lambda one: (-one[1], -one[0]))[:LINKS_MOST]


def likeness_to(conn: apsw.Connection, item_id: int, sketch: bytes | None) -> float:
    """How like an item's text this sketch is; 0.0 where one of them is too short to tell."""
    kept = None if sketch is None else conn.execute("SELECT sketch FROM sketches WHERE item_id = ?", (item_id,)).get
    return 0.0 if kept is None or sketch is None else likeness(sketch, cast(bytes, kept))


def _candidates(conn: apsw.Connection, item_id: int, sketch: bytes) -> list[int]:
    """The items that meet this sketch in most bands, at most COMPARED."""
    met: Counter[int] = Counter()
    for band in bands(sketch):
        newest = conn.execute(
            "SELECT item_id FROM bands WHERE band = ? AND item_id <> ? ORDER BY item_id DESC LIMIT ?",
            (band, item_id, PER_BAND),
        )
        met.update(rows.integer(row[0]) for row in newest)
    return [other for other, _ in met.most_common(COMPARED)]


def _forget(conn: apsw.Connection, item_id: int) -> None:
    """The links it found go; those that others found to it stay, for their texts have not changed."""
    before = conn.execute("SELECT sketch FROM sketches WHERE item_id = ?", (item_id,)).get
    if before is not None:
        conn.executemany(
            "DELETE FROM bands WHERE band = ? AND item_id = ?",
            [(band, item_id) for band in bands(cast(bytes, before))],
        )
        conn.execute("DELETE FROM sketches WHERE item_id = ?", (item_id,))
    conn.execute("DELETE FROM alike WHERE item_id = ?", (item_id,))
