"""Turns at a host: a limit, in order, and nothing kept."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from pipeline.errors import RateLimited
from stages.net.hosts import Hosts

FAST: Any = {"per_second": 1e6, "burst": 1}


async def test_no_more_than_the_limit_are_at_one_host_and_others_do_not_wait() -> None:
    hosts, at_once, most = Hosts(2, **FAST), 0, 0

    async def visit(host: str) -> None:
        nonlocal at_once, most
        async with hosts.turn(host):
            at_once += host == "a.test"
            most = max(most, at_once)
            await trio.testing.wait_all_tasks_blocked()
            at_once -= host == "a.test"

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(visit, "a.test")
        async with hosts.turn("b.test"), hosts.turn("a.test:8080"):
            assert len(hosts) == 3
    assert most == 2
    assert len(hosts) == 0


async def test_turns_come_in_the_order_of_asking() -> None:
    hosts, order = Hosts(1, **FAST), []

    async def visit(number: int) -> None:
        async with hosts.turn("a.test"):
            order.append(number)

    async with trio.open_nursery() as nursery, hosts.turn("a.test"):
        for number in range(5):
            nursery.start_soon(visit, number)
            await trio.testing.wait_all_tasks_blocked()
    assert order == [0, 1, 2, 3, 4]


async def test_a_waiter_that_is_cancelled_takes_no_turn_with_it() -> None:
    hosts = Hosts(1, **FAST)

    async def visit() -> None:
        async with hosts.turn("a.test"):
            await trio.sleep_forever()

    for _ in range(50):
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(visit)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    async with hosts.turn("a.test"):
        assert len(hosts) == 1
    assert len(hosts) == 0


async def test_a_turn_that_does_not_come_is_said_so(autojump_clock: trio.testing.MockClock) -> None:
    hosts = Hosts(1, wait_seconds=20, **FAST)
    async with hosts.turn("a.test"):
        started = trio.current_time()
        with pytest.raises(RateLimited) as caught:
            async with hosts.turn("a.test"):
                raise AssertionError
        assert trio.current_time() - started == pytest.approx(20)
        assert caught.value.retry_after > 0
    async with hosts.turn("a.test"):
        pass
