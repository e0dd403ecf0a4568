"""What the line promises: items move through the stages, failures are values, nothing is lost when it is cut off."""

from __future__ import annotations

import itertools

import pytest
import structlog.testing
import trio
from trio.testing import MockClock

from observability.names import Event
from pipeline import errors
from pipeline.items import Reason
from pipeline.lifecycle import Stage, State
from pipeline.stage import StageContext
from pipeline.work import Bury, Claim, Outcome, Retry
from tests.flow.conftest import Bench, advance
from tests.store.hands import page


async def save(bench: Bench, count: int) -> list[str]:
    return [(await bench.store.items.accept(page(f"https://example.org/{n}"))).uid for n in range(count)]


async def states(bench: Bench) -> dict[str, int]:
    found: dict[str, int] = {}
    for count in await bench.store.status.counts():
        found[count.state] = found.get(count.state, 0) + count.n
    return found


async def test_items_go_through_all_stages_in_order_and_each_stage_sees_each_item_once(
    bench: Bench, autojump_clock: MockClock
) -> None:
    stages = bench.build({100: advance, 200: advance, 300: advance})
    uids = await save(bench, 50)
    await bench.run(5)
    assert await states(bench) == {"done": 50}
    for stage in stages.values():
        assert sorted(stage.handled) == sorted(uids)
    assert bench.news == 50


async def test_a_save_while_the_line_sleeps_is_taken_at_the_ring(bench: Bench, autojump_clock: MockClock) -> None:
    bench.build({100: advance, 300: advance})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.run, 25)
        await trio.sleep(10)
        await save(bench, 1)
        assert bench.line is not None
        bench.line.dispatcher.ring()
        await trio.sleep(0.5)
        assert await states(bench) == {"done": 1}


async def test_a_lost_ring_costs_only_the_fallback_interval(bench: Bench, autojump_clock: MockClock) -> None:
    bench.build({100: advance, 300: advance})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.run, 60)
        await trio.sleep(10)
        await save(bench, 1)
        await trio.sleep(31)
        assert await states(bench) == {"done": 1}


async def test_a_full_pipeline_claims_no_more_than_it_has_room_for(bench: Bench, autojump_clock: MockClock) -> None:
    async def forever(_claim: Claim, _ctx: StageContext) -> Outcome:
        await trio.sleep_forever()
        raise AssertionError

    bench.build({100: forever, 300: advance}, slots=3, deadline=1000)
    await save(bench, 50)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.run, 100)
        await trio.sleep(50)
        # Three in hand, three in the mailbox; the rest stays in the database.
        assert (await states(bench))["leased"] <= 6
        assert bench.line is not None
        assert len(bench.line.held) <= 6


async def test_a_retryable_error_waits_and_succeeds_at_the_next_try(bench: Bench, autojump_clock: MockClock) -> None:
    tries: list[float] = []

    async def second_time_lucky(_claim: Claim, _ctx: StageContext) -> Outcome:
        tries.append(trio.current_time())
        if len(tries) == 1:
            raise errors.FetchTimeout("slow", hint="wait")
        return await advance(_claim, _ctx)

    bench.build({100: second_time_lucky, 300: advance})
    await save(bench, 1)
    await bench.run(60)
    assert await states(bench) == {"done": 1}
    # The back-off was drawn as the whole of its base: ten seconds, woken by its due time and not by the fallback.
    assert 10 <= tries[1] - tries[0] < 10.5


async def test_an_error_that_no_retry_mends_buries_at_once_with_code_and_hint(
    bench: Bench, autojump_clock: MockClock
) -> None:
    async def denied(_claim: Claim, ctx: StageContext) -> Outcome:
        ctx.step(Stage.FETCHING)
        ctx.step(Stage.FETCH_FAILED, error="address_denied")
        raise errors.AddressDenied("10.0.0.1 is private", hint="allow it")

    bench.build({100: denied, 300: advance})
    (uid,) = await save(bench, 1)
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as told:
        await bench.run(5)
    (line,) = [each for each in told if each["event"] == Event.ITEM_BURIED]
    assert line.items() >= {
        "log_level": "info", "stage": "s100", "item_id": uid, "code": "address_denied", "detail": "10.0.0.1 is private",
        "duration": 0.0,
    }.items()  # fmt: skip
    item = await bench.store.items.get(uid)
    assert (item.state, item.stage) == (State.DEAD, Stage.FETCH_FAILED)
    assert item.reason == Reason(code="address_denied", hint="allow it", detail="10.0.0.1 is private")
    assert [s.code for s in await bench.store.items.steps(uid)] == [100, 110, 120, 130]


async def test_a_kept_item_that_cannot_be_made_anew_is_told_to_stay_and_not_to_be_buried(
    bench: Bench, autojump_clock: MockClock
) -> None:
    tries: list[float] = []

    async def once(_claim: Claim, _ctx: StageContext) -> Outcome:
        tries.append(trio.current_time())
        if len(tries) > 1:
            raise errors.AddressDenied("10.0.0.1 is private", hint="allow it")
        return await advance(_claim, _ctx)

    bench.build({100: once, 300: advance})
    (uid,) = await save(bench, 1)
    await bench.run(5)
    await bench.store.retries.retry([uid])
    with structlog.testing.capture_logs() as told:
        await bench.run(5)
    assert [(each["event"], each["code"]) for each in told if each["log_level"] == "info"] == [
        (Event.ITEM_STAYS, "address_denied")
    ]
    assert (await bench.store.items.get(uid)).state is State.DONE


@pytest.mark.parametrize(
    "error",
    [
        errors.BreakerOpen("left alone", name="host:example.org", retry_after=60),
        errors.RateLimited("our own pace", retry_after=60),
        errors.HttpStatus("HTTP 429", status=429, retry_after=60),
        errors.HttpStatus("HTTP 503", status=503, retry_after=60),
    ],
)
async def test_a_host_that_is_to_be_left_alone_costs_the_item_no_attempt(
    error: errors.AtlasError, bench: Bench, autojump_clock: MockClock
) -> None:
    tries: list[float] = []

    async def postponed(claim: Claim, ctx: StageContext) -> Outcome:
        tries.append(trio.current_time())
        if len(tries) <= 5:  # more than there are attempts
            raise error
        return await advance(claim, ctx)

    bench.build({100: postponed, 300: advance})
    (uid,) = await save(bench, 1)
    await bench.run(400)
    item = await bench.store.items.get(uid)
    assert (item.state, item.attempts) == (State.DONE, 0)
    assert min(later - earlier for earlier, later in itertools.pairwise(tries)) >= 60


async def test_a_stage_that_always_fails_buries_after_its_attempts(bench: Bench, autojump_clock: MockClock) -> None:
    async def slow(_claim: Claim, _ctx: StageContext) -> Outcome:
        return Retry(reason=Reason(code="timeout"))

    stages = bench.build({100: slow, 300: advance})
    (uid,) = await save(bench, 1)
    await bench.run(200)
    assert len(stages[100].handled) == 3
    assert (await bench.store.items.get(uid)).state is State.DEAD


async def test_a_bug_in_a_stage_fails_its_item_with_an_error_id_and_no_other(
    bench: Bench, autojump_clock: MockClock
) -> None:
    async def buggy(claim: Claim, ctx: StageContext) -> Outcome:
        assert claim.item is not None
        if claim.item.url == "https://example.org/1":
            raise ZeroDivisionError("oops")
        return await advance(claim, ctx)

    bench.build({100: buggy, 300: advance})
    uids = await save(bench, 3)
    await bench.run(200)
    assert await states(bench) == {"done": 2, "dead": 1}
    reason = (await bench.store.items.get(uids[1])).reason
    assert reason is not None
    assert reason.code == "internal"
    (noted,) = bench.mishaps.take()
    assert (noted.id, noted.kind, noted.place, noted.item) == (
        reason.error_id,
        "ZeroDivisionError",
        "stage.s100",
        uids[1],
    )
    assert noted.count == 3, "one entry for all its tries"


async def test_a_stage_that_hangs_is_cut_off_at_its_deadline_and_tried_again(
    bench: Bench, autojump_clock: MockClock
) -> None:
    async def hangs(_claim: Claim, _ctx: StageContext) -> Outcome:
        await trio.sleep_forever()
        raise AssertionError

    bench.build({100: hangs, 300: advance}, deadline=5)
    (uid,) = await save(bench, 1)
    await bench.run(8)
    item = await bench.store.items.get(uid)
    assert item.state is State.WAITING
    assert item.reason is not None
    assert item.reason.code == "deadline"


async def test_work_that_is_cut_off_costs_no_attempt_and_is_ready_again(
    bench: Bench, autojump_clock: MockClock
) -> None:
    async def forever(_claim: Claim, _ctx: StageContext) -> Outcome:
        await trio.sleep_forever()
        raise AssertionError

    bench.build({100: forever, 300: advance}, deadline=100)
    uids = await save(bench, 4)
    await bench.run(10)
    assert bench.line is not None
    await bench.line.give_back()
    for uid in uids:
        item = await bench.store.items.get(uid)
        assert (item.state, item.attempts) == (State.READY, 0)


async def test_closing_lets_the_step_in_hand_end_and_gives_back_what_it_hands_on(
    bench: Bench, autojump_clock: MockClock
) -> None:
    async def takes_a_second(_claim: Claim, _ctx: StageContext) -> Outcome:
        await trio.sleep(1)
        return await advance(_claim, _ctx)

    stages = bench.build({100: takes_a_second, 300: advance}, slots=2)
    await save(bench, 10)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.run, 30)
        await trio.sleep(0.5)
        assert bench.line is not None
        bench.line.close()
        await trio.sleep(2)
        assert all(actor.busy == 0 for actor in bench.line.actors)
        await bench.line.give_back()
        nursery.cancel_scope.cancel()
    assert len(stages[100].handled) == 2
    assert stages[300].handled == []
    assert await states(bench) == {"ready": 10}


async def test_without_room_further_on_an_item_goes_back_to_the_database_at_the_stage_it_reached(
    bench: Bench, autojump_clock: MockClock
) -> None:
    async def forever(_claim: Claim, _ctx: StageContext) -> Outcome:
        await trio.sleep_forever()
        raise AssertionError

    bench.build({100: advance, 300: forever}, slots=1, deadline=10_000)
    await save(bench, 5)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.run, 200)
        await trio.sleep(100)
        found = {(c.stage, c.state): c.n for c in await bench.store.status.counts()}
        nursery.cancel_scope.cancel()
    # One in hand at 300, one in its mailbox, one that waits to be forwarded; the others are ready there.
    assert sum(n for (stage, _), n in found.items() if stage == Stage.PROCESSING) == 5
    assert found[Stage.PROCESSING, "ready"] >= 2


async def test_a_damaged_body_buries_its_item_and_not_the_worker(bench: Bench, autojump_clock: MockClock) -> None:
    async def reads(_claim: Claim, ctx: StageContext) -> Outcome:
        await ctx.body("0" * 64)
        return await advance(_claim, ctx)

    bench.build({100: reads, 300: advance})
    (uid,) = await save(bench, 1)
    await bench.run(5)
    reason = (await bench.store.items.get(uid)).reason
    assert reason is not None
    assert reason.code == "store_unreadable"


async def test_a_held_lease_is_renewed_for_as_long_as_the_step_takes(bench: Bench, autojump_clock: MockClock) -> None:
    async def slow(_claim: Claim, _ctx: StageContext) -> Outcome:
        await trio.sleep(500)
        return await advance(_claim, _ctx)

    stages = bench.build({100: slow, 300: advance}, deadline=1000)
    await save(bench, 1)
    await bench.run(520)
    assert len(stages[100].handled) == 1
    assert await states(bench) == {"done": 1}


async def test_burying_by_the_stage_keeps_its_reason(bench: Bench, autojump_clock: MockClock) -> None:
    async def no(_claim: Claim, _ctx: StageContext) -> Outcome:
        return Bury(reason=Reason(code="soft_404"))

    bench.build({100: no, 300: advance})
    (uid,) = await save(bench, 1)
    await bench.run(5)
    assert (await bench.store.items.get(uid)).reason == Reason(code="soft_404")


async def test_rows_left_behind_by_a_full_mailbox_are_claimed_as_soon_as_there_is_room(
    bench: Bench, autojump_clock: MockClock
) -> None:
    async def quick(_claim: Claim, _ctx: StageContext) -> Outcome:
        await trio.sleep(0.01)
        return await advance(_claim, _ctx)

    bench.build({100: quick, 300: quick}, slots=2)
    await save(bench, 200)
    # 200 items, two at a time, 10 ms each: a second. Waiting for the fallback even once would be thirty.
    await bench.run(2)
    assert await states(bench) == {"done": 200}


async def test_with_every_mailbox_full_a_row_that_comes_due_costs_no_look_after_another(
    bench: Bench, autojump_clock: MockClock
) -> None:
    async def long(_claim: Claim, _ctx: StageContext) -> Outcome:
        await trio.sleep(50)
        return await advance(_claim, _ctx)

    bench.build({100: advance, 300: long}, slots=1, deadline=1000)
    await save(bench, 6)
    (claim,) = await bench.store.queue.claim({100: 1}, boot="boot")
    await bench.store.queue.finish(
        claim, Retry(reason=Reason(code="x"), after=20.0), steps=(), following=300, boot="boot"
    )
    looks = 0
    outlook = bench.store.queue.outlook

    async def counted() -> object:
        nonlocal looks
        looks += 1
        return await outlook()

    bench.store.queue.outlook = counted  # type: ignore[method-assign,assignment]
    await bench.run(29)
    assert looks < 20


async def test_suspects_of_a_crash_follow_each_other_without_waiting_for_the_fallback(
    bench: Bench, autojump_clock: MockClock
) -> None:
    async def quick(_claim: Claim, _ctx: StageContext) -> Outcome:
        await trio.sleep(0.01)
        return await advance(_claim, _ctx)

    bench.build({100: quick, 300: quick}, slots=2)
    await save(bench, 20)
    assert len(await bench.store.queue.claim({100: 20}, boot="dead")) == 20
    assert await bench.store.queue.reclaim(boot="boot") == (20, 0)
    await bench.run(2)
    assert await states(bench) == {"done": 20}
