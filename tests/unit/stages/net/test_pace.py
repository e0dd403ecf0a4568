"""How fast requests to one host follow each other, by a clock that jumps."""

from __future__ import annotations

import contextlib

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RateLimited
from stages.net.hosts import Hosts
from stages.net.pace import Pace


async def test_a_burst_goes_at_once_and_the_rest_at_the_rate(autojump_clock: trio.testing.MockClock) -> None:
    hosts, times = Hosts(100, per_second=2, burst=20), []
    started = trio.current_time()

    async def visit() -> None:
        async with hosts.turn("a.test"):
            times.append(trio.current_time() - started)

    async with trio.open_nursery() as nursery:
        for _ in range(30):
            nursery.start_soon(visit)
    assert times[:20] == [0] * 20
    assert times[20:] == pytest.approx([0.5 * number for number in range(1, 11)])


async def test_one_host_that_is_slowed_slows_no_other(autojump_clock: trio.testing.MockClock) -> None:
    hosts = Hosts(4, per_second=1, burst=1)
    async with hosts.turn("a.test"):
        pass
    started = trio.current_time()
    async with hosts.turn("b.test"):
        assert trio.current_time() == started
    async with hosts.turn("a.test"):
        assert trio.current_time() - started == pytest.approx(1)


async def test_who_would_wait_too_long_is_sent_away_and_told_when_to_come_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    hosts, waits = Hosts(500, per_second=2, burst=1), []

    async def visit() -> None:
        try:
            async with hosts.turn("a.test"):
                pass
        except RateLimited as error:
            waits.append(error.retry_after)

    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(visit)
    assert len(waits) == 89  # the first, and ten in the five seconds that anybody waits
    assert waits == pytest.approx([5.5 + 0.5 * number for number in range(1, 90)])


async def test_no_more_wait_for_a_host_than_leave_slots_to_the_others(autojump_clock: trio.testing.MockClock) -> None:
    hosts, sent_away = Hosts(4, per_second=1000, burst=1000), []

    async def visit() -> None:
        try:
            async with hosts.turn("slow.test"):
                await trio.sleep(1)
        except RateLimited as error:
            sent_away.append(error.retry_after)

    async with trio.open_nursery() as nursery:
        for _ in range(32):
            nursery.start_soon(visit)
        await trio.testing.wait_all_tasks_blocked(0.001)
        assert len(sent_away) == 32 - 4 - 8
    assert len(hosts) == 0


@given(
    st.lists(st.floats(0, 3), min_size=1, max_size=60),
    st.floats(0.01, 2),
    st.integers(1, 5),
)
def test_in_any_stretch_of_time_no_more_go_than_the_burst_and_the_rate_allow(
    gaps: list[float], interval: float, burst: int
) -> None:
    pace, now, went = Pace(), 0.0, []
    for gap in gaps:
        now += gap
        with contextlib.suppress(RateLimited):
            went.append(now + pace.take("a", now, interval=interval, burst=burst, patience=4))
    for first, start in enumerate(went):
        for last, end in enumerate(went[first:], start=1):
            assert last <= burst + (end - start) / interval + 1e-6


def test_a_thousand_hosts_a_second_are_not_remembered_for_longer_than_a_minute() -> None:
    pace = Pace()
    for number in range(200_000):
        pace.take(f"h{number}", number / 1000, interval=0.5, burst=20, patience=5)
    assert len(pace) <= 61_000
