"""What must stay as fast as it is: each test times two things in turns on the same machine and compares the two.

No test here knows how fast a machine should be, and a busy neighbour slows both of what is compared.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.handle import Store, open_store
from tests.store.hands import TestClock, claim_all, page, run_through
from tests.test_reliability.sizes import figure

ROUNDS = 7  # of which the median counts
AT_ONCE = 500
Work = Callable[[], Awaitable[object]]


@asynccontextmanager
async def library(folder: Path, *, max_size: int = 100_000) -> AsyncIterator[Store]:
    await trio.Path(folder).mkdir(mode=0o700)
    queue = QueueSettings(max_size=max_size, max_backlog=100_000)
    async with open_store(DatabaseSettings(), queue, RetrySettings(), folder=folder, clock=TestClock()) as store:
        yield store


async def save(store: Store, run: str, count: int, *, at_once: bool = True) -> None:
    """Save `count` pages; one after the other, each waits for the disk by itself."""
    pages = [page(f"https://example.org/{run}/{number}") for number in range(count)]
    if not at_once:
        for each in pages:
            await store.items.accept(each)
        return
    for begin in range(0, count, AT_ONCE):  # the writer takes no more than it has memory for
        async with trio.open_nursery() as nursery:
            for each in pages[begin : begin + AT_ONCE]:
                nursery.start_soon(store.items.accept, each)


async def finish_all(store: Store, *, word: str) -> None:
    """Take all that is queued through every stage; the word stands in one of the texts."""
    number = 0
    while claims := await claim_all(store):
        for claim in claims:
            text = f"the miller counts the sacks of day {number} in {claim.subject}"
            await run_through(store, claim, text=f"{text} {word}" if number == 0 else text)
            number += 1


async def seconds(work: Work) -> float:
    begun = time.perf_counter()
    await work()
    return time.perf_counter() - begun


async def ratio(first: Callable[[int], Work], second: Callable[[int], Work]) -> float:
    """How much longer the second takes than the first: the median of pairs, timed one right after the other."""
    pairs = []
    for number in range(ROUNDS):
        one, other = await seconds(first(number)), await seconds(second(number))
        pairs.append(other / one)
    return statistics.median(pairs)


async def test_saves_that_come_together_share_their_commits(tmp_path: Path) -> None:
    async with library(tmp_path / "data") as store:
        found = await ratio(
            lambda n: lambda: save(store, f"together-{n}", 64),
            lambda n: lambda: save(store, f"apart-{n}", 64, at_once=False),
        )
    figure("pace", f"64 saves one after the other take {found:.1f} times as long as 64 at once")
    assert found > 1.5


@pytest.mark.parametrize(
    ("few", "many"), [(50, 1000), pytest.param(100, 20_000, marks=pytest.mark.slow)], ids=["1,000", "20,000"]
)
async def test_a_save_takes_as_long_whatever_is_queued(few: int, many: int, tmp_path: Path) -> None:
    async with library(tmp_path / "few") as small, library(tmp_path / "many") as large:
        await save(small, "before", few)
        await save(large, "before", many)
        found = await ratio(
            lambda n: lambda: save(small, f"run-{n}", 30, at_once=False),
            lambda n: lambda: save(large, f"run-{n}", 30, at_once=False),
        )
    figure("pace", f"a save beside {many:,} queued items takes {found:.2f} times as long as beside {few}")
    assert found < 2.5


@pytest.mark.slow
async def test_a_rare_word_is_found_as_soon_in_a_large_library(tmp_path: Path) -> None:
    few, many = 50, 800
    async with library(tmp_path / "few") as small, library(tmp_path / "many") as large:
        for store, count in ((small, few), (large, many)):
            await save(store, "before", count)
            await finish_all(store, word="lighthouse")
            assert (await store.search.find("lighthouse")).total == 1

        async def look(store: Store) -> None:
            for _ in range(20):
                await store.search.find("lighthouse")

        found = await ratio(lambda _: lambda: look(small), lambda _: lambda: look(large))
    figure("pace", f"a rare word among {many:,} articles takes {found:.2f} times as long as among {few}")
    assert found < 3
