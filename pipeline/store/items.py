"""`store.items`: accepting, looking up, listing, marking and deleting what a person keeps."""

from __future__ import annotations

from typing import cast

import apsw
import msgspec

from pipeline import errors
from pipeline.documents import Document
from pipeline.events import Event
from pipeline.ids import new_uid
from pipeline.items import Accepted, Capture, Item, StepEntry, Submission, note_capture
from pipeline.lifecycle import State
from pipeline.selection import Selection
from pipeline.store import endings, intake, outbox, rows, steps
from pipeline.store.bodies import BodyStore
from pipeline.store.cursor import decode_cursor, encode_cursor
from pipeline.store.intake import Idempotency
from pipeline.store.ports import Db
from pipeline.store.related import Related, related
from pipeline.store.rows import ItemRow
from pipeline.store.select import condition

LIST_MOST = 200


class ItemFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which items to list. `stage` is a hundred (all of an actor) or an exact number."""

    limit: int = 50
    cursor: str | None = None
    states: tuple[State, ...] = ()  # in any of these; none given: in any at all
    stage: int | None = None
    tag: str | None = None
    where: Selection | None = None


class ItemPage(msgspec.Struct, frozen=True, kw_only=True):
    """Items, the last raised first, and where the next page begins (None: there is none)."""

    items: tuple[ItemRow, ...]
    cursor: str | None


class ItemStore:
    """`store.items`"""

    def __init__(self, db: Db, bodies: BodyStore) -> None:
        self._db = db
        self._bodies = bodies

    async def accept(self, submission: Submission, *, idempotency: Idempotency | None = None) -> Accepted:
        """Keep a submission, once, whatever happens after this returns. See intake.accept for saving again.

        Raises IdempotencyMismatch, QueueFull, StoreBusy, StoreFull: nothing was accepted then.
        """
        self._db.check_takes_in()
        now = self._db.clock.wall_ms()
        uid = new_uid(now, self._db.random)
        note = await self._keep_note(submission, uid, now)
        asked = intake.Intake(
            submission=submission, uid=uid, now=now, limits=self._db.queue, idempotency=idempotency, note=note
        )
        return await self._db.write(lambda conn: intake.accept(conn, asked))

    async def _keep_note(self, submission: Submission, uid: str, now: int) -> Capture | None:
        if submission.text is None:
            return None
        content = submission.text.encode()
        return note_capture(uid, await self._bodies.put(content), size=len(content), at=now)

    async def get(self, uid: str, *, include_deleted: bool = False) -> Item:
        """One item. Raises NotFound."""

        def job(conn: apsw.Connection) -> Item:
            row = conn.execute(f"SELECT {rows.ITEM_COLUMNS} FROM {rows.ITEM_FROM} WHERE i.uid = ?", (uid,)).get
            item = None if row is None else rows.item(row)
            if item is None or (item.deleted_at is not None and not include_deleted):
                raise _unknown(uid)
            return item

        return await self._db.read(job)

    async def list(self, wanted: ItemFilter) -> ItemPage:
        """A page of live items. Raises InvalidInput for a cursor that is not ours."""
        now = self._db.clock.wall_ms()
        return await self._db.read(lambda conn: _list(conn, wanted, now))

    async def steps(self, uid: str) -> tuple[StepEntry, ...]:
        """The timeline, oldest first. Raises NotFound."""
        return await self._db.read(lambda conn: steps.timeline(conn, _id(conn, uid)))

    async def document(self, uid: str) -> Document:
        """The document of an item. Raises NotFound, also while there is none yet."""
        return await self._db.read(lambda conn: read_document(conn, _id(conn, uid)))

    async def document_of(self, item_id: int) -> Document:
        """The same by the item's id, for the pipeline."""
        return await self._db.read(lambda conn: read_document(conn, item_id))

    async def capture(self, uid: str) -> Capture | None:
        """The body the item was made from, None while there is none. Raises NotFound."""
        return await self._db.read(lambda conn: steps.newest_capture(conn, _id(conn, uid)))

    async def related(self, uid: str) -> tuple[Related, ...]:
        """Kept items with almost this text, and those it links to or that link to it, at most 20. Raises NotFound."""
        return await self._db.read(lambda conn: related(conn, _id(conn, uid)))

    async def delete(self, uid: str) -> None:
        """Delete an item; saving its URL again brings it back. Raises NotFound."""
        now = self._db.clock.wall_ms()
        await self._db.write(lambda conn: endings.delete(conn, _id(conn, uid), uid, now))

    async def mark(
        self, uid: str, *, read: bool | None = None, starred: bool | None = None, archived: bool | None = None
    ) -> Item:
        """Set or clear a person's flags (None leaves one as it is). Raises NotFound."""
        flags = {"read_at": read, "starred_at": starred, "archived_at": archived}
        now = self._db.clock.wall_ms()
        await self._db.write(lambda conn: _mark(conn, uid, flags, now))
        return await self.get(uid)


def _unknown(uid: str) -> errors.NotFound:
    return errors.NotFound(f"there is no item {uid}", hint="it may have been deleted; saving its URL brings it back")


def _id(conn: apsw.Connection, uid: str) -> int:
    found = conn.execute("SELECT id FROM items WHERE uid = ? AND deleted_at IS NULL", (uid,)).get
    if found is None:
        raise _unknown(uid)
    return rows.integer(found)


def read_document(conn: apsw.Connection, item_id: int) -> Document:
    """The document of an item. Raises NotFound while there is none."""
    row = conn.execute(f"SELECT {rows.DOCUMENT_COLUMNS} FROM documents WHERE item_id = ?", (item_id,)).get
    if row is None:
        raise errors.NotFound("the item has no text yet", hint="look at its timeline for what it waits for")
    return rows.document(row)


def _list(conn: apsw.Connection, wanted: ItemFilter, now: int) -> ItemPage:
    limit = max(1, min(wanted.limit, LIST_MOST))
    where, values = ["i.deleted_at IS NULL"], cast("list[rows.SqlValue]", [])
    if wanted.states:
        where.append(f"i.state IN ({', '.join('?' * len(wanted.states))})")
        values.extend(wanted.states)
    if wanted.stage is not None:
        last = wanted.stage + (99 if wanted.stage % 100 == 0 else 0)
        where.append("i.stage BETWEEN ? AND ?")
        values.extend((wanted.stage, last))
    if wanted.tag is not None:
        where.append("i.id IN (SELECT item_id FROM tags WHERE tag = ?)")
        values.append(wanted.tag)
    if wanted.where is not None:
        sql, bound = condition(wanted.where, now)
        where.append(sql)
        values.extend(bound)
    if wanted.cursor is not None:
        where.append("(i.raised_at, i.id) < (?, ?)")
        values.extend(decode_cursor(wanted.cursor, 2))
    found = conn.execute(
        f"""SELECT {rows.ITEM_COLUMNS}, {rows.SUMMARY_COLUMNS} FROM {rows.ITEM_FROM}
            WHERE {" AND ".join(where)} ORDER BY i.raised_at DESC, i.id DESC LIMIT ?""",
        (*values, limit + 1),
    ).fetchall()
    page = tuple(rows.item_row(row) for row in found[:limit])
    more = len(found) > limit
    return ItemPage(items=page, cursor=encode_cursor(page[-1].item.raised_at, page[-1].item.id) if more else None)


def _mark(conn: apsw.Connection, uid: str, flags: dict[str, bool | None], now: int) -> None:
    item_id = _id(conn, uid)
    for column, wanted in flags.items():
        if wanted is not None:
            value = f"coalesce({column}, ?)" if wanted else "nullif(NULL, ?)"
            conn.execute(f"UPDATE items SET {column} = {value} WHERE id = ?", (now, item_id))
    outbox.append(conn, now, Event.MARKED, item_id)
