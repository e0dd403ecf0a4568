"""Finishing a step: lease checked, effects applied, row moved, timeline written, in one transaction or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never, cast

import apsw
import msgspec

from pipeline import errors
from pipeline.effects import Entry
from pipeline.ids import Random
from pipeline.items import Reason, StepEntry
from pipeline.lifecycle import ENTRY, Stage, State, hundred, may_divert
from pipeline.settings import QueueSettings
from pipeline.store import claims, copies, endings, kept, rows, steps
from pipeline.store.apply import Applying, apply, keep_entries
from pipeline.work import Advance, Bury, Claim, Divert, Duplicate, Outcome, Retry

_STAYS = "The page now leads to something that is kept already; the text that was kept here stays."

_NOW_PARTIAL = Reason(
    code="now_partial",
    hint="The page now shows only a part of the article; the whole that was kept here stays.",
)


class Finish(msgspec.Struct, frozen=True, kw_only=True):
    """One step to finish. `following` is the next actor's hundred, None after the last."""

    claim: Claim
    outcome: Outcome
    steps: tuple[StepEntry, ...]
    following: int | None
    moment: claims.Moment


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it: the claim on the next step under the same lease, or none; and the state it is in now."""

    next: Claim | None
    state: State
    duplicate_of: int | None = None


def finish(conn: apsw.Connection, work: Finish, limits: QueueSettings, random: Random) -> Finished:
    """Finish a step. Raises LeaseLost when the row is no longer ours: nothing is written then."""
    claim, now = work.claim, work.moment.now
    item_id, feed_id = _held(conn, claim)
    if item_id is None:
        return _finish_poll(conn, work, rows.integer(feed_id), limits, random)
    steps.append(conn, item_id, work.steps)
    to = Applying(item_id=item_id, now=now, limits=limits, random=random)
    match work.outcome:
        case Advance(effects=effects):
            original = apply(conn, to, effects)
            return (
                _onward(conn, work, item_id, limits)
                if original is None
                else _duplicate(conn, work, item_id, original, limits)
            )
        case Duplicate(of=of):
            return _duplicate(conn, work, item_id, of, limits)
        case Retry() as retry:
            _wait(conn, work, item_id, retry)
            return Finished(next=None, state=State.WAITING)
        case Divert() as divert if not kept.is_replay(conn, item_id):
            apply(conn, to, divert.effects)
            _divert(conn, work, item_id, divert)
            return Finished(next=None, state=State.READY)
        # A replay ends where falling back would begin: it was asked for what is in the archive, without network.
        case Bury(reason=reason, effects=effects) | Divert(reason=reason, effects=effects):
            apply(conn, to, effects)
            _stand_at(conn, item_id, _reached(work))
            return Finished(next=None, state=endings.bury(conn, claim.work_id, item_id, reason, now))
        case _:
            assert_never(work.outcome)


def keep_piece(conn: apsw.Connection, claim: Claim, entries: Sequence[Entry], to: Applying) -> bool:
    """A piece of a large poll, ahead of its end. False when the backlog is full. Raises LeaseLost."""
    _item_id, feed_id = _held(conn, claim)
    return keep_entries(conn, to, rows.integer(feed_id), entries)


def _held(conn: apsw.Connection, claim: Claim) -> tuple[int | None, int | None]:
    """The item or the feed of a leased row. Raises LeaseLost when it is no longer ours."""
    held = conn.execute(
        # The stage too: the lease goes on with the row, and a step that was finished may not be finished again.
        "SELECT item_id, feed_id FROM work WHERE id = ? AND lease_token = ? AND stage = ?",
        (claim.work_id, claim.lease_token, claim.stage),
    ).get
    if held is None:
        raise errors.LeaseLost(f"the lease on {claim.subject} is gone", hint="its work was dropped; nothing is lost")
    return cast("tuple[int | None, int | None]", tuple(held))


def _onward(conn: apsw.Connection, work: Finish, item_id: int, limits: QueueSettings) -> Finished:
    now = work.moment.now
    if work.following is None:
        was_done = kept.of(conn, item_id) is not None
        endings.done(conn, work.claim.work_id, item_id, now)
        if was_done:
            copies.look_again(conn, item_id, now, limits)
        return Finished(next=None, state=State.DONE)
    if hundred(work.claim.stage) == 300 and kept.is_more(conn, item_id):
        endings.go_back(conn, work.claim.work_id, item_id, _NOW_PARTIAL, now)
        return Finished(next=None, state=State.DONE)
    entry = ENTRY[work.following]
    conn.execute(
        """UPDATE work SET hundred = ?, stage = ?, attempts = 0, crashes = 0, entered_at = ?, lease_until = ?
           WHERE id = ?""",
        (work.following, entry, now, work.moment.monotonic + limits.lease_seconds, work.claim.work_id),
    )
    # Why an item fell back is kept until its copy has been judged: if it is refused, the first reason is to be told.
    fell_back = work.claim.stage == Stage.FALLING_BACK
    conn.execute(
        "UPDATE items SET stage = ?, reason = CASE WHEN ? THEN reason END, changed_at = ? WHERE id = ?",
        (entry, fell_back, now, item_id),
    )
    return Finished(next=claims.read_claim(conn, work.claim.work_id), state=State.LEASED)


def _duplicate(conn: apsw.Connection, work: Finish, item_id: int, of: int, limits: QueueSettings) -> Finished:
    before = kept.of(conn, item_id)
    if before is not None and before.method == kept.REFRESHED:
        # What a site answers with today (its front page, say) may be kept already; the text kept here is another.
        uid = rows.text(conn.execute("SELECT uid FROM items WHERE id = ?", (of,)).get)
        reason = Reason(code="now_a_duplicate", hint=_STAYS, detail=f"what came back is kept as {uid}")
        endings.go_back(conn, work.claim.work_id, item_id, reason, work.moment.now)
        return Finished(next=None, state=State.DONE)
    endings.duplicate(conn, work.claim.work_id, item_id, of, work.moment.now)
    if before is not None:
        copies.look_again(conn, item_id, work.moment.now, limits)
    return Finished(next=None, state=State.DUPLICATE, duplicate_of=of)


def _wait(conn: apsw.Connection, work: Finish, item_id: int, retry: Retry) -> None:
    assert retry.after is not None, "the actor has asked the retry policy"
    cost = int(retry.costs_attempt)
    conn.execute(
        """UPDATE work SET state = 'waiting', due_at = ?, attempts = attempts + ?, lease_token = NULL,
               lease_boot = NULL, lease_until = NULL WHERE id = ?""",
        (work.moment.now + round(retry.after * 1000), cost, work.claim.work_id),
    )
    conn.execute(
        """UPDATE items SET state = 'waiting', stage = ?, reason = ?, attempts = attempts + ?, changed_at = ?
           WHERE id = ?""",
        (_reached(work), endings.encode(retry.reason), cost, work.moment.now, item_id),
    )


def _divert(conn: apsw.Connection, work: Finish, item_id: int, divert: Divert) -> None:
    if not may_divert(work.claim.stage, divert.stage):
        raise errors.StoreError(
            f"a row at {work.claim.stage} may not go to {divert.stage}",
            hint="this is a fault of Atlas; please report it",
        )
    conn.execute(
        """UPDATE work SET state = 'ready', hundred = ?, stage = ?, attempts = 0, crashes = 0, due_at = ?,
               entered_at = ?, spent = ?, lease_token = NULL, lease_boot = NULL, lease_until = NULL WHERE id = ?""",
        (
            hundred(divert.stage),
            divert.stage,
            work.moment.now,
            work.moment.now,
            _spent(work.claim.spent, divert.spent),
            work.claim.work_id,
        ),
    )
    conn.execute(
        "UPDATE items SET state = 'ready', stage = ?, reason = ?, changed_at = ? WHERE id = ?",
        (divert.stage, endings.encode(divert.reason), work.moment.now, item_id),
    )


def _spent(before: Sequence[str], more: Sequence[str]) -> str:
    """The providers asked so far, each once, as the row holds them."""
    return msgspec.json.encode(tuple(dict.fromkeys((*before, *more)))).decode()


def _reached(work: Finish) -> int:
    """The number an item stands at when its step did not succeed: the last one it reached inside the actor."""
    reached: Sequence[int] = [s.code for s in work.steps if hundred(s.code) == hundred(work.claim.stage)]
    return reached[-1] if reached else work.claim.stage


def _stand_at(conn: apsw.Connection, item_id: int, stage: int) -> None:
    conn.execute("UPDATE items SET stage = ? WHERE id = ?", (stage, item_id))


def _finish_poll(conn: apsw.Connection, work: Finish, feed_id: int, limits: QueueSettings, random: Random) -> Finished:
    now = work.moment.now
    match work.outcome:
        case Advance(effects=effects):
            apply(conn, Applying(item_id=None, now=now, limits=limits, random=random), effects)
            conn.execute("DELETE FROM work WHERE id = ?", (work.claim.work_id,))
            return Finished(next=None, state=State.DONE)
        case Retry() as retry:
            assert retry.after is not None, "the actor has asked the retry policy"
            conn.execute(
                """UPDATE work SET state = 'waiting', due_at = ?, attempts = attempts + ?, lease_token = NULL,
                       lease_boot = NULL, lease_until = NULL WHERE id = ?""",
                (now + round(retry.after * 1000), int(retry.costs_attempt), work.claim.work_id),
            )
            return Finished(next=None, state=State.WAITING)
        case Bury(reason=reason) | Divert(reason=reason):
            endings.give_up_poll(conn, work.claim.work_id, feed_id, reason, now)
            return Finished(next=None, state=State.DEAD)
        case Duplicate():
            raise errors.StoreError("a poll cannot be a duplicate", hint="this is a fault of Atlas; please report it")
        case _:
            assert_never(work.outcome)
