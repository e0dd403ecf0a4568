"""Every wait has an end, and a fetch that is cut off leaves no connection and no slot behind."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import trio
import trio.testing

from pipeline.errors import (
    ConnectFailed,
    FetchError,
    FetchTimeout,
)
from tests.unit.stages.net.site import Request, Site, answering, fetcher, listening, reply


async def _drip_body(stream: trio.SocketStream, request: Request) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
    while True:
        await stream.send_all(b"x")
        await trio.sleep(1)


async def _drip_headers(stream: trio.SocketStream, request: Request) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\n")
    while True:
        await stream.send_all(b"X-Slow: x\r\n")
        await trio.sleep(1)


async def _say_nothing(stream: trio.SocketStream, request: Request) -> None:
    while await stream.receive_some(65536):  # until the other side leaves
        pass


@pytest.mark.parametrize(("handler", "seconds"), [(_drip_body, 60), (_drip_headers, 20), (_say_nothing, 20)])
async def test_a_server_that_drips_or_is_silent_is_left_in_time(
    handler: Callable[..., object], seconds: float, autojump_clock: trio.testing.MockClock
) -> None:
    async with listening(handler) as site, fetcher() as fetch:  # type: ignore[arg-type]
        started = trio.current_time()
        with pytest.raises(FetchTimeout):
            await fetch.fetch(site.url())
        assert trio.current_time() - started == pytest.approx(seconds, abs=0.5)
        await _until_all_left(site)


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


async def test_a_thousand_fetches_cut_off_leave_no_socket_open(autojump_clock: trio.testing.MockClock) -> None:
    before = _open_files()
    async with listening(_say_nothing) as site, fetcher(per_host=50, connections=64) as fetch:

        async def some() -> None:
            for _ in range(20):
                with pytest.raises(FetchTimeout):
                    await fetch.fetch(site.url())

        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(some)
        await _until_all_left(site)
        assert _open_files() <= before + 2
    assert site.connects == 1000


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def _until_all_left(site: Site) -> None:
    with trio.fail_after(5):
        while site.open:  # noqa: ASYNC110 what happens in the other task is what is waited for
            await trio.sleep(0.01)
