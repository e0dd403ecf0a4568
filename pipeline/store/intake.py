"""Accepting: the rules for saving something the first time and again. Everything here runs inside one transaction."""

from __future__ import annotations

from collections.abc import Mapping

import apsw
import msgspec

from pipeline import errors
from pipeline.events import Event
from pipeline.items import Accepted, Capture, Kind, Submission
from pipeline.lifecycle import ENTRY, Priority, Stage, State, hundred
from pipeline.settings import QueueSettings
from pipeline.store import counts, kept, outbox, rows, search, steps
from pipeline.text.urls import host_of

RETRY_AFTER_SECONDS = 60.0  # what a full backlog tells its callers
KEPT_FOR_PERSONS = 0.1  # the last tenth of the backlog takes only a person's own saves


class Idempotency(msgspec.Struct, frozen=True, kw_only=True):
    """A caller's key for one request, and the hash of what it asked: the same key with another request is refused."""

    key: str
    request_hash: str


class Intake(msgspec.Struct, frozen=True, kw_only=True):
    """What accepting one submission needs beside the submission itself."""

    submission: Submission
    uid: str
    now: int  # wall ms
    limits: QueueSettings
    idempotency: Idempotency | None = None
    note: Capture | None = None  # a note's body, in archive.db already


def accept(conn: apsw.Connection, intake: Intake) -> Accepted:
    """Accept once; saving again answers with the item that is there.

    Alive: raised to the top. Dead, or a duplicate of what is gone: back to the queue. Deleted: undeleted. Raises
    IdempotencyMismatch and QueueFull.
    """
    repeated = _repeated(conn, intake)
    if repeated is not None:
        return repeated
    submission = intake.submission
    known = None if submission.url_key is None else owner(conn, submission.url_key)
    accepted = _accept_new(conn, intake) if known is None else _accept_again(conn, intake, known)
    if intake.idempotency is not None:
        conn.execute(
            "INSERT INTO idempotency (key, request_hash, item_id, created_at) VALUES (?, ?, ?, ?)",
            (intake.idempotency.key, intake.idempotency.request_hash, accepted.item_id, intake.now),
        )
    return accepted


def owner(conn: apsw.Connection, url_key: str) -> int | None:
    """The item that is known under a canonical key."""
    found = conn.execute("SELECT item_id FROM keys WHERE url_key = ?", (url_key,)).get
    return None if found is None else rows.integer(found)


def original(conn: apsw.Connection, item_id: int) -> int | None:
    """The item that is kept for this one: itself, or what it is a duplicate of; None when that is dead or deleted."""
    found = conn.execute(
        """WITH RECURSIVE chain (id, next) AS (
               SELECT id, duplicate_of FROM items WHERE id = ?
               UNION SELECT i.id, i.duplicate_of FROM chain c JOIN items i ON i.id = c.next)
           SELECT i.id FROM chain c JOIN items i ON i.id = c.id
           WHERE c.next IS NULL AND i.deleted_at IS NULL AND i.state <> 'dead'""",
        (item_id,),
    ).get
    return None if found is None else rows.integer(found)


def _repeated(conn: apsw.Connection, intake: Intake) -> Accepted | None:
    if intake.idempotency is None:
        return None
    found = conn.execute(
        "SELECT x.request_hash, i.id, i.uid FROM idempotency x JOIN items i ON i.id = x.item_id WHERE x.key = ?",
        (intake.idempotency.key,),
    ).get
    if found is None:
        return None
    request_hash, item_id, uid = found
    if request_hash != intake.idempotency.request_hash:
        raise errors.IdempotencyMismatch(
            "this Idempotency-Key was used for another request", hint="use a new key for each thing you save"
        )
    return Accepted(uid=uid, item_id=item_id, created=False)


def _accept_new(conn: apsw.Connection, intake: Intake) -> Accepted:
    submission, limits = intake.submission, intake.limits
    depth = counts.depth(conn)
    _check_backlog(depth.backlog, limits.max_backlog, submission.priority)
    deferred = depth.queue_size >= limits.max_size
    entry = ENTRY[300] if submission.kind is Kind.NOTE else ENTRY[100]
    stage, state = (Stage.PENDING, State.DEFERRED) if deferred else (entry, State.READY)
    conn.execute(
        """INSERT INTO items (uid, kind, url, url_key, host, given_title, stage, state, priority, source, trace,
                              created_at, changed_at, raised_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            intake.uid,
            submission.kind,
            submission.url,
            submission.url_key,
            None if submission.url_key is None else host_of(submission.url_key),
            submission.title,
            stage,
            state,
            submission.priority,
            submission.source,
            msgspec.json.encode(submission.trace).decode(),
            intake.now,
            intake.now,
            intake.now,
        ),
    )
    item_id = conn.last_insert_rowid()
    if submission.url_key is not None:
        conn.execute("INSERT INTO keys (url_key, item_id) VALUES (?, ?)", (submission.url_key, item_id))
    if intake.note is not None:
        steps.keep_capture(conn, item_id, intake.note)
    add_tags(conn, item_id, submission.tags)
    _enqueue(conn, item_id, entry, intake.now)
    steps.append_reached(conn, item_id, intake.now, Stage.RECEIVED, stage, method=submission.source)
    outbox.append(conn, intake.now, Event.ACCEPTED, item_id)
    return Accepted(uid=intake.uid, item_id=item_id, created=True, deferred=deferred)


def backlog_room(limit: int, priority: Priority) -> int:
    """How far the backlog may be filled by this priority."""
    return limit if priority is Priority.PERSON else int(limit * (1 - KEPT_FOR_PERSONS))


def _check_backlog(backlog: int, limit: int, priority: Priority) -> None:
    if backlog >= backlog_room(limit, priority):
        raise errors.QueueFull(
            f"the backlog is full: {backlog} of {limit} items are in flight",
            retry_after=RETRY_AFTER_SECONDS,
            hint="nothing was accepted; try again later",
        )


def _accept_again(conn: apsw.Connection, intake: Intake, item_id: int) -> Accepted:
    submission = intake.submission
    found = conn.execute("SELECT uid, state, deleted_at, given_title FROM items WHERE id = ?", (item_id,)).get
    uid, state, deleted_at, given_title = found
    if submission.priority is not Priority.PERSON:
        # A feed or an import that meets a known page leaves it as the person left it.
        return Accepted(uid=uid, item_id=item_id, created=False)
    conn.execute(
        "UPDATE items SET raised_at = ?, given_title = coalesce(given_title, ?) WHERE id = ?",
        (intake.now, submission.title, item_id),
    )
    _raise_priority(conn, item_id)
    changed = add_tags(conn, item_id, submission.tags) or (given_title is None and submission.title is not None)
    undeleted = deleted_at is not None
    if undeleted:
        undelete(conn, item_id, intake.now)
    if state == State.DUPLICATE:
        requeued = original(conn, item_id) is None
    else:
        requeued = state == State.DEAD or (undeleted and state != State.DONE)
    if requeued:
        requeue(conn, item_id, intake.now, intake.limits)
        goes_on_in(conn, item_id, submission.trace)
    if (changed or undeleted) and (state == State.DONE or kept.of(conn, item_id) is not None):
        search.index(conn, item_id)  # it is kept, or was before it is done again, and is readable until then
    return Accepted(uid=uid, item_id=item_id, created=False, requeued=requeued, undeleted=undeleted)


def _raise_priority(conn: apsw.Connection, item_id: int) -> None:
    conn.execute("UPDATE items SET priority = 0 WHERE id = ? AND priority > 0", (item_id,))
    conn.execute("UPDATE work SET priority = 0 WHERE item_id = ? AND priority > 0", (item_id,))


def add_tags(conn: apsw.Connection, item_id: int, tags: tuple[str, ...]) -> bool:
    """Add tags; True when one of them is new."""
    before = conn.total_changes()
    for tag in tags:
        conn.execute("INSERT OR IGNORE INTO tags (tag, item_id) VALUES (?, ?)", (tag, item_id))
    return conn.total_changes() > before


def undelete(conn: apsw.Connection, item_id: int, now: int) -> None:
    """Take back a deletion. The search row is the caller's to write when the item is done."""
    conn.execute("UPDATE items SET deleted_at = NULL, changed_at = ? WHERE id = ?", (now, item_id))
    conn.execute("DELETE FROM tombstones WHERE item_id = ?", (item_id,))
    outbox.append(conn, now, Event.UNDELETED, item_id)


def goes_on_in(conn: apsw.Connection, item_id: int, trace: Mapping[str, str]) -> None:
    """What happens to the item from now on belongs to this trace: that of the request that asked for it."""
    if trace:
        conn.execute("UPDATE items SET trace = ? WHERE id = ?", (msgspec.json.encode(trace).decode(), item_id))


def requeue(conn: apsw.Connection, item_id: int, now: int, limits: QueueSettings) -> None:
    """Start an item again from the beginning, with all its attempts. One that is done stays readable meanwhile."""
    kind, state = conn.execute("SELECT kind, state FROM items WHERE id = ?", (item_id,)).get
    entry = ENTRY[300] if kind == Kind.NOTE else ENTRY[100]
    method = kept.REFRESHED if state == State.DONE else kept.REQUEUED
    kept.turn_to_refresh(conn, item_id)
    start_again(conn, item_id, now, limits, entry=entry, method=method)


def start_again(
    conn: apsw.Connection,
    item_id: int,
    now: int,
    limits: QueueSettings,
    *,
    entry: Stage,
    method: str,
    priority: Priority | None = None,
) -> None:
    """Put an item that is not in flight on the queue at `entry`, deferred when it is full. `priority` of this run only.

    What was done keeps document, verdict and search row, and goes back to them when this fails.
    """
    if conn.execute("SELECT state FROM items WHERE id = ?", (item_id,)).get == State.DONE:
        kept.remember(conn, item_id, method)
    deferred = counts.depth(conn).queue_size >= limits.max_size
    stage, state = (Stage.PENDING, State.DEFERRED) if deferred else (entry, State.READY)
    conn.execute(
        """UPDATE items SET stage = ?, state = ?, reason = NULL, verdict = iif(kept IS NULL AND ?, NULL, verdict),
               attempts = 0, duplicate_of = NULL, changed_at = ? WHERE id = ?""",
        (stage, state, hundred(entry) <= 200, now, item_id),
    )
    conn.execute("DELETE FROM work WHERE item_id = ?", (item_id,))
    _enqueue(conn, item_id, entry, now, priority)
    steps.append_reached(conn, item_id, now, stage, method=method)
    outbox.append(conn, now, Event.REQUEUED, item_id)


def _enqueue(conn: apsw.Connection, item_id: int, entry: Stage, now: int, priority: Priority | None = None) -> None:
    conn.execute(
        """INSERT INTO work (item_id, hundred, stage, state, priority, due_at, entered_at)
           SELECT id, ?, ?, state, coalesce(?, priority), ?, ? FROM items WHERE id = ?""",
        (hundred(entry), entry, priority, now, now, item_id),
    )
