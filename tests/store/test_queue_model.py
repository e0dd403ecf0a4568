"""The queue against a model of it: whatever is called in whatever order, nothing is lost and nobody works twice."""

from __future__ import annotations

from collections.abc import Iterable

import apsw
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from pipeline import errors
from pipeline.effects import Index
from pipeline.items import Reason
from pipeline.lifecycle import IN_FLIGHT, TERMINAL, Priority, State
from pipeline.settings import QueueSettings
from pipeline.store import claims, counts, endings, intake
from pipeline.store.finish import Finish, finish
from pipeline.store.migrate import migrate, migrations
from pipeline.store.redo import TOUCHED, Deed, Order, redo
from pipeline.work import Advance, Bury, Claim, Outcome, Retry
from tests.store.hands import NEXT, captured, extracted, page

LIMITS = QueueSettings(max_size=4, max_backlog=12, lease_seconds=100)
CRASHES = 3
WHY = Reason(code="x")
URLS = st.integers(0, 19)


def counter() -> Iterable[int]:
    number = 0
    while True:
        number += 1
        yield number


class QueueMachine(RuleBasedStateMachine):
    """The model knows which claims are good and which items must still exist; the database must agree."""

    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.conn = apsw.Connection(":memory:")
        migrate(self.conn, migrations("atlas"))
        self.conn.pragma("foreign_keys", True)
        self.now, self.mono, self.boot = 1_000_000, 0.0, 1
        self.numbers = iter(counter())
        self.good: dict[str, int] = {}  # lease token → work id, as this worker knows them
        self.accepted: dict[str, int] = {}  # canonical key → item id
        self.deleted: set[int] = set()
        self.done: set[int] = set()  # items that were done once: never lost again but by deleting them

    def teardown(self) -> None:
        self.conn.close()

    def random(self, count: int) -> bytes:
        return next(self.numbers).to_bytes(count, "big")

    def moment(self) -> claims.Moment:
        return claims.Moment(now=self.now, monotonic=self.mono, boot=f"boot-{self.boot}")

    @rule(number=URLS, priority=st.sampled_from(Priority))
    def save(self, number: int, priority: Priority) -> None:
        submission = page(f"https://example.org/{number}", priority=priority)
        uid = f"{next(self.numbers):026}"
        try:
            accepted = intake.accept(
                self.conn, intake.Intake(submission=submission, uid=uid, now=self.now, limits=LIMITS)
            )
        except errors.QueueFull:
            assert counts.depth(self.conn).backlog >= LIMITS.max_backlog * 0.9 - 1
            return
        key = str(submission.url_key)
        assert accepted.created == (key not in self.accepted)
        assert self.accepted.setdefault(key, accepted.item_id) == accepted.item_id
        if accepted.undeleted:
            self.deleted.discard(accepted.item_id)

    @rule(target=held, room=st.integers(1, 5))
    def claim(self, room: int) -> object:
        before = set(self.good.values())
        claimed = claims.claim(self.conn, self.moment(), dict.fromkeys((100, 200, 300), room), LIMITS, self.random)
        assert not {c.work_id for c in claimed} & before, "a leased row was leased again"
        for claim in claimed:
            self.good[claim.lease_token] = claim.work_id
        return multiple(*claimed)

    def finish(self, claim: Claim, outcome: Outcome) -> Claim | None:
        work = Finish(
            claim=claim,
            outcome=outcome,
            steps=(),
            following=NEXT[claim.stage - claim.stage % 100],
            moment=self.moment(),
        )
        if claim.lease_token not in self.good:
            with pytest.raises(errors.LeaseLost):
                finish(self.conn, work, LIMITS, self.random)
            return None
        finished = finish(self.conn, work, LIMITS, self.random)
        if finished.next is None:
            del self.good[claim.lease_token]
        if finished.state is State.DONE and claim.item is not None:
            self.done.add(claim.item.id)
        return finished.next

    def outcome(self, claim: Claim) -> Outcome:
        match claim.stage // 100:
            case 1:
                return captured(claim)
            case 3:
                return extracted(f"text {claim.work_id}")
            case 5:
                return Advance(effects=(Index(),))
            case _:
                return Advance()

    @rule(target=held, claim=consumes(held))
    def advance(self, claim: Claim) -> object:
        onward = self.finish(claim, self.outcome(claim))
        return multiple() if onward is None else onward

    @rule(claim=consumes(held))
    def go_all_the_way(self, claim: Claim) -> None:
        at: Claim | None = claim
        while at is not None:
            at = self.finish(at, self.outcome(at))

    @rule(claim=consumes(held), after=st.floats(0, 100), costs=st.booleans())
    def retry(self, claim: Claim, after: float, costs: bool) -> None:
        self.finish(claim, Retry(reason=WHY, after=after, costs_attempt=costs))

    @rule(claim=consumes(held))
    def bury(self, claim: Claim) -> None:
        self.finish(claim, Bury(reason=WHY))

    @rule(claim=consumes(held))
    def release(self, claim: Claim) -> None:
        given = claims.release(self.conn, [claim.lease_token], self.now)
        assert given == (1 if self.good.pop(claim.lease_token, None) is not None else 0)

    @rule(seconds=st.sampled_from([1, 30, 101]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds * 1000
        self.mono += seconds

    @rule()
    def leases_run_out(self) -> None:
        self.mono += LIMITS.lease_seconds + 1
        expired = claims.expire(self.conn, self.moment())
        assert expired == len(self.good)
        self.good.clear()

    @rule()
    def the_worker_dies(self) -> None:
        self.boot += 1
        ready, buried = claims.reclaim(self.conn, self.moment(), CRASHES)
        assert ready + buried == len(self.good)
        self.good.clear()

    @rule(number=URLS)
    def delete(self, number: int) -> None:
        item_id = self.accepted.get(str(page(f"https://example.org/{number}").url_key))
        if item_id is None or item_id in self.deleted:
            return
        work = self.conn.execute("SELECT lease_token FROM work WHERE item_id = ?", (item_id,)).get
        self.good.pop(str(work), None)
        uid = self.conn.execute("SELECT uid FROM items WHERE id = ?", (item_id,)).get
        endings.delete(self.conn, item_id, str(uid), self.now)
        self.deleted.add(item_id)

    @rule(numbers=st.lists(URLS, max_size=6), start=st.sampled_from([None, 200, 300, 400, 500]))
    def do_again(self, numbers: list[int], start: int | None) -> None:
        keys = [str(page(f"https://example.org/{number}").url_key) for number in numbers]
        ids = [self.accepted[key] for key in dict.fromkeys(keys) if key in self.accepted]
        uids = [str(self.conn.execute("SELECT uid FROM items WHERE id = ?", (item_id,)).get) for item_id in ids]
        before = [self.conn.execute("SELECT state FROM items WHERE id = ?", (item_id,)).get for item_id in ids]
        done = redo(self.conn, uids, Order(now=self.now, limits=LIMITS, start=start))
        assert len(done) == len(uids) or counts.depth(self.conn).backlog >= LIMITS.max_backlog
        for each, item_id, state in zip(done, ids, before, strict=False):
            assert (each.deed is Deed.DELETED) == (item_id in self.deleted)
            assert each.deed not in TOUCHED or state in {State.DEAD, State.DONE, State.WAITING}

    @invariant()
    def what_was_done_once_is_done_or_being_done_again_and_is_found_all_the_while(self) -> None:
        rows = self.conn.execute(
            """SELECT i.id, i.state, i.kept IS NOT NULL, d.item_id, s.rowid FROM items i
               LEFT JOIN documents d ON d.item_id = i.id LEFT JOIN search s ON s.rowid = i.id
               WHERE i.deleted_at IS NULL"""
        ).fetchall()
        for item_id, state, is_kept, document, indexed in rows:
            if item_id in self.done:
                assert state == State.DONE or (is_kept and state in IN_FLIGHT)
                assert document is not None
                assert indexed is not None
            else:
                assert not is_kept

    @invariant()
    def nothing_is_lost_and_every_count_is_true(self) -> None:
        assert counts.recount(self.conn) == 0
        assert self.conn.execute("SELECT count(*) FROM items").get == len(self.accepted)

    @invariant()
    def every_item_in_flight_has_one_row_of_work_in_the_same_state_and_no_other_has_one(self) -> None:
        rows = self.conn.execute(
            "SELECT i.state, i.deleted_at, w.state FROM items i LEFT JOIN work w ON w.item_id = i.id"
        ).fetchall()
        for state, deleted_at, work in rows:
            assert work == (state if deleted_at is None and state in IN_FLIGHT else None)
            assert State(str(state)) in IN_FLIGHT | TERMINAL

    @invariant()
    def the_leases_are_those_that_the_worker_knows(self) -> None:
        leased = self.conn.execute("SELECT lease_token, id FROM work WHERE state = 'leased'").fetchall()
        assert {str(token): number for token, number in leased} == self.good


TestQueueAgainstItsModel = QueueMachine.TestCase
TestQueueAgainstItsModel.settings = settings(max_examples=60, stateful_step_count=40)
