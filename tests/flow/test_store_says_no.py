"""The worker while its store takes no writes: it waits with what it has in hand, and goes on where it was."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import apsw
import pytest
import trio
from trio.testing import MockClock

from pipeline import errors
from pipeline.documents import Extracted
from pipeline.effects import KeepDocument
from pipeline.lifecycle import State
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.stage import StageContext
from pipeline.store.damage import Damage, mark
from pipeline.store.handle import Store, open_store
from pipeline.store.items import ItemFilter
from pipeline.work import Advance, Claim, Outcome
from tests.flow.conftest import FakeClock, advance
from tests.flow.test_worker import save, working
from tests.store.faulty_disk import FaultyDisk, fails, faulty_disk


@pytest.fixture
def disk() -> Iterator[FaultyDisk]:
    with faulty_disk() as faulty:
        yield faulty


@pytest.fixture
async def store(disk: FaultyDisk, tmp_path: Path) -> AsyncIterator[Store]:
    settings = DatabaseSettings(busy_timeout_ms=1)
    async with open_store(
        settings, QueueSettings(), RetrySettings(), folder=tmp_path, clock=FakeClock(), inline=True
    ) as opened:
        yield opened


async def all_done(store: Store, uids: list[str]) -> None:
    items = [await store.items.get(uid) for uid in uids]
    assert {(item.state, item.attempts) for item in items} == {(State.DONE, 0)}


async def takes_a_second(claim: Claim, ctx: StageContext) -> Outcome:
    await trio.sleep(1)
    return await advance(claim, ctx)


async def test_a_worker_outlasts_a_foreign_write_lock_and_does_no_step_twice(
    store: Store, tmp_path: Path, autojump_clock: MockClock
) -> None:
    handled: list[str] = []

    async def counted(claim: Claim, ctx: StageContext) -> Outcome:
        handled.append(claim.subject)
        return await takes_a_second(claim, ctx)

    uids = await save(store, 20)
    async with working(store, tmp_path, {100: counted, 300: advance}) as worker:
        await trio.sleep(1.5)
        other = apsw.Connection(str(tmp_path / "atlas.db"))
        other.execute("BEGIN IMMEDIATE")
        await trio.sleep(90)
        other.execute("ROLLBACK")
        other.close()
        await trio.sleep(20)
        await all_done(store, uids)
        assert sorted(handled) == sorted(uids)
        assert all(actor.restarts == 0 for actor in worker.report().actors)


async def test_a_worker_outlasts_a_full_disk_and_does_no_step_twice(
    store: Store, disk: FaultyDisk, tmp_path: Path, autojump_clock: MockClock
) -> None:
    handled: list[str] = []

    async def counted(claim: Claim, ctx: StageContext) -> Outcome:
        handled.append(claim.subject)
        return await takes_a_second(claim, ctx)

    uids = await save(store, 20)
    async with working(store, tmp_path, {100: counted, 300: advance}, slots=8) as worker:
        await trio.sleep(0.5)
        disk.on_write = fails(apsw.SQLITE_FULL)
        await trio.sleep(600)
        disk.on_write = lambda _name: None
        await trio.sleep(30)
        await all_done(store, uids)
        assert sorted(handled) == sorted(uids)
        assert all(actor.restarts == 0 for actor in worker.report().actors)


async def test_asked_to_stop_on_a_full_disk_a_worker_stops(
    store: Store, disk: FaultyDisk, tmp_path: Path, autojump_clock: MockClock
) -> None:
    uids = await save(store, 5)
    with trio.fail_after(30):
        async with working(store, tmp_path, {100: takes_a_second, 300: advance}):
            await trio.sleep(0.5)
            disk.on_write = fails(apsw.SQLITE_FULL)
            await trio.sleep(5)
        disk.on_write = lambda _name: None
    assert await store.queue.reclaim(boot="next") == (4, 0)
    assert [(await store.items.get(uid)).attempts for uid in uids] == [0] * 5


async def test_a_worker_whose_database_is_damaged_claims_nothing_and_stays_up(
    store: Store, tmp_path: Path, autojump_clock: MockClock
) -> None:
    handled: list[str] = []

    async def counted(claim: Claim, ctx: StageContext) -> Outcome:
        handled.append(claim.subject)
        return await takes_a_second(claim, ctx)

    await save(store, 20)
    async with working(store, tmp_path, {100: counted, 300: advance}) as worker:
        await trio.sleep(0.5)
        mark(tmp_path, Damage(at=1, where="read", file="atlas.db", said="torn"))
        before, begun = (tmp_path / "atlas.db-wal").read_bytes(), list(handled)
        await trio.sleep(600)
        assert worker.line.dispatcher.paused
        assert handled == begun, "nothing new is begun"
        assert all((actor.restarts, actor.stalls) == (0, 0) for actor in worker.report().actors)
        assert (tmp_path / "atlas.db-wal").read_bytes() == before
    assert {item.state for item in [row.item for row in (await store.items.list(ItemFilter())).items]} <= {
        State.READY,
        State.LEASED,
    }


async def test_a_broken_disk_ends_the_worker_as_a_broken_disk(
    disk: FaultyDisk, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async def main() -> None:
        async with open_store(
            DatabaseSettings(), QueueSettings(), RetrySettings(), folder=tmp_path, clock=FakeClock(), inline=True
        ) as store:
            await save(store, 20)
            async with working(store, tmp_path, {100: takes_a_second, 300: advance}):
                await trio.sleep(1.5)
                disk.on_sync = fails(apsw.SQLITE_IOERR_FSYNC)
                await trio.sleep_forever()

    with trio.fail_after(60), pytest.raises(errors.StoreBroken):
        await main()


async def test_a_step_whose_outcome_cannot_be_stored_fails_its_item_and_not_the_worker(
    store: Store, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async def writes_half_a_character(claim: Claim, ctx: StageContext) -> Outcome:
        assert claim.item is not None
        if claim.item.url != "https://example.org/1":
            return await advance(claim, ctx)
        text = "\ud83d"  # half of a surrogate pair: no database takes it
        return Advance(effects=(KeepDocument(document=Extracted(text=text, markdown="", html="", method="test")),))

    uids = await save(store, 3)
    async with working(store, tmp_path, {100: writes_half_a_character, 300: advance}) as worker:
        await trio.sleep(5)
        items = [await store.items.get(uid) for uid in uids]
        assert [item.state for item in items] == [State.DONE, State.WAITING, State.DONE]
        assert items[1].attempts >= 1
        assert items[1].reason is not None
        assert (items[1].reason.code, items[1].reason.error_id is None) == ("internal", False)
        assert all(actor.restarts == 0 for actor in worker.report().actors)


async def test_a_store_too_busy_to_read_from_costs_the_item_no_attempt(
    store: Store, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async def cannot_read(_claim: Claim, _ctx: StageContext) -> Outcome:
        raise errors.StoreBusy("all read connections are in use")

    (uid,) = await save(store, 1)
    async with working(store, tmp_path, {100: cannot_read, 300: advance}):
        await trio.sleep(300)
        item = await store.items.get(uid)
        assert (item.state, item.attempts) == (State.WAITING, 0)
