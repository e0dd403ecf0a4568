"""Doing items again: retries from the beginning, replays from a stage on. Each call runs inside one transaction.

What is in flight is left alone (but for a wait, which ends), so asking twice does nothing twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import apsw
import msgspec

from observability.carrier import new_trace
from pipeline.ids import Random, system_random
from pipeline.items import Kind
from pipeline.lifecycle import ENTRY, IN_FLIGHT, Priority, Stage, State, Verdict
from pipeline.settings import QueueSettings
from pipeline.store import counts, intake, kept, rows, steps

_READABLE: Final = (Verdict.FULL, Verdict.PARTIAL)


class Deed(StrEnum):
    """What became of one item that was asked for."""

    REQUEUED = "requeued"  # a dead letter, or a copy of what is gone: from the beginning, with all its attempts
    HASTENED = "hastened"  # it waited for its next try: that is now
    REFRESHED = "refreshed"  # it is done: fetched again, readable meanwhile
    REPLAYED = "replayed"  # made again from its archived body
    IN_FLIGHT = "in_flight"  # untouched from here on: on its way already
    DUPLICATE = "duplicate"  # its original is kept
    DELETED = "deleted"
    UNKNOWN = "unknown"
    NO_BODY = "no_body"  # nothing was ever fetched for it, so nothing can be replayed
    NO_TEXT = "no_text"  # no text was ever extracted, so a later stage has nothing to begin with


TOUCHED: Final = frozenset({Deed.REQUEUED, Deed.HASTENED, Deed.REFRESHED, Deed.REPLAYED})


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one item."""

    uid: str
    deed: Deed


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to do, and for whom. `start` is the hundred of a replay, None a retry.

    `priority` None: as each item was. Of the backlog, `share` is whose part may be filled. `trace` is the context of
    whoever asks: an item asked for `alone` goes on in it, several get traces of their own under its correlation id.
    """

    now: int
    limits: QueueSettings
    start: int | None = None
    priority: Priority | None = None
    share: Priority = Priority.PERSON
    trace: dict[str, str] = {}
    alone: bool = False


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    item_id: int
    kind: str
    state: str
    verdict: str | None
    has_document: bool


def redo(conn: apsw.Connection, uids: Sequence[str], order: Order, random: Random = system_random) -> tuple[Done, ...]:
    """Do these items again, in order. Shorter than `uids` when the backlog took only the first of them."""
    done: list[Done] = []
    for uid in uids:
        found = _find(conn, uid)
        if isinstance(found, Deed):
            done.append(Done(uid=uid, deed=found))
            continue
        deed = _retry(conn, found, order) if order.start is None else _replay(conn, found, order, order.start)
        if deed is None:
            break
        if deed in TOUCHED:
            trace = order.trace if order.alone else new_trace(random, correlation_id=order.trace.get("correlation_id"))
            intake.goes_on_in(conn, found.item_id, trace)
        done.append(Done(uid=uid, deed=deed))
    return tuple(done)


def _find(conn: apsw.Connection, uid: str) -> _Found | Deed:
    row = conn.execute(
        """SELECT i.id, i.kind, i.state, i.verdict, i.deleted_at, d.item_id IS NOT NULL
           FROM items i LEFT JOIN documents d ON d.item_id = i.id WHERE i.uid = ?""",
        (uid,),
    ).get
    if row is None:
        return Deed.UNKNOWN
    item_id, kind, state, verdict, deleted_at, has_document = row
    if deleted_at is not None:
        return Deed.DELETED
    return _Found(item_id=item_id, kind=kind, state=state, verdict=verdict, has_document=bool(has_document))


def _retry(conn: apsw.Connection, found: _Found, order: Order) -> Deed | None:
    if found.state == State.WAITING:
        return _hasten(conn, found.item_id, order.now)
    if found.state in IN_FLIGHT:
        return Deed.IN_FLIGHT
    if found.state == State.DUPLICATE and intake.original(conn, found.item_id) is not None:
        return Deed.DUPLICATE
    if not _has_room(conn, order):
        return None
    intake.requeue(conn, found.item_id, order.now, order.limits)
    return Deed.REFRESHED if found.state == State.DONE else Deed.REQUEUED


def _hasten(conn: apsw.Connection, item_id: int, now: int) -> Deed:
    conn.execute("UPDATE work SET state = 'ready', due_at = ? WHERE item_id = ?", (now, item_id))
    conn.execute("UPDATE items SET state = ?, changed_at = ? WHERE id = ?", (State.READY, now, item_id))
    return Deed.HASTENED


def _replay(conn: apsw.Connection, found: _Found, order: Order, start: int) -> Deed | None:
    if found.state in IN_FLIGHT:
        return Deed.IN_FLIGHT
    entry = _entry(found, start)
    if entry < ENTRY[400] and steps.newest_capture(conn, found.item_id) is None:
        return Deed.NO_BODY
    if entry >= ENTRY[400] and not found.has_document:
        return Deed.NO_TEXT
    if not _has_room(conn, order):
        return None
    intake.start_again(
        conn,
        found.item_id,
        order.now,
        order.limits,
        entry=entry,
        method=kept.REPLAYED,
        priority=order.priority,
    )
    return Deed.REPLAYED


def _entry(found: _Found, start: int) -> Stage:
    """Where the replay begins. A note is not judged; a page that was refused is, or it would pass as one."""
    if found.kind == Kind.NOTE:
        return ENTRY[max(start, 300)]
    is_refused = found.state != State.DONE and found.verdict not in _READABLE
    return ENTRY[200 if is_refused else start]


def _has_room(conn: apsw.Connection, order: Order) -> bool:
    return counts.depth(conn).backlog < intake.backlog_room(order.limits.max_backlog, order.share)


def uids_of(conn: apsw.Connection, condition: str, values: Sequence[rows.SqlValue]) -> tuple[str, ...]:
    """The live items that match, the oldest first."""
    found = conn.execute(f"SELECT i.uid FROM items i WHERE i.deleted_at IS NULL AND {condition} ORDER BY i.id", values)
    return tuple(rows.text(uid) for (uid,) in found)


def still(conn: apsw.Connection, uids: Sequence[str], condition: str, values: Sequence[rows.SqlValue]) -> list[str]:
    """Those of `uids` that match now: others may have moved since they were looked up."""
    marks = ", ".join("?" * len(uids))
    found = conn.execute(f"SELECT i.uid FROM items i WHERE i.uid IN ({marks}) AND {condition}", (*uids, *values))
    matching = {rows.text(uid) for (uid,) in found}
    return [uid for uid in uids if uid in matching]
