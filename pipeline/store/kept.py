"""What is kept of an item that was done while it is fetched again or replayed, and how it goes back to that."""

from __future__ import annotations

from typing import Final, cast

import apsw
import msgspec

from pipeline.items import Reason, StepEntry
from pipeline.lifecycle import Stage, Verdict
from pipeline.store import rows, search, steps


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """Beside the document: what a failed try must leave as it was."""

    method: str  # how it is done again: "refreshed" or "replayed"
    verdict: str | None
    capture: int  # the newest; 0: none
    keys: tuple[str, ...]  # the canonical keys it was known under


REFRESHED: Final = "refreshed"
REPLAYED: Final = "replayed"
REQUEUED: Final = "requeued"  # what was not done: from the beginning


def remember(conn: apsw.Connection, item_id: int, method: str) -> None:
    """Note what an item that is done goes back to. The caller has made sure that it is."""
    verdict = conn.execute("SELECT verdict FROM items WHERE id = ?", (item_id,)).get
    capture = conn.execute("SELECT coalesce(max(id), 0) FROM captures WHERE item_id = ?", (item_id,)).get
    kept = Kept(
        method=method, verdict=cast("str | None", verdict), capture=rows.integer(capture), keys=_keys(conn, item_id)
    )
    conn.execute("UPDATE items SET kept = ? WHERE id = ?", (msgspec.json.encode(kept).decode(), item_id))


def of(conn: apsw.Connection, item_id: int) -> Kept | None:
    """What the item goes back to; None for one that was not done before."""
    found = conn.execute("SELECT kept FROM items WHERE id = ?", (item_id,)).get
    return None if found is None else msgspec.json.decode(rows.text(found), type=Kept)


def turn_to_refresh(conn: apsw.Connection, item_id: int) -> None:
    """What was being replayed when it was deleted begins with the network now that it is back."""
    conn.execute(
        "UPDATE items SET kept = json_set(kept, '$.method', ?) WHERE id = ? AND kept IS NOT NULL", (REFRESHED, item_id)
    )


def is_replay(conn: apsw.Connection, item_id: int) -> bool:
    """Whether the item is on its way from its archived body, and not from the beginning."""
    last = conn.execute(
        "SELECT method FROM steps WHERE item_id = ? AND method IN (?, ?, ?) ORDER BY id DESC LIMIT 1",
        (item_id, REFRESHED, REPLAYED, REQUEUED),
    ).get
    return bool(last == REPLAYED)


def set_document_aside(conn: apsw.Connection, item_id: int) -> None:
    """Before a new document takes the place of one that is kept. Repeatable: the first one set aside stays."""
    conn.execute(
        f"""INSERT OR IGNORE INTO kept_documents ({rows.DOCUMENT_COLUMNS})
            SELECT {rows.DOCUMENT_COLUMNS} FROM documents
            WHERE item_id = ? AND EXISTS (SELECT 1 FROM items i WHERE i.id = item_id AND i.kept IS NOT NULL)""",
        (item_id,),
    )


def is_more(conn: apsw.Connection, item_id: int) -> bool:
    """Whether a whole article is kept of which the page now shows only a part: it was cut off, or is sold today."""
    before = of(conn, item_id)
    if before is None or before.method != REFRESHED or before.verdict != Verdict.FULL:
        return False
    found = conn.execute(
        """SELECT i.verdict = ? AND length(d.text) < length(k.text) FROM items i
           JOIN documents d ON d.item_id = i.id JOIN kept_documents k ON k.item_id = i.id WHERE i.id = ?""",
        (Verdict.PARTIAL, item_id),
    ).get
    return bool(found)


def give_back(conn: apsw.Connection, item_id: int, kept: Kept) -> None:
    """Document, verdict, captures and keys as they were, and the search row of that document."""
    conn.execute(
        f"""INSERT OR REPLACE INTO documents ({rows.DOCUMENT_COLUMNS})
            SELECT {rows.DOCUMENT_COLUMNS} FROM kept_documents WHERE item_id = ?""",
        (item_id,),
    )
    conn.execute("DELETE FROM captures WHERE item_id = ? AND id > ?", (item_id, kept.capture))
    for key in set(_keys(conn, item_id)) - set(kept.keys):
        conn.execute("DELETE FROM keys WHERE url_key = ?", (key,))
        # It may have been given up by an item that had died: saving that page again must find it.
        conn.execute("INSERT INTO keys (url_key, item_id) SELECT url_key, id FROM items WHERE url_key = ?", (key,))
    conn.execute("UPDATE items SET verdict = ? WHERE id = ?", (kept.verdict, item_id))
    forget(conn, item_id)
    search.index(conn, item_id)


def forget(conn: apsw.Connection, item_id: int) -> None:
    """The item has ended."""
    conn.execute("UPDATE items SET kept = NULL WHERE id = ?", (item_id,))
    conn.execute("DELETE FROM kept_documents WHERE item_id = ?", (item_id,))


def tell_change(conn: apsw.Connection, item_id: int, kept: Kept, now: int) -> None:
    """A step that says what doing it again has changed: the text and the title against those set aside."""
    found = conn.execute(
        """SELECT k.text = d.text, k.word_count, d.word_count, k.title, d.title
           FROM kept_documents k JOIN documents d ON d.item_id = k.item_id WHERE k.item_id = ?""",
        (item_id,),
    ).get
    step = StepEntry(code=Stage.FINALISING, at=now, method=kept.method, detail=UNCHANGED)
    if found is not None:
        same, before, after, old, new = found
        told = [UNCHANGED if same else f"text changed: {_words(before)} → {_words(after)} words"]
        if old != new:
            told.append(f"title “{old or ''}” → “{new or ''}”")
        step = msgspec.structs.replace(step, detail="; ".join(told))
    steps.append(conn, item_id, [step])


UNCHANGED: Final = "text unchanged"


def stays(conn: apsw.Connection, item_id: int, reason: Reason, now: int) -> None:
    """The step that says why the item is as it was."""
    step = StepEntry(code=Stage.DONE, at=now, error=reason.code, detail="kept as it was before")
    steps.append(conn, item_id, [step])


def _keys(conn: apsw.Connection, item_id: int) -> tuple[str, ...]:
    found = conn.execute("SELECT url_key FROM keys WHERE item_id = ? ORDER BY url_key", (item_id,))
    return tuple(rows.text(key) for (key,) in found)


def _words(count: object) -> str:
    return f"{count:,}" if isinstance(count, int) else "?"
