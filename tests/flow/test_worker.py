"""The worker's own supervision tree over fake stages: who is restarted, who is not, and what the pages are told."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import trio
from trio.testing import MockClock

from observability.log import get_logger
from observability.unexpected import Ledger
from pipeline.lifecycle import State
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.stage import StageContext, StageSpec
from pipeline.store.handle import Store, open_store
from pipeline.work import Claim, Outcome
from supervisor.child import SupervisorGaveUp
from supervisor.doorbell import Doorbell, listen
from supervisor.notify import Notify
from supervisor.settings import Config, WorkerSettings
from supervisor.tree import supervise
from supervisor.worker import Worker
from tests.flow.conftest import FakeClock, FakeStage, Handler, advance
from tests.store.hands import page


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(
        DatabaseSettings(), QueueSettings(), RetrySettings(), folder=tmp_path, clock=FakeClock(), inline=True
    ) as opened:
        yield opened


@contextlib.asynccontextmanager
async def working(store: Store, folder: Path, handlers: dict[int, Handler], *, slots: int = 2) -> AsyncIterator[Worker]:
    """A worker at work on fake stages, until the block ends."""
    hundreds = sorted(handlers)
    stages = [
        FakeStage(StageSpec(name=f"s{h}", hundred=h, slots=slots, deadline=20.0, following=after), handlers[h])
        for h, after in zip(hundreds, [*hundreds[1:], None], strict=True)
    ]
    config = msgspec.structs.replace(Config(), worker=WorkerSettings(drain_seconds=5.0))
    async with contextlib.AsyncExitStack() as stack:
        bell = await stack.enter_async_context(listen(folder / "w.bell"))
        worker = Worker(
            config,
            store=store,
            stages=stages,
            clock=FakeClock(),
            boot="boot",
            api_bell=Doorbell(folder / "a.bell"),
            own_bell=bell,
            notify=Notify(None),
            log=get_logger(),
            mishaps=Ledger(lambda: 0),
        )
        stack.push_async_callback(worker.line.give_back)
        nursery = await stack.enter_async_context(trio.open_nursery())
        up = trio.Event()
        nursery.start_soon(lambda: supervise(worker.root, worker.hooks, started=up.set))
        await up.wait()
        try:
            yield worker
        finally:
            worker.stopping = True
            nursery.cancel_scope.cancel()


async def save(store: Store, count: int) -> list[str]:
    return [(await store.items.accept(page(f"https://example.org/{n}"))).uid for n in range(count)]


async def test_a_slot_that_is_stuck_past_its_deadline_is_restarted_alone_and_its_item_tried_again(
    store: Store, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async def one_hangs(claim: Claim, ctx: StageContext) -> Outcome:
        if claim.item is not None and claim.item.url == "https://example.org/0" and claim.attempts == 0:
            with trio.CancelScope(shield=True), trio.move_on_after(35):
                await trio.sleep_forever()  # deaf to the deadline of its step
            await trio.sleep_forever()
        return await advance(claim, ctx)

    uids = await save(store, 6)
    async with working(store, tmp_path, {100: one_hangs, 300: advance}) as worker:
        await trio.sleep(20)
        states = [(await store.items.get(uid)).state for uid in uids]
        assert states == [State.LEASED] + [State.DONE] * 5, "its neighbour went on"
        await trio.sleep(60)
        assert (await store.items.get(uids[0])).attempts == 1
        report = {actor.name: actor for actor in worker.report().actors}
        assert (report["s100"].stalls, report["s100"].restarts) == (1, 1)
        assert (report["s300"].stalls, report["s300"].restarts) == (0, 0)


async def test_a_bug_in_a_stage_restarts_nobody(store: Store, tmp_path: Path, autojump_clock: MockClock) -> None:
    async def buggy(_claim: Claim, _ctx: StageContext) -> Outcome:
        raise RuntimeError("a bug")

    await save(store, 20)
    async with working(store, tmp_path, {100: buggy, 300: advance}) as worker:
        await trio.sleep(5)
        assert all(actor.restarts == 0 for actor in worker.report().actors)


async def test_an_actor_whose_store_breaks_again_and_again_ends_the_worker(
    store: Store, tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_args: object, **_more: object) -> None:
        raise RuntimeError("not an answer a store gives")

    async def run() -> None:
        async with working(store, tmp_path, {100: advance, 300: advance}):
            await trio.sleep(120)

    await save(store, 40)
    monkeypatch.setattr(type(store.queue), "finish", broken)
    with pytest.raises(BaseExceptionGroup) as ended:
        await run()
    assert ended.group_contains(SupervisorGaveUp)


async def test_the_worker_s_report_is_kept_fresh_and_says_what_each_actor_does(
    store: Store, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with working(store, tmp_path, {100: advance, 300: advance}, slots=3):
        await trio.sleep(100)
        (role,) = await store.status.roles()
        assert FakeClock().wall_ms() - role.seen_at <= 11_000
        assert [(a.name, a.state, a.slots, a.busy) for a in role.actors] == [
            ("s100", "running", 3, 0),
            ("s300", "running", 3, 0),
        ]


async def test_a_stop_lets_the_step_in_hand_end_and_returns_the_rest(
    store: Store, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async def takes_two_seconds(claim: Claim, ctx: StageContext) -> Outcome:
        await trio.sleep(2)
        return await advance(claim, ctx)

    uids = await save(store, 8)
    async with working(store, tmp_path, {100: takes_two_seconds, 300: takes_two_seconds}) as worker:
        await trio.sleep(1)
    items = [await store.items.get(uid) for uid in uids]
    assert [item.state for item in items] == [State.READY] * 8
    assert sorted({item.stage for item in items}) == [110, 300], "two steps ended and were kept"
    assert all(item.attempts == 0 for item in items)
    assert all(actor.state == "stopped" for actor in worker.report(stopped=True).actors)
