"""Endings: done, duplicate, dead, deleted. Each leaves the queue and says so on the item and in the outbox."""

from __future__ import annotations

import apsw
import msgspec

from pipeline.events import Event
from pipeline.items import Reason
from pipeline.lifecycle import Stage, State
from pipeline.store import kept, outbox, rows, search, steps

FEED_RETRY_SECONDS = 3600  # a feed whose poll was given up is asked again after this, doubled each time
FEED_RETRY_MOST = 86_400


def done(conn: apsw.Connection, work_id: int, item_id: int, now: int) -> None:
    """590: the item is kept, indexed and shown. One that was done before says what has changed."""
    before = kept.of(conn, item_id)
    if before is not None:
        kept.tell_change(conn, item_id, before, now)
        kept.forget(conn, item_id)
    conn.execute(
        "UPDATE items SET stage = ?, state = ?, reason = NULL, changed_at = ? WHERE id = ?",
        (Stage.DONE, State.DONE, now, item_id),
    )
    conn.execute("DELETE FROM work WHERE id = ?", (work_id,))
    steps.append_reached(conn, item_id, now, Stage.DONE)
    outbox.append(conn, now, Event.DONE, item_id)


def duplicate(conn: apsw.Connection, work_id: int, item_id: int, of: int, now: int) -> None:
    """599: the same thing is kept already, as the item `of`."""
    kept.forget(conn, item_id)
    conn.execute(
        "UPDATE items SET stage = ?, state = ?, reason = NULL, duplicate_of = ?, changed_at = ? WHERE id = ?",
        (Stage.DUPLICATE, State.DUPLICATE, of, now, item_id),
    )
    conn.execute("DELETE FROM work WHERE id = ?", (work_id,))
    search.unindex(conn, item_id)
    steps.append_reached(conn, item_id, now, Stage.DUPLICATE)
    outbox.append(conn, now, Event.DUPLICATE, item_id)


def bury(conn: apsw.Connection, work_id: int, item_id: int, reason: Reason, now: int) -> State:
    """A dead letter: the item keeps the number at which it died, the reason, and all that is needed to try again.

    One that was done before is not lost over it: it goes back to 590 as it was, with the reason. Returns its state.
    """
    if go_back(conn, work_id, item_id, reason, now):
        return State.DONE
    conn.execute(
        "UPDATE items SET state = ?, reason = ?, changed_at = ? WHERE id = ?",
        (State.DEAD, encode(reason), now, item_id),
    )
    conn.execute("DELETE FROM work WHERE id = ?", (work_id,))
    search.unindex(conn, item_id)
    outbox.append(conn, now, Event.BURIED, item_id, code=reason.code)
    return State.DEAD


def go_back(conn: apsw.Connection, work_id: int, item_id: int, reason: Reason, now: int) -> bool:
    """590 again with document, verdict and search row of before, and with the reason. False: it was not done before."""
    before = kept.of(conn, item_id)
    if before is None:
        return False
    kept.give_back(conn, item_id, before)
    conn.execute(
        "UPDATE items SET stage = ?, state = ?, reason = ?, changed_at = ? WHERE id = ?",
        (Stage.DONE, State.DONE, encode(reason), now, item_id),
    )
    conn.execute("DELETE FROM work WHERE id = ?", (work_id,))
    kept.stays(conn, item_id, reason, now)
    outbox.append(conn, now, Event.DONE, item_id, code=reason.code)
    return True


def give_up_poll(conn: apsw.Connection, work_id: int, feed_id: int, reason: Reason, now: int) -> None:
    """A poll that failed for good: the feed keeps the reason and is asked again, later each time."""
    failures = rows.integer(conn.execute("SELECT failures FROM feeds WHERE id = ?", (feed_id,)).get)
    wait = min(FEED_RETRY_SECONDS * 2 ** min(failures, 10), FEED_RETRY_MOST)
    conn.execute(
        "UPDATE feeds SET failures = failures + 1, reason = ?, next_poll_at = ? WHERE id = ?",
        (encode(reason), now + wait * 1000, feed_id),
    )
    conn.execute("DELETE FROM work WHERE id = ?", (work_id,))


def delete(conn: apsw.Connection, item_id: int, uid: str, now: int) -> None:
    """Take an item out of sight: out of queue and search, with a tombstone for clients. It can be undeleted."""
    conn.execute("UPDATE items SET deleted_at = ?, changed_at = ? WHERE id = ?", (now, now, item_id))
    conn.execute("DELETE FROM work WHERE item_id = ?", (item_id,))
    search.unindex(conn, item_id)
    conn.execute("INSERT OR REPLACE INTO tombstones (item_id, uid, deleted_at) VALUES (?, ?, ?)", (item_id, uid, now))
    outbox.append(conn, now, Event.DELETED, item_id)


def encode(reason: Reason) -> str:
    """A reason as it is stored."""
    return msgspec.json.encode(reason).decode()
