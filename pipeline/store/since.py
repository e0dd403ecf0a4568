"""What was accepted since a backup: read from the library that is replaced, as far as it can be read, as lines of JSON.

A line each: an item that the backup does not have, the marks and tags of one that it has and that were changed, a feed
that it does not follow. What was fetched is not in it: it is fetched again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, cast

import apsw
import msgspec

from pipeline import errors
from pipeline.items import Kind
from pipeline.lifecycle import Priority
from pipeline.store import rows
from pipeline.store.bodies import unpack
from pipeline.store.connection import ATLAS_CACHES, READ_ONLY, mapped, prepare_reader
from pipeline.store.migrate import APPLICATION_ID
from pipeline.store.snapshot import frozen

CHUNK: Final = 256  # items read at a time; where that meets a damage, they are read one by one
UNKNOWN_END: Final = 100_000  # looked at behind the backup's last item when nothing says which the last one is
DOUBTS_MOST: Final = 20

Moment = int | None  # wall ms


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """What a person has done with an item. `tags` is None where they could not be read."""

    read_at: Moment = None
    starred_at: Moment = None
    archived_at: Moment = None
    deleted_at: Moment = None
    tags: tuple[str, ...] | None = ()


class RequestKey(msgspec.Struct, frozen=True, kw_only=True):
    """An Idempotency-Key that an item was saved with: who asks again with it must not save it twice."""

    key: str
    request_hash: str
    created_at: int


class SavedSince(msgspec.Struct, frozen=True, kw_only=True, tag_field="what", tag="item", omit_defaults=True):
    """An item. `uid` and `saved_at` are None where all that could be read is its address."""

    kind: Kind
    uid: str | None = None
    url: str | None = None
    text: str | None = None  # a note's
    title: str | None = None
    source: str = "restore"
    priority: Priority = Priority.PERSON
    saved_at: Moment = None
    raised_at: Moment = None
    marks: Marks = Marks()
    keys: tuple[RequestKey, ...] = ()


class MarkedSince(msgspec.Struct, frozen=True, kw_only=True, tag_field="what", tag="marks", omit_defaults=True):
    """An item of the backup that a person has marked otherwise or saved again since, as it was in the end."""

    uid: str
    marks: Marks
    raised_at: Moment = None  # when it was saved again


class FollowedSince(msgspec.Struct, frozen=True, kw_only=True, tag_field="what", tag="feed", omit_defaults=True):
    """A feed."""

    uid: str
    url: str
    url_key: str
    interval_seconds: int
    created_at: int
    title: str | None = None


Line = SavedSince | MarkedSince | FollowedSince


class TokenRow(msgspec.Struct, frozen=True, kw_only=True):
    """As it is stored: whoever may come in now may come in afterwards, and nobody else. Never exported."""

    name: str
    kind: str
    scope: str
    hash: str
    prefix: str
    created_at: int
    used_at: Moment
    expires_at: Moment


class Since(msgspec.Struct, frozen=True, kw_only=True):
    """What was exported, and what could not be read. `tokens` is None when they could not be."""

    items: int = 0
    notes: int = 0
    marks: int = 0
    feeds: int = 0
    unreadable: int = 0  # items behind the backup's last that nothing could be read of
    tokens: tuple[TokenRow, ...] | None = None
    doubts: tuple[str, ...] = ()
    is_absent: bool = False  # there was no library at all, as on a new machine


def export(present: Path, archive: Path, backup: Path, file: BinaryIO) -> Since:
    """Write to `file` what the library in `present` has and the one in `backup` has not. Changes neither of them.

    `archive` is where the texts of notes are. What cannot be read is a doubt told, never an error.
    """
    if not present.exists():
        return Since(is_absent=True)
    with contextlib.ExitStack() as stack:
        known = stack.enter_context(contextlib.closing(frozen(backup)))
        try:
            with mapped(f"read {present.name}"):
                conn = stack.enter_context(contextlib.closing(_opened(present)))
                if int(conn.pragma("application_id")) != APPLICATION_ID:
                    raise errors.StoreUnreadable(f"{present.name} is no library of Atlas")
        except errors.StoreError as error:
            return Since(doubts=(f"nothing could be read of what is replaced: {error.message}",))
        bodies = _archive(archive, stack)
        return _Export(conn, bodies, known, file).run()


def read(file: Iterable[bytes]) -> Iterator[Line]:
    """The lines of an export. Raises msgspec.DecodeError."""
    decoder = msgspec.json.Decoder(Line)
    return (decoder.decode(line) for line in file if line.strip())


def _opened(path: Path) -> apsw.Connection:
    conn = apsw.Connection(str(path), flags=READ_ONLY)
    prepare_reader(ATLAS_CACHES)(conn)
    return conn


def _archive(path: Path, stack: contextlib.ExitStack) -> apsw.Connection | None:
    with contextlib.suppress(apsw.Error):
        return stack.enter_context(contextlib.closing(_opened(path)))
    return None


class _Export:
    """One export at work."""

    def __init__(
        self, present: apsw.Connection, bodies: apsw.Connection | None, known: apsw.Connection, file: BinaryIO
    ) -> None:
        self._present = present
        self._bodies = bodies
        self._known = known
        self._file = file
        self._counts = {"items": 0, "notes": 0, "marks": 0, "feeds": 0, "unreadable": 0}
        self._doubts: list[str] = []

    def run(self) -> Since:
        end = _last_id(self._known)
        for item_id, row in self._items(_end(self._present, end)):
            if row is not None:
                self._take(item_id, row)
            elif item_id > end:
                self._take_address(item_id)
        self._feeds()
        tokens = self._tokens()
        if tokens is None:
            self._doubt("the tokens could not be read: those of the backup count again, also revoked ones")
        return Since(**self._counts, tokens=tokens, doubts=tuple(self._doubts), is_absent=False)

    def _doubt(self, what: str) -> None:
        if len(self._doubts) < DOUBTS_MOST:
            self._doubts.append(what)

    def _items(self, end: int) -> Iterator[tuple[int, rows.Row | None]]:
        """Every item by its id; None for one that cannot be read, or is not there."""
        sql = f"SELECT {_COLUMNS} FROM items WHERE id BETWEEN ? AND ? ORDER BY id"
        for first in range(1, end + 1, CHUNK):
            last = min(first + CHUNK - 1, end)
            found = _rows(self._present, sql, first, last)
            if found is not None:
                yield from ((rows.integer(row[0]), row) for row in found)
                continue
            for item_id in range(first, last + 1):
                one = _rows(self._present, sql, item_id, item_id)
                yield item_id, one[0] if one else None

    def _take(self, item_id: int, row: rows.Row) -> None:
        try:
            saved = self._saved(item_id, row)
        except (msgspec.ValidationError, UnicodeDecodeError):
            self._doubt(f"item {item_id} holds what no item of Atlas holds")
            return
        known = self._in_backup(saved.uid or "")
        if known is None:
            if saved.marks.deleted_at is None:
                self._write(self._with_text(item_id, saved))
            return
        was, raised_at = known
        again = saved.raised_at if (saved.raised_at or 0) > raised_at else None
        if saved.marks.tags is not None and (saved.marks != was or again is not None):
            self._write(MarkedSince(uid=saved.uid or "", marks=saved.marks, raised_at=again))

    def _saved(self, item_id: int, row: rows.Row) -> SavedSince:
        values = dict(zip(_NAMES, row, strict=True))
        marks = {name: values.pop(name) for name in ("read_at", "starred_at", "archived_at", "deleted_at")}
        del values["id"]
        tags = _tags(self._present, item_id)
        keys = _keys(self._present, item_id)
        return msgspec.convert({"what": "item", **values, "marks": marks | {"tags": tags}, "keys": keys}, SavedSince)

    def _in_backup(self, uid: str) -> tuple[Marks, int] | None:
        """The marks of an item there, and when it was last saved."""
        sql = "SELECT id, read_at, starred_at, archived_at, deleted_at, raised_at FROM items WHERE uid = ?"
        found = self._known.execute(sql, (uid,)).fetchone()
        if found is None:
            return None
        names = ("read_at", "starred_at", "archived_at", "deleted_at")
        marks = dict(zip(names, found[1:-1], strict=True))
        tags = _tags(self._known, rows.integer(found[0]))
        return msgspec.convert(marks | {"tags": tags}, Marks), rows.integer(found[-1])

    def _take_address(self, item_id: int) -> None:
        """Of an item whose row is gone its canonical address may be left."""
        found = _rows(self._present, "SELECT url_key FROM keys WHERE item_id = ? LIMIT 1", item_id)
        url = found[0][0] if found else None
        if not isinstance(url, str):
            self._counts["unreadable"] += 1
        elif self._known.execute("SELECT 1 FROM keys WHERE url_key = ?", (url,)).get is None:
            self._write(SavedSince(kind=Kind.PAGE, url=url))

    def _with_text(self, item_id: int, saved: SavedSince) -> SavedSince | None:
        if saved.kind is not Kind.NOTE:
            return saved
        text = self._body_of(item_id) or self._document_of(item_id)
        if text is None:
            self._doubt(f"the text of the note {saved.uid} could not be read")
            return None
        return msgspec.structs.replace(saved, text=text)

    def _write(self, line: Line | None) -> None:
        if line is not None:
            self._counts[_COUNTED[type(line)]] += 1
            self._counts["notes"] += isinstance(line, SavedSince) and line.kind is Kind.NOTE
            self._file.write(msgspec.json.encode(line) + b"\n")

    def _body_of(self, item_id: int) -> str | None:
        """A note's text as it came in."""
        sql = "SELECT body FROM captures WHERE item_id = ? AND provider = 'note' ORDER BY id LIMIT 1"
        named = _rows(self._present, sql, item_id)
        if not named or self._bodies is None:
            return None
        key = rows.text(named[0][0])
        found = _rows(self._bodies, "SELECT data, size FROM bodies WHERE hash = ?", key)
        with contextlib.suppress(errors.StoreUnreadable, UnicodeDecodeError):
            return unpack(cast(bytes, found[0][0]), cast(int, found[0][1]), key).decode() if found else None
        return None

    def _document_of(self, item_id: int) -> str | None:
        """A note's text as it is shown."""
        found = _rows(self._present, "SELECT markdown FROM documents WHERE item_id = ?", item_id)
        return found[0][0] if found and isinstance(found[0][0], str) else None

    def _feeds(self) -> None:
        found = _rows(
            self._present, "SELECT uid, url, url_key, interval_seconds, created_at, title FROM feeds ORDER BY id"
        )
        if found is None:
            self._doubt("the feeds could not be read: those of the backup are followed")
        for row in found or ():
            if self._known.execute("SELECT 1 FROM feeds WHERE url_key = ?", (row[2],)).get is None:
                names = ("uid", "url", "url_key", "interval_seconds", "created_at", "title")
                with contextlib.suppress(msgspec.ValidationError):
                    self._write(msgspec.convert({"what": "feed", **dict(zip(names, row, strict=True))}, FollowedSince))

    def _tokens(self) -> tuple[TokenRow, ...] | None:
        names = TokenRow.__struct_fields__
        found = _rows(self._present, f"SELECT {', '.join(names)} FROM tokens ORDER BY id")
        try:
            return (
                msgspec.convert([dict(zip(names, row, strict=True)) for row in found or ()], tuple[TokenRow, ...])
                if found is not None
                else None
            )
        except msgspec.ValidationError:
            return None


_NAMES: Final = (
    "id", "kind", "uid", "url", "title", "source", "priority", "saved_at", "raised_at",
    "read_at", "starred_at", "archived_at", "deleted_at",
)  # fmt: skip
_COLUMNS: Final = (
    "id, kind, uid, url, given_title, source, priority, created_at, raised_at, read_at, starred_at, archived_at,"
    " deleted_at"
)
_COUNTED: Final = {SavedSince: "items", MarkedSince: "marks", FollowedSince: "feeds"}


def _rows(conn: apsw.Connection, sql: str, *values: rows.SqlValue) -> list[rows.Row] | None:
    """What is found; None where the file is too damaged for it."""
    try:
        return cast("list[rows.Row]", conn.execute(sql, values).fetchall())
    except (apsw.Error, UnicodeDecodeError):
        return None


def _tags(conn: apsw.Connection, item_id: int) -> tuple[str, ...] | None:
    found = _rows(conn, "SELECT tag FROM tags WHERE item_id = ? ORDER BY tag", item_id)
    return None if found is None else tuple(rows.text(tag) for (tag,) in found)


def _keys(conn: apsw.Connection, item_id: int) -> list[dict[str, rows.SqlValue]]:
    """None where they cannot be read: then who asks again saves again, and nothing is lost."""
    found = _rows(conn, "SELECT key, request_hash, created_at FROM idempotency WHERE item_id = ?", item_id)
    return [
        {"key": key, "request_hash": request_hash, "created_at": created_at}
        for key, request_hash, created_at in found or ()
        if isinstance(key, str) and isinstance(request_hash, str) and isinstance(created_at, int)
    ]


def _last_id(conn: apsw.Connection) -> int:
    """Of all items that there ever were: no id is given twice."""
    found = conn.execute("SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'items'), 0)").get
    return rows.integer(found)


def _end(conn: apsw.Connection, known: int) -> int:
    for sql in ("SELECT seq FROM sqlite_sequence WHERE name = 'items'", "SELECT max(id) FROM items"):
        found = _rows(conn, sql)
        if found and isinstance(found[0][0], int):
            return min(found[0][0], known + 10 * UNKNOWN_END)  # a torn page may say anything
    return known + UNKNOWN_END
