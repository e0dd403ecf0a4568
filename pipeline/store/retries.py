"""`store.retries`: dead letters and what is kept, done again: one, some, or all that a selection matches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import cast

import apsw
import msgspec

from pipeline import errors
from pipeline.items import Reason
from pipeline.lifecycle import IN_FLIGHT, Priority, Stage, State
from pipeline.selection import Selection, within
from pipeline.store import kept, redo, rows
from pipeline.store.intake import RETRY_AFTER_SECONDS
from pipeline.store.kept import UNCHANGED
from pipeline.store.ports import Db
from pipeline.store.redo import TOUCHED, Deed, Done, Order
from pipeline.store.select import condition

AT_ONCE = 500  # items in one transaction: bounds how long it holds the write lock
LEFT_MOST = 100  # of what was left alone, so many are named
GROUPS_MOST = 200

# What a selection that names no state is among.
RETRIED = (State.DEAD, State.WAITING)
REPLAYED = (State.DONE, State.DEAD)
STARTS = (200, 300, 400, 500)  # the hundreds a replay may begin at: none of them needs the network


class Redone(msgspec.Struct, frozen=True, kw_only=True):
    """What became of all that was asked for: how many of each, whom it is done for, and the first that were left."""

    counts: dict[Deed, int]
    uids: tuple[str, ...]
    left: tuple[Done, ...]


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters that have something in common: a reason code, or a site."""

    name: str
    n: int
    newest_at: int  # wall ms
    hint: str  # of the newest


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """Where an item is that was done again."""

    uid: str
    title: str
    state: State
    code: str | None  # why it failed, or waits
    change: str | None  # what the last refresh or replay has changed, in words

    @property
    def has_ended(self) -> bool:
        return self.state not in IN_FLIGHT

    @property
    def is_unchanged(self) -> bool:
        return self.change == UNCHANGED


class RetryStore:
    """`store.retries`"""

    def __init__(self, db: Db) -> None:
        self._db = db

    async def retry(self, uids: Sequence[str], *, trace: dict[str, str] | None = None) -> Redone:
        """Dead: from the beginning, with all attempts. Waiting: now. Done: fetched again, readable meanwhile.

        In pieces, each atomic; repeatable, because what is in flight is left alone. Raises QueueFull when the backlog
        takes no more, after having kept what fitted. `trace`: the context of whoever asks (redo.Order).
        """
        return await self._all(uids, self._order(trace=trace, alone=len(uids) == 1))

    async def retry_where(self, selection: Selection, *, trace: dict[str, str] | None = None) -> Redone:
        """The same for all that match, among dead and waiting items unless it names a state."""
        return await self._where(within(selection, RETRIED), self._order(share=Priority.IMPORT, trace=trace))

    async def replay(self, uids: Sequence[str], start: int, *, trace: dict[str, str] | None = None) -> Redone:
        """Run from the hundred `start` on again, from the archived bodies. As `retry`; several give way to persons."""
        bulk = Priority.IMPORT if len(uids) > 1 else None
        order = self._order(
            start=start, priority=bulk, share=bulk or Priority.PERSON, trace=trace, alone=len(uids) == 1
        )
        return await self._all(uids, order)

    async def replay_where(self, selection: Selection, start: int, *, trace: dict[str, str] | None = None) -> Redone:
        """The same for all that match, among done and dead items unless it names a state."""
        order = self._order(start=start, priority=Priority.IMPORT, share=Priority.IMPORT, trace=trace)
        return await self._where(within(selection, REPLAYED), order)

    def _order(
        self,
        *,
        start: int | None = None,
        priority: Priority | None = None,
        share: Priority = Priority.PERSON,
        trace: dict[str, str] | None = None,
        alone: bool = False,
    ) -> Order:
        if start is not None and start not in STARTS:
            raise errors.InvalidInput(f"a replay cannot begin at {start}", hint=f"one of {STARTS}")
        now = self._db.clock.wall_ms()
        return Order(
            now=now,
            limits=self._db.queue,
            start=start,
            priority=priority,
            share=share,
            trace=trace or {},
            alone=alone and bool(trace),
        )

    async def _all(self, uids: Sequence[str], order: Order) -> Redone:
        unique = tuple(dict.fromkeys(uids))
        done: list[Done] = []
        for first in range(0, len(unique), AT_ONCE):
            piece = unique[first : first + AT_ONCE]
            made = await self._db.write(partial(redo.redo, uids=piece, order=order, random=self._db.random))
            done += made
            if len(made) < len(piece):
                raise _full(done, len(unique))
        return _sum(done)

    async def _where(self, selection: Selection, order: Order) -> Redone:
        sql, values = condition(selection, order.now)
        uids = await self._db.read(lambda conn: redo.uids_of(conn, sql, values))
        done: list[Done] = []

        def write(conn: apsw.Connection, piece: Sequence[str]) -> tuple[int, tuple[Done, ...]]:
            matching = redo.still(conn, piece, sql, values)
            return len(matching), redo.redo(conn, matching, order, self._db.random)

        for first in range(0, len(uids), AT_ONCE):
            wanted, made = await self._db.write(partial(write, piece=uids[first : first + AT_ONCE]))
            done += made
            if len(made) < wanted:
                raise _full(done, len(uids))
        return _sum(done)

    async def matching(self, selection: Selection, *, replay: bool = False) -> tuple[str, ...]:
        """The uids that a retry (or a replay) of this selection is for, the oldest first."""
        among = within(selection, REPLAYED if replay else RETRIED)
        sql, values = condition(among, self._db.clock.wall_ms())
        return await self._db.read(lambda conn: redo.uids_of(conn, sql, values))

    async def count(self, selection: Selection) -> int:
        """How many live items match, in whatever state."""
        sql, values = condition(selection, self._db.clock.wall_ms())
        query = f"SELECT count(*) FROM items i WHERE i.deleted_at IS NULL AND {sql}"
        return await self._db.read(lambda conn: rows.integer(conn.execute(query, values).get))

    async def failed(self) -> int:
        """How many dead letters there are; never a scan."""
        query = "SELECT coalesce(sum(n), 0) FROM counts WHERE state = 'dead'"
        return await self._db.read(lambda conn: rows.integer(conn.execute(query).get))

    async def groups(self, selection: Selection, by: str = "code") -> tuple[Group, ...]:
        """Dead letters that match, by `code` or by `site`, the largest group first, at most 200."""
        sql, values = condition(selection, self._db.clock.wall_ms())
        return await self._db.read(lambda conn: _groups(conn, sql, values, by))

    async def outcomes(self, uids: Sequence[str]) -> tuple[Ended, ...]:
        """Where live items are, in the order of `uids`, and what doing them again has changed."""
        found: dict[str, Ended] = {}
        for first in range(0, len(uids), AT_ONCE):
            piece = uids[first : first + AT_ONCE]
            found |= await self._db.read(partial(_outcomes, uids=piece))
        return tuple(found[uid] for uid in uids if uid in found)


def _outcomes(conn: apsw.Connection, uids: Sequence[str]) -> dict[str, Ended]:
    rows_found = conn.execute(
        f"""SELECT i.uid, coalesce(i.given_title, d.title, i.url, ''), i.state, json_extract(i.reason, '$.code'),
               (SELECT s.detail FROM steps s WHERE s.item_id = i.id AND s.code = ? AND s.detail <> ''
                    AND s.method IN ('{kept.REFRESHED}', '{kept.REPLAYED}') ORDER BY s.id DESC LIMIT 1)
            FROM items i LEFT JOIN documents d ON d.item_id = i.id
            WHERE i.deleted_at IS NULL AND i.uid IN (SELECT value FROM json_each(?))""",
        (Stage.FINALISING, msgspec.json.encode(uids).decode()),
    )
    return {
        rows.text(uid): Ended(
            uid=rows.text(uid),
            title=rows.text(title),
            state=State(rows.text(state)),
            code=cast("str | None", code),
            change=cast("str | None", change),
        )
        for uid, title, state, code, change in rows_found
    }


def _groups(conn: apsw.Connection, sql: str, values: Sequence[rows.SqlValue], by: str) -> tuple[Group, ...]:
    column = "i.host" if by == "site" else "json_extract(i.reason, '$.code')"
    found = conn.execute(
        f"""SELECT coalesce({column}, ''), count(*), max(i.changed_at), i.reason FROM items i
            WHERE i.state = 'dead' AND i.deleted_at IS NULL AND {sql}
            GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {GROUPS_MOST}""",
        values,
    )
    return tuple(
        Group(name=rows.text(name), n=rows.integer(n), newest_at=rows.integer(newest), hint=_hint(rows.reason(reason)))
        for name, n, newest, reason in found
    )


def _hint(reason: Reason | None) -> str:
    return reason.hint if reason else ""


def _sum(done: Sequence[Done]) -> Redone:
    return Redone(
        counts=dict(Counter(each.deed for each in done)),
        uids=tuple(each.uid for each in done if each.deed in TOUCHED),
        left=tuple([each for each in done if each.deed not in TOUCHED][:LEFT_MOST]),
    )


def _full(done: Sequence[Done], wanted: int) -> errors.QueueFull:
    fitted = sum(each.deed in TOUCHED for each in done)
    return errors.QueueFull(
        f"the backlog is full: {fitted:,} of {wanted:,} were put on the queue",
        retry_after=RETRY_AFTER_SECONDS,
        hint="those go on; ask again later for the rest",
    )
