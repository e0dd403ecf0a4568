"""Taking in stops before the disk is full, and what makes room or ends what is in hand goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pipeline import errors
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.disk import MIB, Disk, Space, reserve, space_of
from pipeline.store.handle import Store, open_store
from tests.store.hands import TestClock, claim_all, page, run_through

GIB = 1024 * MIB


class Gauge:
    """A disk of 100 GiB whose free space a test sets; counts how often it is looked at."""

    def __init__(self) -> None:
        self.free: int | None = 50 * GIB
        self.looks = 0

    def __call__(self) -> Space | None:
        self.looks += 1
        return None if self.free is None else Space(total=100 * GIB, free=self.free)


@pytest.fixture
def gauge() -> Gauge:
    return Gauge()


@pytest.fixture
async def store(tmp_path: Path, clock: TestClock, gauge: Gauge) -> AsyncIterator[Store]:
    async with open_store(
        DatabaseSettings(), QueueSettings(), RetrySettings(), folder=tmp_path, clock=clock, measure=gauge
    ) as opened:
        yield opened


@pytest.mark.parametrize(
    ("total", "kept"),
    [
        (1000 * GIB, 50 * GIB),  # 5 %
        (10 * GIB, GIB),  # 1 GiB is more than 5 %
        (2 * GIB, round(0.4 * GIB)),  # and here more than a fifth of it all
        (64 * MIB, round(12.8 * MIB)),
    ],
)
def test_what_is_kept_free_is_1_gib_or_5_percent_but_at_most_a_fifth(total: int, kept: int) -> None:
    assert reserve(total, DatabaseSettings()) == pytest.approx(kept, abs=1)


def test_a_reserve_of_nothing_switches_the_guard_off(clock: TestClock) -> None:
    off = DatabaseSettings(reserve_mib=0, reserve_percent=0)
    Disk(lambda: Space(total=GIB, free=0), off, clock).check()


def test_the_real_disk_says_how_much_is_free_and_one_that_is_gone_says_nothing(tmp_path: Path) -> None:
    space = space_of(tmp_path)
    assert space is not None
    assert 0 <= space.free <= space.total
    assert space_of(tmp_path / "gone") is None


async def test_on_a_nearly_full_disk_nothing_is_taken_in_and_everything_else_goes_on(
    store: Store, clock: TestClock, gauge: Gauge
) -> None:
    saved = [await store.items.accept(page(f"https://example.com/{n}")) for n in range(3)]
    first, second, _third = await claim_all(store)
    gauge.free = 4 * GIB
    clock.pass_seconds(1)
    with pytest.raises(errors.StoreFull, match="nearly full") as refused:
        await store.items.accept(page("https://example.com/new"))
    assert "free some space" in refused.value.hint
    with pytest.raises(errors.StoreFull):
        await store.feeds.add("https://example.com/feed")
    with pytest.raises(errors.StoreFull):
        await claim_all(store)
    assert (await run_through(store, first, text="what was in hand is ended")).state == "done"
    await store.queue.renew([second.lease_token])
    await store.queue.release([second.lease_token])
    await store.items.mark(saved[0].uid, read=True)
    await store.items.delete(saved[2].uid)
    assert len((await store.search.find("hand")).hits) == 1
    assert store.status.disk() is not None


async def test_taking_in_goes_on_a_second_after_there_is_room_again(
    store: Store, clock: TestClock, gauge: Gauge
) -> None:
    gauge.free = 0
    with pytest.raises(errors.StoreFull):
        await store.items.accept(page("https://example.com/1"))
    gauge.free = 6 * GIB
    clock.pass_seconds(1)
    await store.items.accept(page("https://example.com/1"))
    assert len(await claim_all(store)) == 1


async def test_the_disk_is_looked_at_once_a_second_however_many_save(
    store: Store, clock: TestClock, gauge: Gauge
) -> None:
    for number in range(50):
        await store.items.accept(page(f"https://example.com/{number}"))
    assert gauge.looks == 1
    clock.pass_seconds(1)
    await store.items.accept(page("https://example.com/one-more"))
    assert gauge.looks == 2


async def test_a_file_system_that_does_not_say_keeps_nobody_from_saving(store: Store, gauge: Gauge) -> None:
    gauge.free = None
    await store.items.accept(page("https://example.com/1"))
    assert store.status.disk() is None
