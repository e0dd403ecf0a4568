"""Claiming: leases on as many rows as there is room for, and everything that gives a lease back without an outcome.

A lease is a token in the row. It is valid for one worker process (its boot id) and until a point on that machine's
monotonic clock; wall time, which may jump, decides nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import apsw
import msgspec

from pipeline.ids import Random, new_token
from pipeline.items import Reason
from pipeline.lifecycle import ENTRY, Stage, State
from pipeline.settings import QueueSettings
from pipeline.store import counts, endings, rows, steps
from pipeline.work import Claim

AT_ONCE = 500  # rows woken or promoted in one transaction: bounds how long it holds the write lock


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """When something happens, on both clocks, and for which worker process."""

    now: int  # wall ms
    monotonic: float  # seconds
    boot: str


def claim(
    conn: apsw.Connection, moment: Moment, room: Mapping[int, int], limits: QueueSettings, random: Random
) -> tuple[Claim, ...]:
    """Lease at most `room[hundred]` rows of each actor, the most urgent first; wakes and promotes before that."""
    _wake(conn, moment.now)
    _promote(conn, moment.now, limits)
    claims: list[Claim] = []
    for hundred, places in room.items():
        urgent = _urgent(conn, hundred, places)
        claims.extend(_lease(conn, work_id, moment, limits, new_token(random)) for work_id in urgent)
    return tuple(claims)


def _wake(conn: apsw.Connection, now: int) -> None:
    woken = conn.execute(
        """UPDATE work SET state = 'ready' WHERE id IN
               (SELECT id FROM work WHERE state = 'waiting' AND due_at <= ? ORDER BY due_at LIMIT ?)
           RETURNING item_id""",
        (now, AT_ONCE),
    ).fetchall()
    conn.executemany(
        "UPDATE items SET state = 'ready', changed_at = ? WHERE id = ?",
        [(now, item_id) for (item_id,) in woken if item_id is not None],
    )


def _promote(conn: apsw.Connection, now: int, limits: QueueSettings) -> None:
    """Give the room in the queue to deferred rows (stage 50): persons first, then feeds, then imports."""
    room = min(limits.max_size - counts.depth(conn).queue_size, AT_ONCE)
    if room <= 0:
        return
    promoted = conn.execute(
        """UPDATE work SET state = 'ready', entered_at = ? WHERE id IN
               (SELECT id FROM work WHERE state = 'deferred' ORDER BY priority, id LIMIT ?)
           RETURNING item_id, stage""",
        (now, room),
    ).fetchall()
    for item_id, stage in promoted:
        conn.execute("UPDATE items SET state = 'ready', stage = ?, changed_at = ? WHERE id = ?", (stage, now, item_id))
        steps.append_reached(conn, rows.integer(item_id), now, Stage(rows.integer(stage)))


def _urgent(conn: apsw.Connection, hundred: int, places: int) -> list[int]:
    """Ready rows, the most urgent first. Of those that were in hand when a worker died, at most one is out at a time,
    so that the next death points at one of them and by-standers are not blamed three times."""
    found = conn.execute(
        """SELECT id FROM work WHERE state = 'ready' AND hundred = ? AND crashes = 0
           ORDER BY priority, due_at, id LIMIT ?""",
        (hundred, places),
    ).fetchall()
    chosen = [rows.integer(work_id) for (work_id,) in found]
    suspect = _suspect(conn, hundred)
    return chosen if suspect is None else [*chosen[: places - 1], suspect]


def _suspect(conn: apsw.Connection, hundred: int) -> int | None:
    if _suspect_is_out(conn):
        return None
    found = conn.execute(
        """SELECT id FROM work WHERE state = 'ready' AND hundred = ? AND crashes > 0
           ORDER BY crashes, priority, due_at, id LIMIT 1""",
        (hundred,),
    ).get
    return None if found is None else rows.integer(found)


def _suspect_is_out(conn: apsw.Connection) -> bool:
    return conn.execute("SELECT 1 FROM work WHERE state = 'leased' AND crashes > 0 LIMIT 1").get is not None


def _lease(conn: apsw.Connection, work_id: int, moment: Moment, limits: QueueSettings, token: str) -> Claim:
    conn.execute(
        "UPDATE work SET state = 'leased', lease_token = ?, lease_boot = ?, lease_until = ? WHERE id = ?",
        (token, moment.boot, moment.monotonic + limits.lease_seconds, work_id),
    )
    conn.execute(
        "UPDATE items SET state = 'leased', changed_at = ? WHERE id = (SELECT item_id FROM work WHERE id = ?)",
        (moment.now, work_id),
    )
    return read_claim(conn, work_id)


def read_claim(conn: apsw.Connection, work_id: int) -> Claim:
    """The claim on a leased row, as it stands now."""
    token, stage, attempts, crashes, item_id, feed_id, spent, entered_at = conn.execute(
        "SELECT lease_token, stage, attempts, crashes, item_id, feed_id, spent, entered_at FROM work WHERE id = ?",
        (work_id,),
    ).get
    if item_id is None:
        feed = conn.execute(f"SELECT {rows.FEED_COLUMNS} FROM feeds WHERE id = ?", (feed_id,)).get
        return Claim(
            work_id=work_id,
            lease_token=token,
            stage=stage,
            attempts=attempts,
            crashes=crashes,
            trace={},
            feed=rows.feed(feed),
        )
    row = conn.execute(f"SELECT {rows.ITEM_COLUMNS}, i.trace FROM {rows.ITEM_FROM} WHERE i.id = ?", (item_id,)).get
    return Claim(
        work_id=work_id,
        lease_token=token,
        stage=stage,
        attempts=attempts,
        crashes=crashes,
        trace=msgspec.json.decode(rows.text(row[rows.ITEM_WIDTH]), type=dict[str, str]),
        item=rows.item(row),
        capture=steps.newest_capture(conn, item_id),
        spent=rows.strings(spent),
        entered_at=entered_at,
    )


def renew(conn: apsw.Connection, tokens: Sequence[str], until: float) -> frozenset[str]:
    """Extend leases to `until`. Returns the tokens that are no longer ours."""
    lost = set()
    for token in tokens:
        conn.execute("UPDATE work SET lease_until = ? WHERE lease_token = ?", (until, token))
        if conn.changes() == 0:
            lost.add(token)
    return frozenset(lost)


def release(conn: apsw.Connection, tokens: Sequence[str], now: int) -> int:
    """Give rows back as ready at the stage they had reached. Costs no attempt. Returns how many were still ours."""
    given = 0
    for token in tokens:
        found = conn.execute("SELECT id FROM work WHERE lease_token = ?", (token,)).get
        if found is not None:
            _to_ready(conn, rows.integer(found), now)
            given += 1
    return given


def expire(conn: apsw.Connection, moment: Moment) -> int:
    """Give back the leases of this very process that ran out: rows that it lost track of."""
    found = conn.execute(
        "SELECT id FROM work WHERE state = 'leased' AND lease_boot = ? AND lease_until < ?",
        (moment.boot, moment.monotonic),
    ).fetchall()
    for (work_id,) in found:
        _to_ready(conn, rows.integer(work_id), moment.now)
    return len(found)


def release_all(conn: apsw.Connection, moment: Moment) -> int:
    """Give back everything that this process still holds, at a clean stop. Costs no attempt."""
    found = conn.execute("SELECT id FROM work WHERE state = 'leased' AND lease_boot = ?", (moment.boot,)).fetchall()
    for (work_id,) in found:
        _to_ready(conn, rows.integer(work_id), moment.now)
    return len(found)


def reclaim(conn: apsw.Connection, moment: Moment, most_crashes: int) -> tuple[int, int]:
    """Take back what dead worker processes held; there is one worker a data folder, so any other boot id is dead.

    The rows cost no attempt, but each counts one crash more, and at `most_crashes` the item is buried as poison, the
    poll given up.
    Returns how many are ready again and how many were buried.
    """
    found = conn.execute(
        "SELECT id, item_id, feed_id, crashes FROM work WHERE state = 'leased' AND lease_boot <> ?", (moment.boot,)
    ).fetchall()
    buried = 0
    for work_id, item_id, feed_id, crashes in found:
        if rows.integer(crashes) + 1 >= most_crashes:
            if item_id is not None:
                endings.bury(conn, rows.integer(work_id), rows.integer(item_id), POISON, moment.now)
            else:
                endings.give_up_poll(conn, rows.integer(work_id), rows.integer(feed_id), POISON, moment.now)
            buried += 1
            continue
        conn.execute("UPDATE work SET crashes = crashes + 1 WHERE id = ?", (work_id,))
        _to_ready(conn, rows.integer(work_id), moment.now)
    return len(found) - buried, buried


POISON = Reason(
    code="poison",
    hint="the worker died each time while it held this item; look into the item, then retry it",
)


def _to_ready(conn: apsw.Connection, work_id: int, now: int) -> None:
    conn.execute(
        """UPDATE work SET state = 'ready', lease_token = NULL, lease_boot = NULL, lease_until = NULL WHERE id = ?""",
        (work_id,),
    )
    conn.execute(
        "UPDATE items SET state = ?, changed_at = ? WHERE id = (SELECT item_id FROM work WHERE id = ?)",
        (State.READY, now, work_id),
    )


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """What there will be to claim: the actors with rows ready, and when the next waiting row is due (wall ms).

    `deferred`: rows wait at stage 50 for room in the queue.
    """

    ready: frozenset[int]
    next_due: int | None
    deferred: bool


def outlook(conn: apsw.Connection) -> Outlook:
    """A look at some indexes; never a scan. A suspect counts only while none is out: only then it can be claimed."""
    claimable = "crashes = 0" if _suspect_is_out(conn) else "TRUE"
    ready = frozenset(
        hundred
        for hundred in ENTRY
        if conn.execute(
            f"SELECT 1 FROM work WHERE state = 'ready' AND hundred = ? AND {claimable} LIMIT 1", (hundred,)
        ).get
    )
    due = conn.execute("SELECT min(due_at) FROM work WHERE state = 'waiting'").get
    deferred = conn.execute("SELECT 1 FROM work WHERE state = 'deferred' LIMIT 1").get is not None
    return Outlook(ready=ready, next_due=None if due is None else rows.integer(due), deferred=deferred)
