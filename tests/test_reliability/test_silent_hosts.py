"""F12: hosts that drip, stall or say nothing are left in time, and no socket stays behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
import trio.testing

from pipeline.errors import FetchTimeout
from tests.test_reliability.sizes import figure, size
from tests.unit.stages.net.site import Handler, Request, Site, fetcher, listening

TRIES = size("TRIES", small=60, full=1000)
AT_ONCE = 20


@pytest.fixture
def autojump_clock() -> trio.testing.MockClock:
    """It leaves the kernel of a busy machine a moment to deliver what the other side has sent, before time jumps."""
    return trio.testing.MockClock(autojump_threshold=0.005)


async def _drip_headers(stream: trio.SocketStream, request: Request) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\n")
    while True:
        await stream.send_all(b"X-Slow: x\r\n")
        await trio.sleep(1)


async def _drip_one_header(stream: trio.SocketStream, request: Request) -> None:
    for letter in "HTTP/1.1 200 OK\r\nX-Slow: " + "x" * 1000:
        await stream.send_all(letter.encode())
        await trio.sleep(1)


async def _say_nothing(stream: trio.SocketStream, request: Request) -> None:
    while await stream.receive_some(65536):  # until the other side leaves
        pass


async def _stop_in_the_body(stream: trio.SocketStream, request: Request) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")
    await _say_nothing(stream, request)


SILENT: dict[str, Handler] = {
    "drips headers": _drip_headers,
    "drips one header": _drip_one_header,
    "says nothing": _say_nothing,
    "stops in the body": _stop_in_the_body,
}


@pytest.mark.parametrize("what", SILENT)
async def test_a_host_that_drips_or_is_silent_is_left_within_twenty_seconds(
    what: str, autojump_clock: trio.testing.MockClock
) -> None:
    async with listening(SILENT[what]) as site, fetcher() as fetch:
        started = trio.current_time()
        with pytest.raises(FetchTimeout):
            await fetch.fetch(site.url())
        taken = trio.current_time() - started
        await _until_all_left(site)
    figure("F12", f"a host that {what}: left after {taken:.1f} s")
    assert taken <= 20.5


async def test_a_tls_handshake_that_stalls_is_left_within_ten_seconds(autojump_clock: trio.testing.MockClock) -> None:
    async with listening(_say_nothing) as site, fetcher() as fetch:
        started = trio.current_time()
        with pytest.raises(FetchTimeout):
            await fetch.fetch(site.url(scheme="https"))
        taken = trio.current_time() - started
        await _until_all_left(site)
    figure("F12", f"TLS that stalls: left after {taken:.1f} s")
    assert taken <= 10.5


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_fetches_that_were_cut_off_leave_no_socket_open(
    scheme: str, autojump_clock: trio.testing.MockClock
) -> None:
    before = _open_files()
    async with (
        listening(_say_nothing) as site,
        fetcher(per_host=AT_ONCE, connections=2 * AT_ONCE) as fetch,
    ):
        await _many(lambda host: fetch.fetch(site.url(host=host, scheme=scheme)))
        await _until_all_left(site)
        left = _open_files() - before
    figure("F12", f"{TRIES} {scheme} fetches cut off: {max(0, left - 1)} sockets left")  # 1: the listener
    assert left <= 2
    assert site.connects == TRIES


async def _many(call: Callable[[str], Awaitable[object]]) -> None:
    """To hosts of their own: requests to one host share a connection as long as it may turn out to speak HTTP/2."""

    async def some(host: str) -> None:
        for _ in range(TRIES // AT_ONCE):
            with pytest.raises(FetchTimeout):
                await call(host)

    async with trio.open_nursery() as nursery:
        for number in range(AT_ONCE):
            nursery.start_soon(some, f"h{number}.test")


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def _until_all_left(site: Site) -> None:
    with trio.fail_after(5):
        while site.open:  # noqa: ASYNC110 what happens in the other task is what is waited for
            await trio.sleep(0.01)
