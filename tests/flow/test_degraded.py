"""The line while a part of what is below it is away: items wait with a reason, none is lost, none pays an attempt."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from pipeline import errors
from pipeline.effects import KeepCapture
from pipeline.lifecycle import State
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.stage import StageContext, StageSpec
from pipeline.store.disk import Space
from pipeline.store.handle import Store, open_store
from pipeline.work import Advance, Claim, Outcome
from tests.flow.conftest import Bench, FakeClock, advance
from tests.store.hands import page

GIB = 2**30


class Gauge:
    """A disk of 100 GiB whose free space a test sets."""

    def __init__(self) -> None:
        self.free = 50 * GIB

    def __call__(self) -> Space:
        return Space(total=100 * GIB, free=self.free)


@pytest.fixture
def gauge() -> Gauge:
    return Gauge()


@pytest.fixture
async def bench(tmp_path: Path, gauge: Gauge) -> AsyncIterator[Bench]:
    queue, retry = QueueSettings(), RetrySettings(attempts=3, base_seconds=10)
    async with open_store(
        DatabaseSettings(), queue, retry, folder=tmp_path, clock=FakeClock(), inline=True, measure=gauge
    ) as store:
        made = Bench(store, queue, retry)
        yield made
        if made.line is not None:
            made.line.close()


async def save(store: Store, count: int) -> list[str]:
    return [(await store.items.accept(page(f"https://example.org/{n}"))).uid for n in range(count)]


async def keeps_a_body(claim: Claim, _ctx: StageContext) -> Outcome:
    assert claim.item is not None
    assert claim.item.url is not None
    url = claim.item.url
    kept = KeepCapture(
        content=b"<p>text</p>", url=url, final_url=url, final_key=url, status=200, media_type="text/html", charset=None
    )
    return Advance(effects=(kept,))


async def test_on_a_nearly_full_disk_what_is_in_hand_is_ended_and_the_rest_follows_when_there_is_room(
    bench: Bench, gauge: Gauge, autojump_clock: MockClock
) -> None:
    async def takes_a_second(claim: Claim, ctx: StageContext) -> Outcome:
        await trio.sleep(1)
        return await advance(claim, ctx)

    stages = bench.build({100: takes_a_second, 300: advance}, slots=2)
    uids = await save(bench.store, 20)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.run, 120)
        await trio.sleep(1.5)
        gauge.free = GIB
        await trio.sleep(60)
        assert bench.line is not None
        assert bench.line.dispatcher.paused
        began = len(stages[100].handled)
        assert 0 < began < 20
        found = [await bench.store.items.get(uid) for uid in uids]
        assert sum(item.state is State.DONE for item in found) == began
        gauge.free = 50 * GIB
        await trio.sleep(30)
        found = [await bench.store.items.get(uid) for uid in uids]
        assert {(item.state, item.attempts) for item in found} == {(State.DONE, 0)}


async def test_without_an_archive_the_steps_that_need_it_are_not_begun_and_wait_at_no_attempt(
    bench: Bench, tmp_path: Path, autojump_clock: MockClock
) -> None:
    stages = bench.build({100: keeps_a_body, 300: advance})
    _needing_bodies(bench, 100)
    (uid,) = await save(bench.store, 1)
    bench.store.bodies._archive.fault = errors.StoreUnreadable("archive.db is damaged", hint="restore it")
    await bench.run(3600)
    item = await bench.store.items.get(uid)
    assert (item.state, item.attempts) == (State.WAITING, 0)
    assert item.reason is not None
    assert item.reason.code == "archive_unavailable"
    assert "archive.db is damaged" in (item.reason.detail or "")
    assert stages[100].handled == [], "nothing is fetched that could not be kept"


async def test_a_body_that_cannot_be_kept_sends_its_item_waiting_and_takes_no_attempt(
    bench: Bench, autojump_clock: MockClock
) -> None:
    async def the_archive_goes_meanwhile(claim: Claim, ctx: StageContext) -> Outcome:
        bench.store.bodies._archive.fault = errors.StoreUnreadable("archive.db is damaged", hint="restore it")
        return await keeps_a_body(claim, ctx)

    bench.build({100: the_archive_goes_meanwhile, 300: advance})
    (uid,) = await save(bench.store, 1)
    await bench.run(30)
    item = await bench.store.items.get(uid)
    assert (item.state, item.attempts) == (State.WAITING, 0)
    bench.store.bodies._archive.fault = None
    assert bench.line is not None
    bench.line.actors[0].stage.handler = keeps_a_body  # type: ignore[attr-defined]
    await bench.run(120)
    assert (await bench.store.items.get(uid)).state is State.DONE


async def test_steps_that_need_no_body_go_on_without_an_archive(bench: Bench, autojump_clock: MockClock) -> None:
    bench.build({100: advance, 300: advance})
    uids = await save(bench.store, 5)
    bench.store.bodies._archive.fault = errors.StoreUnreadable("archive.db is damaged", hint="restore it")
    await bench.run(5)
    assert {(await bench.store.items.get(uid)).state for uid in uids} == {State.DONE}


def _needing_bodies(bench: Bench, hundred: int) -> None:
    assert bench.line is not None
    actor = next(actor for actor in bench.line.actors if actor.spec.hundred == hundred)
    spec: StageSpec = actor.spec
    actor.spec = StageSpec(
        name=spec.name,
        hundred=spec.hundred,
        slots=spec.slots,
        deadline=spec.deadline,
        following=spec.following,
        needs_bodies=True,
    )
