"""Back-pressure from end to end: what is accepted is never dropped, what cannot be is refused and told when to come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from pipeline import errors
from pipeline.items import Reason
from pipeline.lifecycle import IN_FLIGHT, Priority, Stage, State
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.stage import StageContext
from pipeline.store.handle import Store, open_store
from pipeline.work import Bury, Claim, Outcome, Retry
from tests.flow.conftest import Bench, FakeClock, advance
from tests.flow.conftest import bench as _bench
from tests.gateway.conftest import gateway as _gateway
from tests.gateway.site import Site
from tests.store.hands import claim_all, finish, page

bench = _bench
gateway = _gateway
ITEMS = "/api/v1/items"
SLOW = Reason(code="timeout", hint="the site is slow")


@pytest.fixture
def queue_settings() -> QueueSettings:
    return QueueSettings(max_size=10, max_backlog=100, forward_seconds=30.0)


async def save(store: Store, numbers: Sequence[int], priority: Priority = Priority.PERSON) -> list[str]:
    submissions = [page(f"https://example.org/{n}", priority=priority) for n in numbers]
    return [(await store.items.accept(each)).uid for each in submissions]


async def states(store: Store) -> Counter[str]:
    found: Counter[str] = Counter()
    for count in await store.status.counts():
        found[count.state] += count.n
    return found


async def conserved(store: Store, accepted: int) -> None:
    """Accepted = done + duplicate + dead + in flight, and the kept counts say the same as a recount."""
    found = await states(store)
    assert sum(found.values()) == accepted
    assert (await store.status.sweep()).drift == 0


async def takes_a_second(claim: Claim, ctx: StageContext) -> Outcome:
    await trio.sleep(1)
    return await advance(claim, ctx)


# The queue


async def test_ready_and_leased_items_never_outgrow_the_queue_and_all_that_was_accepted_is_done(
    bench: Bench, autojump_clock: MockClock
) -> None:
    bench.build({100: takes_a_second, 300: takes_a_second}, slots=2)
    await save(bench.store, range(80))
    assert (await states(bench.store)) == {"ready": 10, "deferred": 70}
    deepest = 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.run, 120)
        for _ in range(100):
            await trio.sleep(1.003)
            deepest = max(deepest, (await bench.store.queue.depth()).queue_size)
    assert deepest == 10
    assert await states(bench.store) == {"done": 80}
    await conserved(bench.store, 80)


async def test_past_a_full_queue_a_save_stands_at_stage_50_with_its_reason_to_wait(
    bench: Bench, autojump_clock: MockClock
) -> None:
    await save(bench.store, range(10))
    accepted = await bench.store.items.accept(page("https://example.org/over"))
    assert accepted.deferred
    item = await bench.store.items.get(accepted.uid)
    assert (item.stage, item.state) == (Stage.PENDING, State.DEFERRED)
    depth = await bench.store.queue.depth()
    assert (depth.queue_size, depth.backlog) == (10, 11)


async def test_room_goes_to_persons_first_then_to_feeds_then_to_imports(
    bench: Bench, autojump_clock: MockClock
) -> None:
    order: list[str] = []

    async def noted(claim: Claim, ctx: StageContext) -> Outcome:
        order.append(claim.subject)
        return await takes_a_second(claim, ctx)

    bench.build({100: noted, 300: advance}, slots=1)
    await save(bench.store, range(10))  # they fill the queue
    imported = await save(bench.store, range(10, 15), Priority.IMPORT)
    fed = await save(bench.store, range(20, 25), Priority.FEED)
    own = await save(bench.store, range(30, 35))
    await bench.run(60)
    assert await states(bench.store) == {"done": 25}
    rank = {uid: priority for priority, uids in enumerate((own, fed, imported)) for uid in uids}
    assert [rank[uid] for uid in order if uid in rank] == [0] * 5 + [1] * 5 + [2] * 5


async def test_items_that_wait_for_a_slow_site_leave_their_place_in_the_queue_to_others(
    bench: Bench, autojump_clock: MockClock
) -> None:
    async def slow_for_some(claim: Claim, ctx: StageContext) -> Outcome:
        assert claim.item is not None
        if claim.item.uid in slow and claim.attempts == 0:
            raise errors.FetchTimeout("the site is slow")
        return await advance(claim, ctx)

    slow: set[str] = set()
    bench.build({100: slow_for_some, 300: advance}, slots=4)
    slow.update(await save(bench.store, range(10)))
    await bench.run(1)
    depth = await bench.store.queue.depth()
    assert (depth.queue_size, depth.backlog) == (0, 10), "what waits counts toward the backlog alone"
    await save(bench.store, range(10, 20))
    assert (await states(bench.store)) == {"waiting": 10, "ready": 10}
    await bench.run(60)
    assert await states(bench.store) == {"done": 20}


# The backlog


async def test_a_full_backlog_refuses_with_a_time_and_writes_nothing_and_its_last_tenth_is_for_persons(
    bench: Bench, autojump_clock: MockClock
) -> None:
    store = bench.store
    await save(store, range(90), Priority.IMPORT)
    for priority in (Priority.FEED, Priority.IMPORT):
        with pytest.raises(errors.QueueFull):
            await save(store, [999], priority)
    await save(store, range(100, 110))
    with pytest.raises(errors.QueueFull) as refused:
        await save(store, [999])
    assert refused.value.retry_after > 0
    await conserved(store, 100)
    bench.build({100: advance, 300: advance})
    await bench.run(30)
    assert await states(store) == {"done": 100}
    await save(store, [999])


# In memory


async def test_behind_a_stage_that_is_stuck_the_mailboxes_stay_bounded_and_leases_go_back_at_no_attempt(
    bench: Bench, autojump_clock: MockClock
) -> None:
    async def stuck(_claim: Claim, _ctx: StageContext) -> Outcome:
        await trio.sleep(10_000)
        raise AssertionError

    bench.build({100: advance, 300: stuck}, slots=2, deadline=10_001)
    uids = await save(bench.store, range(60))
    assert bench.line is not None
    line = bench.line
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.run, 400)
        for _ in range(200):
            await trio.sleep(1.003)
            assert all(box.depth <= box.capacity == 2 for box in line.mailboxes.values())
            # In hand and in the mailboxes of two stages, and two claims on their way from the one to the other.
            assert len(line.held) <= 8
        given_back = [item for item in [await bench.store.items.get(uid) for uid in uids] if item.stage == 300]
        ready = [item for item in given_back if item.state is State.READY]
        assert ready, "without room for 30 s a row is ready again at the stage that it reached"
        nursery.cancel_scope.cancel()
    items = [await bench.store.items.get(uid) for uid in uids]
    assert {item.attempts for item in items} == {0}
    assert {item.state for item in items} <= IN_FLIGHT
    await conserved(bench.store, 60)


async def test_whatever_fails_stalls_or_is_cut_off_what_was_accepted_is_somewhere(
    bench: Bench, autojump_clock: MockClock
) -> None:
    async def moody(claim: Claim, ctx: StageContext) -> Outcome:
        mood = claim.work_id % 5
        if mood == 0 and claim.attempts == 0:
            raise RuntimeError("a bug")
        if mood == 1:
            raise errors.AddressDenied("never")
        if mood == 2 and claim.attempts == 0:
            await trio.sleep(100)  # past its deadline
        if mood == 3 and claim.attempts == 0:
            return Retry(reason=SLOW, after=20.0)
        return await takes_a_second(claim, ctx)

    bench.build({100: moody, 200: takes_a_second, 300: moody}, slots=3)
    await save(bench.store, range(50))
    for _ in range(6):
        await bench.run(7.3)  # cut off in the middle, like a worker that is stopped
        await conserved(bench.store, 50)
    await bench.run(3000)
    assert await states(bench.store) == {"done": 40, "dead": 10}
    await conserved(bench.store, 50)


# Over HTTP


def test_ready_flips_at_a_thousand_in_the_queue_and_back_and_saves_go_on_being_accepted(gateway) -> None:
    async def story(site: Site) -> None:
        for number in range(1000):
            await site.store.items.accept(page(f"https://example.org/{number}"))
        ready = await site.raw("GET", "/ready")
        assert ready.status_code == 503
        assert (await ready.get_json())["queue_size"] == (await ready.get_json())["max_queue_size"] == 1000
        saved = await site.api("POST", ITEMS, json={"url": "https://example.org/over"})
        assert saved.status_code == 202
        uid = (await saved.get_json())["id"]
        detail = await (await site.api("GET", f"{ITEMS}/{uid}")).get_json()
        assert (detail["state"], detail["stage"]["code"]) == ("deferred", 50)
        assert (await site.raw("GET", "/health")).status_code == 200
        claim, *others = await claim_all(site.store)
        await finish(site.store, claim, Bury(reason=SLOW))
        await site.store.queue.release([each.lease_token for each in others])
        assert (await site.raw("GET", "/ready")).status_code == 200

    gateway(story)


def test_a_full_backlog_answers_503_queue_full_with_a_time_and_writes_nothing(gateway) -> None:
    async def story(site: Site) -> None:
        await site.save(url="https://example.org/1")
        await site.save(url="https://example.org/2")
        refused = await site.api("POST", ITEMS, json={"url": "https://example.org/3"})
        problem = await refused.get_json()
        assert (refused.status_code, problem["code"]) == (503, "queue_full")
        assert int(refused.headers["Retry-After"]) == problem["retry_after"] > 0
        again = await site.api("POST", ITEMS, json={"url": "https://example.org/2"})
        assert again.status_code == 200, "what is kept already takes no room"
        listed = await (await site.api("GET", ITEMS)).get_json()
        assert len(listed["items"]) == 2
        await conserved(site.store, 2)

    gateway(story, queue=QueueSettings(max_size=1, max_backlog=2))


async def test_what_waited_at_stage_50_when_a_worker_ended_is_promoted_by_the_next_one(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    queue, retry = QueueSettings(max_size=5), RetrySettings()
    for life in range(3):
        async with open_store(
            DatabaseSettings(), queue, retry, folder=tmp_path, clock=FakeClock(), inline=True
        ) as store:
            made = Bench(store, queue, retry)
            made.build({100: takes_a_second, 300: advance}, slots=2)
            if life == 0:
                await save(store, range(30))
            await store.queue.reclaim(boot="boot")
            await made.run(6 if life < 2 else 60)
            assert made.line is not None
            await made.line.give_back()
            await conserved(store, 30)
            if life == 2:
                assert await states(store) == {"done": 30}
