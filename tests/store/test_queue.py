"""Leases: who may finish what, and what happens to the work of a worker that died."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import errors
from pipeline.items import Reason, StepEntry
from pipeline.lifecycle import Priority, Stage, State
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.handle import Store, open_store
from pipeline.work import Advance, Bury, Divert, Retry
from tests.store.hands import BOOT, TestClock, captured, claim_all, finish, page, run_through

WHY = Reason(code="timeout", hint="wait")


async def accept(store: Store, count: int, priority: Priority = Priority.PERSON) -> list[str]:
    return [
        (await store.items.accept(page(f"https://example.org/{priority}/{n}", priority=priority))).uid
        for n in range(count)
    ]


async def test_a_claim_takes_no_more_rows_than_there_is_room_for(store: Store) -> None:
    await accept(store, 5)
    assert len(await store.queue.claim({100: 2, 200: 7}, boot=BOOT)) == 2
    assert len(await store.queue.claim({100: 9}, boot=BOOT)) == 3
    assert await store.queue.claim({100: 9}, boot=BOOT) == ()


async def test_persons_are_served_before_feeds_and_feeds_before_imports(store: Store) -> None:
    for priority in (Priority.IMPORT, Priority.FEED, Priority.PERSON):
        await accept(store, 1, priority)
    claims = [(await store.queue.claim({100: 1}, boot=BOOT))[0] for _ in range(3)]
    assert [c.item.priority for c in claims if c.item] == [Priority.PERSON, Priority.FEED, Priority.IMPORT]


async def test_a_finished_step_goes_on_under_the_same_lease_with_what_it_found(store: Store) -> None:
    await accept(store, 1)
    (claim,) = await claim_all(store)
    finished = await finish(store, claim, captured(claim))
    assert finished.next is not None
    assert finished.next.lease_token == claim.lease_token
    assert finished.next.stage == Stage.VALIDATING
    assert finished.next.capture is not None
    assert b"example.org" in await store.bodies.get(finished.next.capture.body)


async def test_whoever_lost_the_lease_can_no_longer_finish_and_writes_nothing(store: Store, clock: TestClock) -> None:
    (uid,) = await accept(store, 1)
    (slow,) = await claim_all(store)
    clock.pass_seconds(121)
    assert await store.queue.expire(boot=BOOT) == 1
    (quick,) = await claim_all(store)
    before = await store.items.steps(uid)
    with pytest.raises(errors.LeaseLost):
        await store.queue.finish(slow, Bury(reason=WHY), steps=[StepEntry(code=130, at=1)], following=200, boot=BOOT)
    assert await store.items.steps(uid) == before
    assert (await finish(store, quick, captured(quick))).state is State.LEASED


async def test_a_step_that_was_finished_is_not_finished_again(store: Store) -> None:
    (uid,) = await accept(store, 1)
    (claim,) = await claim_all(store)
    await finish(store, claim, captured(claim))
    before = await store.items.get(uid)
    with pytest.raises(errors.LeaseLost):
        await finish(store, claim, captured(claim))
    assert await store.items.get(uid) == before


async def test_a_renewed_lease_does_not_run_out(store: Store, clock: TestClock) -> None:
    await accept(store, 1)
    (claim,) = await claim_all(store)
    clock.pass_seconds(100)
    assert await store.queue.renew([claim.lease_token, "gone"]) == {"gone"}
    clock.pass_seconds(100)
    assert await store.queue.expire(boot=BOOT) == 0


async def test_a_jump_of_the_wall_clock_takes_no_lease_away(store: Store, clock: TestClock) -> None:
    await accept(store, 1)
    await claim_all(store)
    clock.wall += 86_400_000
    assert await store.queue.expire(boot=BOOT) == 0
    clock.wall -= 2 * 86_400_000
    assert await store.queue.expire(boot=BOOT) == 0


async def test_a_failed_try_waits_for_its_time_and_counts_only_when_it_costs(store: Store, clock: TestClock) -> None:
    (uid,) = await accept(store, 1)
    (claim,) = await claim_all(store)
    failed = StepEntry(code=Stage.FETCH_FAILED, at=clock.wall, error="timeout")
    await store.queue.finish(claim, Retry(reason=WHY, after=10.0), steps=[failed], following=200, boot=BOOT)
    item = await store.items.get(uid)
    assert (item.state, item.stage, item.attempts, item.reason) == (State.WAITING, Stage.FETCH_FAILED, 1, WHY)
    assert await claim_all(store) == ()
    assert (await store.queue.outlook()).next_due == clock.wall + 10_000
    clock.pass_seconds(10)
    (again,) = await claim_all(store)
    assert (again.attempts, again.stage) == (1, Stage.QUEUED)
    await finish(store, again, Retry(reason=WHY, after=0.0, costs_attempt=False))
    (third,) = await claim_all(store)
    assert third.attempts == 1


async def test_a_dead_letter_keeps_the_number_at_which_it_died_and_its_reason(store: Store) -> None:
    (uid,) = await accept(store, 1)
    (claim,) = await claim_all(store)
    claim = (await finish(store, claim, captured(claim))).next or claim
    failed = StepEntry(code=Stage.FAILED, at=1, error="challenge")
    await store.queue.finish(claim, Bury(reason=WHY), steps=[failed], following=300, boot=BOOT)
    item = await store.items.get(uid)
    assert (item.state, item.stage, item.reason) == (State.DEAD, Stage.FAILED, WHY)


async def test_an_item_sent_back_to_fetching_is_ready_there(store: Store) -> None:
    (uid,) = await accept(store, 1)
    (claim,) = await claim_all(store)
    claim = (await finish(store, claim, captured(claim))).next or claim
    await finish(store, claim, Divert(stage=Stage.FALLING_BACK, reason=WHY))
    (again,) = await claim_all(store)
    assert again.stage == Stage.FALLING_BACK
    assert (await store.items.get(uid)).reason == WHY


async def test_the_providers_that_were_asked_stay_with_the_row_until_the_item_is_sent_through_anew(
    store: Store,
) -> None:
    await accept(store, 1)
    (claim,) = await claim_all(store)
    assert (claim.spent, claim.entered_at) == ((), TestClock().wall)
    for name in ("wayback", "google", "wayback"):
        await finish(store, claim, Divert(stage=Stage.FALLING_BACK, reason=WHY, spent=(name,)))
        (claim,) = await claim_all(store)
    assert claim.spent == ("wayback", "google")
    validated = (await finish(store, claim, captured(claim))).next
    assert validated is not None
    assert validated.spent == ("wayback", "google")
    await finish(store, validated, Bury(reason=WHY))
    await accept(store, 1)
    (again,) = await claim_all(store)
    assert again.spent == ()


async def test_a_move_that_the_lifecycle_does_not_know_is_refused_and_changes_nothing(store: Store) -> None:
    (uid,) = await accept(store, 1)
    (claim,) = await claim_all(store)
    before = await store.items.get(uid)
    with pytest.raises(errors.StoreError, match="may not go to"):
        await finish(store, claim, Divert(stage=Stage.PROCESSING, reason=WHY))
    assert await store.items.get(uid) == before


async def test_what_a_dead_worker_held_is_ready_again_at_once_at_the_stage_it_had_reached(store: Store) -> None:
    await accept(store, 2)
    first, _second = await claim_all(store, "dead")
    await finish(store, first, captured(first), "dead")
    assert await store.queue.reclaim(boot=BOOT) == (2, 0)
    # The one that advanced meanwhile is at its new stage; nothing costs an attempt.
    claims = [*await claim_all(store), *await claim_all(store)]
    assert {claim.stage for claim in claims} <= {Stage.QUEUED, Stage.VALIDATING}
    assert all(claim.attempts == 0 for claim in claims)


async def test_an_item_in_hand_at_three_deaths_is_buried_as_poison(store: Store) -> None:
    (uid,) = await accept(store, 1)
    for number, expected in enumerate([(1, 0), (1, 0), (0, 1)]):
        assert len(await claim_all(store, f"boot-{number}")) == 1
        assert await store.queue.reclaim(boot=f"boot-{number + 1}") == expected
    item = await store.items.get(uid)
    assert item.state is State.DEAD
    assert item.reason is not None
    assert item.reason.code == "poison"


async def test_by_standers_of_a_death_come_back_one_at_a_time_and_are_not_buried(store: Store) -> None:
    uids = await accept(store, 5)
    await claim_all(store, "boot-0")
    for number in range(1, 6):
        assert await store.queue.reclaim(boot=f"boot-{number}") in {(5, 0), (1, 0)}
        assert len(await claim_all(store, f"boot-{number}")) == 1, "one suspect at a time"
    states = [(await store.items.get(uid)).state for uid in uids]
    assert State.DEAD not in states


async def test_a_step_that_succeeds_clears_the_suspicion(store: Store) -> None:
    await accept(store, 1)
    await claim_all(store, "boot-0")
    await store.queue.reclaim(boot=BOOT)
    (claim,) = await claim_all(store)
    assert claim.crashes == 1
    onward = (await finish(store, claim, captured(claim))).next
    assert onward is not None
    assert onward.crashes == 0


async def test_leases_given_back_are_ready_where_they_were(store: Store) -> None:
    await accept(store, 3)
    claims = await claim_all(store)
    assert await store.queue.release([claims[0].lease_token, "unknown"]) == 1
    assert await store.queue.release_all(boot=BOOT) == 2
    assert len(await claim_all(store)) == 3


async def test_counts_follow_every_move_and_conserve_what_was_accepted(store: Store) -> None:
    await accept(store, 4)
    claims = await claim_all(store)
    await run_through(store, claims[0], text="one")
    await run_through(store, claims[1], text="one")
    await finish(store, claims[2], Bury(reason=WHY))
    listed = {(count.stage, count.state): count.n for count in await store.status.counts()}
    assert listed == {
        (Stage.DONE, "done"): 1,
        (Stage.DUPLICATE, "duplicate"): 1,
        (Stage.QUEUED, "dead"): 1,
        (Stage.QUEUED, "leased"): 1,
    }
    assert (await store.status.sweep()).drift == 0


async def test_a_recount_finds_and_mends_counts_that_are_off(tmp_path: Path, clock: TestClock) -> None:
    async with open_store(DatabaseSettings(), QueueSettings(), RetrySettings(), folder=tmp_path, clock=clock) as store:
        await accept(store, 2)
        await store.status._db.write(lambda conn: conn.execute("UPDATE counts SET n = 7").get)
        assert (await store.status.sweep()).drift == 5
        assert (await store.status.figures()).drift == 5
        assert (await store.status.sweep()).drift == 0


async def test_a_whole_life_is_on_the_timeline_with_every_number_it_reached(store: Store) -> None:
    (uid,) = await accept(store, 1)
    (claim,) = await claim_all(store)
    await run_through(store, claim, text="words")
    codes = [step.code for step in await store.items.steps(uid)]
    assert codes == [Stage.RECEIVED, Stage.QUEUED, Stage.DONE]
    assert await finish_again_is_refused(store, claim)


async def finish_again_is_refused(store: Store, claim: object) -> bool:
    with pytest.raises(errors.LeaseLost):
        await finish(store, claim, Advance())  # type: ignore[arg-type]
    return True
