"""Effects to rows: one `match`, inside the transaction of the step that asked for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import apsw
import msgspec

from observability.carrier import new_trace
from pipeline import errors
from pipeline.effects import (
    ClaimContent,
    CrossReference,
    Effect,
    Entry,
    FeedPolled,
    Index,
    KeepCapture,
    KeepDocument,
    KeepEnrichment,
    NameKey,
    Resemble,
    SetVerdict,
)
from pipeline.ids import Random, new_uid
from pipeline.items import Capture
from pipeline.lifecycle import State
from pipeline.settings import QueueSettings
from pipeline.store import alike, intake, kept, named, rows, search, steps

REST_MS = 300_000  # a feed that the backlog took only a part of is asked again after this


class Applying(msgspec.Struct, frozen=True, kw_only=True):
    """What effects are applied to: an item (None for a feed's poll), and the moment."""

    item_id: int | None
    now: int
    limits: QueueSettings
    random: Random


def apply(conn: apsw.Connection, to: Applying, effects: Sequence[Effect]) -> int | None:
    """Apply in order. Returns the id of the original when one of them finds that the item is kept already.

    Then the effects after it are not applied, because the step ends as a duplicate.
    """
    for effect in effects:
        original = _apply(conn, to, effect)
        if original is not None:
            return original
    return None


def _apply(conn: apsw.Connection, to: Applying, effect: Effect) -> int | None:
    if isinstance(effect, FeedPolled):
        _feed_polled(conn, to, effect)
        return None
    assert to.item_id is not None, "only a poll has no item"
    match effect:
        case KeepCapture():
            return _keep_capture(conn, to.item_id, effect)
        case ClaimContent():
            return _claim_content(conn, to.item_id, effect)
        case Resemble():
            return _resemble(conn, to.item_id, effect)
        case NameKey():
            named.keep(conn, to.item_id, effect.url_key)
        case SetVerdict():
            _set_verdict(conn, to.item_id, effect)
        case KeepDocument():
            _keep_document(conn, to.item_id, effect, to.now)
        case KeepEnrichment():
            _keep_enrichment(conn, to.item_id, effect)
        case CrossReference():
            _cross_reference(conn, to.item_id, effect)
        case Index():
            search.index(conn, to.item_id)
        case _:
            assert_never(effect)
    return None


def _keep_capture(conn: apsw.Connection, item_id: int, effect: KeepCapture) -> int | None:
    original = _live_owner(conn, item_id, effect.final_key)
    if original is not None:
        return original
    conn.execute(
        """INSERT INTO keys (url_key, item_id) VALUES (?, ?)
           ON CONFLICT (url_key) DO UPDATE SET item_id = excluded.item_id""",
        (effect.final_key, item_id),
    )
    steps.keep_capture(
        conn,
        item_id,
        Capture(
            body=effect.digest,
            size=effect.size,
            url=effect.url,
            final_url=effect.final_url,
            status=effect.status,
            media_type=effect.media_type,
            charset=effect.charset,
            etag=effect.etag,
            last_modified=effect.last_modified,
            provider=effect.provider,
            captured_at=effect.captured_at,
            similarity=effect.similarity,
        ),
    )
    return None


def _set_verdict(conn: apsw.Connection, item_id: int, effect: SetVerdict) -> None:
    conn.execute("UPDATE items SET verdict = ? WHERE id = ?", (effect.verdict, item_id))
    if effect.similarity is not None:
        conn.execute(
            """UPDATE captures SET similarity = ?
               WHERE id = (SELECT id FROM captures WHERE item_id = ? ORDER BY id DESC LIMIT 1)""",
            (effect.similarity, item_id),
        )


def _live_owner(conn: apsw.Connection, item_id: int, url_key: str) -> int | None:
    """Another item kept under this key. A dead or deleted one gives it up; a duplicate stands for its original."""
    owner = conn.execute(
        "SELECT i.id FROM keys k JOIN items i ON i.id = k.item_id WHERE k.url_key = ? AND i.deleted_at IS NULL",
        (url_key,),
    ).get
    original = None if owner is None else intake.original(conn, rows.integer(owner))
    return None if original == item_id else original


def _claim_content(conn: apsw.Connection, item_id: int, effect: ClaimContent) -> int | None:
    original = None if _stays(conn, item_id, effect.text_hash) else _owner_of_text(conn, item_id, effect.text_hash)
    conn.execute(
        "UPDATE documents SET text_hash = ?, content_hash = ? WHERE item_id = ?",
        (effect.text_hash, effect.content_hash, item_id),
    )
    before = kept.of(conn, item_id)
    if original is not None and before is not None and before.method == kept.REPLAYED and original > item_id:
        return None  # what was kept first is no copy of what came later
    return original


def _stays(conn: apsw.Connection, item_id: int, text_hash: str | None) -> bool:
    """Whether this very text was kept as this item before it was done again: then it still is, whoever else has it."""
    held = conn.execute(
        """SELECT 1 FROM items i LEFT JOIN kept_documents k ON k.item_id = i.id
               LEFT JOIN documents d ON d.item_id = i.id
           WHERE i.id = ? AND i.kept IS NOT NULL AND coalesce(k.text_hash, d.text_hash) = ?""",
        (item_id, text_hash),
    ).get
    return held is not None


def _owner_of_text(conn: apsw.Connection, item_id: int, text_hash: str | None) -> int | None:
    """The first other item that is kept with this text, also one that is just being done again."""
    found = conn.execute(
        """SELECT min(i.id) FROM items i WHERE i.id <> ?1 AND (i.state = ?2 OR i.kept IS NOT NULL)
               AND i.deleted_at IS NULL AND i.id IN (SELECT item_id FROM documents WHERE text_hash = ?3
                   UNION ALL SELECT item_id FROM kept_documents WHERE text_hash = ?3)""",
        (item_id, State.DONE, text_hash),
    ).get
    return None if found is None else rows.integer(found)


def _resemble(conn: apsw.Connection, item_id: int, effect: Resemble) -> int | None:
    original = named.original(conn, item_id, effect.sketch)
    if original is None:
        alike.keep_sketch(conn, item_id, effect.sketch)
    return original


def _keep_document(conn: apsw.Connection, item_id: int, effect: KeepDocument, now: int) -> None:
    kept.set_document_aside(conn, item_id)
    made = effect.document
    conn.execute(
        """INSERT OR REPLACE INTO documents (item_id, title, author, site, published, language, description, text,
               markdown, html, images, links, method, extracted_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            item_id,
            made.title,
            made.author,
            made.site,
            made.published,
            made.language,
            made.description,
            made.text,
            made.markdown,
            made.html,
            msgspec.json.encode(made.images).decode(),
            msgspec.json.encode(made.links).decode(),
            made.method,
            now,
        ),
    )


def _keep_enrichment(conn: apsw.Connection, item_id: int, effect: KeepEnrichment) -> None:
    found = effect.enrichment
    conn.execute(
        """UPDATE documents SET language = coalesce(?, language), word_count = ?, reading_minutes = ?, summary = ?,
               phrases = ? WHERE item_id = ?""",
        (
            found.language,
            found.word_count,
            found.reading_minutes,
            found.summary,
            msgspec.json.encode(found.phrases).decode(),
            item_id,
        ),
    )


def _cross_reference(conn: apsw.Connection, item_id: int, effect: CrossReference) -> None:
    conn.execute("DELETE FROM links WHERE item_id = ?", (item_id,))
    conn.executemany(
        "INSERT OR IGNORE INTO links (item_id, url_key) VALUES (?, ?)", [(item_id, key) for key in effect.url_keys]
    )


def _feed_polled(conn: apsw.Connection, to: Applying, effect: FeedPolled) -> None:
    complete = keep_entries(conn, to, effect.feed_id, effect.entries) and effect.complete
    due = effect.next_poll_at if complete else to.now + REST_MS
    conn.execute(
        """UPDATE feeds SET title = coalesce(?, title), etag = ?, last_modified = ?, next_poll_at = ?, polled_at = ?,
               failures = 0, reason = NULL WHERE id = ?""",
        (
            effect.title,
            effect.etag if complete else None,  # with it the server would say that the rest is not new
            effect.last_modified if complete else None,
            due,
            to.now,
            effect.feed_id,
        ),
    )


def keep_entries(conn: apsw.Connection, to: Applying, feed_id: int, entries: Sequence[Entry]) -> bool:
    """Make items of the entries not seen before, and mark them. False when the backlog took only the first of them."""
    for entry in entries:
        known = conn.execute("SELECT 1 FROM seen WHERE feed_id = ? AND entry_key = ?", (feed_id, entry.entry_key)).get
        if known is not None:
            continue
        # Each a trace of its own: a feed of a thousand entries is not one story.
        submission = msgspec.structs.replace(entry.submission, trace=new_trace(to.random))
        asked = intake.Intake(submission=submission, uid=new_uid(to.now, to.random), now=to.now, limits=to.limits)
        try:
            accepted = intake.accept(conn, asked)
        except errors.QueueFull:  # said before anything is written
            return False
        conn.execute(
            "INSERT INTO seen (feed_id, entry_key, item_id, seen_at) VALUES (?, ?, ?, ?)",
            (feed_id, entry.entry_key, accepted.item_id, to.now),
        )
    return True
