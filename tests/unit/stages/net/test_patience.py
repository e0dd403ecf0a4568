"""Every wait has an end, and a fetch that is cut off leaves no slot behind.

Hosts that drip, stall or say nothing are in tests/test_reliability/test_silent_hosts.py.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
import trio
import trio.testing

from pipeline.errors import (
    ConnectFailed,
    FetchError,
)
from tests.unit.stages.net.site import Request, Site, answering, fetcher, listening, reply


async def _say_nothing(stream: trio.SocketStream, request: Request) -> None:
    while await stream.receive_some(65536):  # until the other side leaves
        pass


async def test_waiting_for_a_turn_at_the_host_does_not_count_as_the_servers_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def slow(stream: trio.SocketStream, request: Request) -> None:
        await trio.sleep(9)
        await stream.send_all(reply(b"at last"))

    async with (
        listening(slow) as site,
        fetcher(per_host=1, total_seconds=10) as fetch,
        trio.open_nursery() as nursery,
    ):
        for _ in range(3):
            nursery.start_soon(fetch.fetch, site.url())
    assert len(site.requests) == 3
    assert site.most_open == 1


async def test_a_port_where_nobody_listens_is_a_failed_connection(free_port: int) -> None:
    async with fetcher() as fetch:
        with pytest.raises(ConnectFailed, match=r"site\.test"):
            await fetch.fetch(f"http://site.test:{free_port}/")


async def test_no_slot_of_the_pool_is_lost_to_cancelled_fetches() -> None:
    """httpcore#1093: requests cancelled under contention kept their slots until nothing moved any more."""

    async def handler(stream: trio.SocketStream, request: Request) -> None:
        if request.path == "/slow":
            await _say_nothing(stream, request)
        else:
            await stream.send_all(reply(b"x" * 10_000))

    async with listening(handler) as site, fetcher(connections=3, per_host=50) as fetch:
        for number in range(60):
            async with trio.open_nursery() as nursery:
                for path in ("/slow", "/", "/slow", "/", "/"):
                    for host in ("a.test", "b.test"):
                        nursery.start_soon(_ignoring_failure, fetch.fetch, site.url(path, host=host))
                for _ in range(number):
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
        with trio.fail_after(5):
            for host in ("a.test", "b.test", "c.test", "d.test"):
                assert len((await fetch.fetch(site.url(host=host))).content) == 10_000
    with trio.fail_after(5):
        await trio.testing.wait_all_tasks_blocked()


async def _ignoring_failure(call: Callable[[str], object], url: str) -> None:
    with suppress(FetchError):
        await call(url)  # type: ignore[misc]


async def test_all_connections_are_closed_when_the_fetcher_is(autojump_clock: trio.testing.MockClock) -> None:
    async with listening(answering(lambda _: reply(b"x"))) as site:
        async with fetcher() as fetch:
            for number in range(5):
                await fetch.fetch(site.url(host=f"h{number}.test"))
            assert site.open == 5
        await _until_all_left(site)


async def _until_all_left(site: Site) -> None:
    with trio.fail_after(5):
        while site.open:  # noqa: ASYNC110 what happens in the other task is what is waited for
            await trio.sleep(0.01)
