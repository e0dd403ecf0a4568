"""Rows to values: the columns to select and the functions that read them, in one place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import msgspec

from pipeline.documents import Document, Image
from pipeline.items import Capture, Item, Kind, Reason, StepEntry
from pipeline.lifecycle import Priority, State, Verdict
from pipeline.work import Feed

SqlValue = None | int | float | bytes | str
Row = Sequence[SqlValue]

# `items i LEFT JOIN documents d ON d.item_id = i.id` is what these columns are selected from.
ITEM_COLUMNS = """
    i.id, i.uid, i.kind, i.url, i.url_key, coalesce(i.given_title, d.title), i.given_title, i.stage, i.state,
    i.reason, i.verdict, i.attempts, i.priority, i.source,
    (SELECT json_group_array(tag ORDER BY tag) FROM tags WHERE item_id = i.id),
    (SELECT uid FROM items o WHERE o.id = i.duplicate_of),
    i.created_at, i.changed_at, i.raised_at, i.read_at, i.starred_at, i.archived_at, i.deleted_at,
    (SELECT due_at FROM work w WHERE w.item_id = i.id AND w.state = 'waiting')
"""
ITEM_FROM = "items i LEFT JOIN documents d ON d.item_id = i.id"
ITEM_WIDTH = 24

# Appended after ITEM_COLUMNS for a row of the library or of a search.
SUMMARY_COLUMNS = """
    d.site, d.author, d.published, d.language, d.word_count, d.reading_minutes,
    coalesce(nullif(d.summary, ''), substr(d.text, 1, 300), '')
"""

CAPTURE_COLUMNS = """
    body, size, url, final_url, status, media_type, charset, etag, last_modified, provider, captured_at, similarity
"""
DOCUMENT_COLUMNS = """
    item_id, title, author, site, published, language, description, text, markdown, html, images, links,
    word_count, reading_minutes, summary, phrases, method, text_hash, content_hash, extracted_at
"""
FEED_COLUMNS = "id, uid, url, title, etag, last_modified, interval_seconds, next_poll_at, failures"


class ItemRow(msgspec.Struct, frozen=True, kw_only=True):
    """An item with what a list shows of its document."""

    item: Item
    site: str | None
    author: str | None
    published: str | None
    language: str | None
    word_count: int | None
    reading_minutes: int | None
    excerpt: str  # the summary, else the start of the text; "" while there is no document


def text(value: SqlValue) -> str:
    """A TEXT column that is NOT NULL."""
    return cast(str, value)


def integer(value: SqlValue) -> int:
    """An INTEGER column that is NOT NULL."""
    return cast(int, value)


def strings(value: SqlValue) -> tuple[str, ...]:
    """A JSON array of strings."""
    return msgspec.json.decode(cast(str, value), type=tuple[str, ...])


def reason(value: SqlValue) -> Reason | None:
    """A JSON reason."""
    return None if value is None else msgspec.json.decode(cast(str, value), type=Reason)


def item(row: Row) -> Item:
    """An item from the first ITEM_WIDTH columns of `row`."""
    return Item(
        id=integer(row[0]),
        uid=text(row[1]),
        kind=Kind(text(row[2])),
        url=cast("str | None", row[3]),
        url_key=cast("str | None", row[4]),
        title=cast("str | None", row[5]),
        given_title=cast("str | None", row[6]),
        stage=integer(row[7]),
        state=State(text(row[8])),
        reason=reason(row[9]),
        verdict=None if row[10] is None else Verdict(text(row[10])),
        attempts=integer(row[11]),
        priority=Priority(integer(row[12])),
        source=text(row[13]),
        tags=strings(row[14]),
        duplicate_of=cast("str | None", row[15]),
        created_at=integer(row[16]),
        changed_at=integer(row[17]),
        raised_at=integer(row[18]),
        read_at=cast("int | None", row[19]),
        starred_at=cast("int | None", row[20]),
        archived_at=cast("int | None", row[21]),
        deleted_at=cast("int | None", row[22]),
        due_at=cast("int | None", row[23]),
    )


def item_row(row: Row) -> ItemRow:
    """A list entry from ITEM_COLUMNS followed by SUMMARY_COLUMNS."""
    site, author, published, language, words, minutes, excerpt = row[ITEM_WIDTH : ITEM_WIDTH + 7]
    return ItemRow(
        item=item(row),
        site=cast("str | None", site),
        author=cast("str | None", author),
        published=cast("str | None", published),
        language=cast("str | None", language),
        word_count=cast("int | None", words),
        reading_minutes=cast("int | None", minutes),
        excerpt=text(excerpt),
    )


def capture(row: Row) -> Capture:
    """A capture from CAPTURE_COLUMNS."""
    return Capture(
        body=text(row[0]),
        size=integer(row[1]),
        url=text(row[2]),
        final_url=text(row[3]),
        status=integer(row[4]),
        media_type=text(row[5]),
        charset=cast("str | None", row[6]),
        etag=cast("str | None", row[7]),
        last_modified=cast("str | None", row[8]),
        provider=text(row[9]),
        captured_at=integer(row[10]),
        similarity=cast("float | None", row[11]),
    )


def document(row: Row) -> Document:
    """A document from DOCUMENT_COLUMNS."""
    return Document(
        item_id=integer(row[0]),
        title=cast("str | None", row[1]),
        author=cast("str | None", row[2]),
        site=cast("str | None", row[3]),
        published=cast("str | None", row[4]),
        language=cast("str | None", row[5]),
        description=cast("str | None", row[6]),
        text=text(row[7]),
        markdown=text(row[8]),
        html=text(row[9]),
        images=msgspec.json.decode(text(row[10]), type=tuple[Image, ...]),
        links=strings(row[11]),
        word_count=cast("int | None", row[12]),
        reading_minutes=cast("int | None", row[13]),
        summary=cast("str | None", row[14]),
        phrases=strings(row[15]),
        method=text(row[16]),
        text_hash=cast("str | None", row[17]),
        content_hash=cast("str | None", row[18]),
        extracted_at=integer(row[19]),
    )


def feed(row: Row) -> Feed:
    """A feed from FEED_COLUMNS."""
    return Feed(
        id=integer(row[0]),
        uid=text(row[1]),
        url=text(row[2]),
        title=cast("str | None", row[3]),
        etag=cast("str | None", row[4]),
        last_modified=cast("str | None", row[5]),
        interval_seconds=integer(row[6]),
        next_poll_at=integer(row[7]),
        failures=integer(row[8]),
    )


def step(row: Row) -> StepEntry:
    """A timeline entry from code, at, method, bytes, duration_ms, error, detail."""
    return StepEntry(
        code=integer(row[0]),
        at=integer(row[1]),
        method=text(row[2]),
        bytes=cast("int | None", row[3]),
        duration_ms=cast("float | None", row[4]),
        error=cast("str | None", row[5]),
        detail=text(row[6]),
    )
