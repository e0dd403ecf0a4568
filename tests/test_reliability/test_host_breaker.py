"""F17: a host that fails is left alone, asked by one probe, trusted again once it is well; a restart forgets nothing.

Real sockets and a real store; the clock is moved by hand.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from pipeline.breaker import BreakerState
from pipeline.errors import AtlasError, BreakerOpen, DnsFailed, FetchError
from pipeline.settings import BreakerSettings, DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.handle import Store, open_store
from stages.net.breakers import Breakers
from stages.net.client import Fetcher
from tests.store.hands import TestClock
from tests.test_reliability.sizes import figure
from tests.unit.stages.net.site import Request, fetcher, listening, reply, to_loopback


class Worker:
    """A worker's network: what it asks, and what it knows of hosts."""

    def __init__(self, store: Store, breakers: Breakers, fetch: Fetcher) -> None:
        self.store, self.breakers, self.fetch = store, breakers, fetch

    async def end_of(self, url: str) -> str:
        """The status of an answer, or the code of an error."""
        try:
            return str((await self.fetch.fetch(url)).status)
        except AtlasError as error:
            return error.code


@asynccontextmanager
async def started(folder: Path, clock: TestClock, **options: object) -> AsyncIterator[Worker]:
    settings = DatabaseSettings(), QueueSettings(), RetrySettings()
    async with open_store(*settings, folder=folder, clock=clock) as store:
        breakers = Breakers(store.breakers, BreakerSettings(), clock=clock)
        await breakers.load()
        async with fetcher(breakers=breakers, clock=clock, per_host=200, connections=200, **options) as fetch:
            yield Worker(store, breakers, fetch)


class Host:
    """Answers with `status`, or closes the connection when that is 0; waits for `free` before it does."""

    def __init__(self) -> None:
        self.status = 500
        self.free = trio.Event()
        self.free.set()
        self.at_once = self.most_at_once = 0

    async def handle(self, stream: trio.SocketStream, request: Request) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.free.wait()
            if self.status == 0:
                await stream.aclose()
            else:
                await stream.send_all(reply(b"page", status=self.status))
        finally:
            self.at_once -= 1


@pytest.mark.parametrize("status", [503, 0])
async def test_a_host_that_fails_is_left_alone_then_probed_by_one_and_trusted_after_two(
    status: int, tmp_path: Path
) -> None:
    host, clock = Host(), TestClock()
    host.status = status
    failed = "protocol" if status == 0 else str(status)
    async with listening(host.handle) as site, started(tmp_path, clock) as worker:
        assert [await worker.end_of(site.url(f"/{number}")) for number in range(5)] == [failed] * 5
        assert len(site.requests) == 5
        for _ in range(59):
            clock.pass_seconds(1)
            assert await worker.end_of(site.url()) == "breaker_open"
        assert len(site.requests) == 5  # none while it is open
        clock.pass_seconds(1.001)

        host.status, host.free = 200, trio.Event()
        await _one_of_a_hundred(worker, host, site.url())
        assert len(site.requests) == 6
        assert await worker.end_of(site.url()) == "200"
        assert await worker.store.breakers.all() == ()  # closed: nothing to remember
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(worker.end_of, site.url())
        assert len(site.requests) == 27
    figure("F17", f"{failed}: opened after 5, 0 of 59 let through while open, 1 of 100 as probe, closed after 2")


async def _one_of_a_hundred(worker: Worker, host: Host, url: str) -> None:
    """A hundred ask at once, half open: exactly one gets through, and while it is out nobody else does."""
    ends: list[str] = []
    host.most_at_once = 0

    async def ask() -> None:
        ends.append(await worker.end_of(url))

    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(ask)
        with trio.fail_after(10):
            while len(ends) < 99 or not host.at_once:
                await trio.lowlevel.checkpoint()
        host.free.set()
    assert sorted(ends) == ["200"] + ["breaker_open"] * 99
    assert host.most_at_once == 1


async def test_a_probe_that_fails_leaves_the_host_alone_for_twice_as_long(tmp_path: Path) -> None:
    host, clock = Host(), TestClock()
    async with listening(host.handle) as site, started(tmp_path, clock) as worker:
        for _ in range(5):
            await worker.end_of(site.url())
        waits = []
        for _ in range(8):
            with pytest.raises(BreakerOpen):
                await worker.fetch.fetch(site.url())
            waits.append(worker.breakers.wait_seconds(f"host:site.test:{site.port}"))
            clock.pass_seconds(waits[-1])
            assert await worker.end_of(site.url()) == "500"
        assert len(site.requests) == 5 + 8
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600]


async def test_a_restart_neither_closes_an_open_breaker_nor_loses_a_count(tmp_path: Path) -> None:
    host, clock = Host(), TestClock()
    async with listening(host.handle) as site:
        async with started(tmp_path, clock) as worker:
            for _ in range(3):
                await worker.end_of(site.url())
        async with started(tmp_path, clock) as worker:
            for _ in range(2):
                await worker.end_of(site.url())
        async with started(tmp_path, clock) as worker:
            clock.pass_seconds(59)
            assert await worker.end_of(site.url()) == "breaker_open"
            clock.pass_seconds(1)
            host.status, host.free = 200, trio.Event()
            async with trio.open_nursery() as nursery:  # its worker ends with the probe out
                nursery.start_soon(worker.end_of, site.url())
                await _until(lambda: host.at_once == 1)
                nursery.cancel_scope.cancel()
        host.free.set()
        async with started(tmp_path, clock) as worker:
            assert [await worker.end_of(site.url()) for _ in range(3)] == ["200"] * 3
            assert await worker.store.breakers.all() == ()


async def test_one_host_that_fails_closes_no_other_nor_another_port_of_its_own(tmp_path: Path) -> None:
    bad, good, clock = Host(), Host(), TestClock()
    good.status = 200
    async with listening(bad.handle) as site, listening(good.handle) as other, started(tmp_path, clock) as worker:
        for _ in range(6):
            last = await worker.end_of(site.url())
        assert last == "breaker_open"
        assert await worker.end_of(other.url()) == "200"
        assert await worker.end_of(other.url(host="elsewhere.test")) == "200"


async def test_a_redirect_to_a_host_that_is_left_alone_is_not_followed_there(tmp_path: Path) -> None:
    bad, clock = Host(), TestClock()
    async with listening(bad.handle) as broken:

        async def away(stream: trio.SocketStream, request: Request) -> None:
            await stream.send_all(reply(status=302, headers={"Location": broken.url(host="broken.test")}))

        async with listening(away) as site, started(tmp_path, clock) as worker:
            for _ in range(20):
                last = await worker.end_of(site.url())
            assert last == "breaker_open"
            assert len(broken.requests) == 5
            assert len(site.requests) == 20  # it answers: that it redirects to a broken one is not its fault


async def test_names_that_cannot_be_looked_up_open_only_their_own_breakers(tmp_path: Path) -> None:
    async def resolve(host: str, port: int) -> object:
        if host.startswith("dead"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return await to_loopback(host, port)

    host, clock = Host(), TestClock()
    host.status = 200
    async with listening(host.handle) as site, started(tmp_path, clock, resolver=resolve) as worker:
        for number in range(50):
            with pytest.raises(DnsFailed):
                await worker.fetch.fetch(f"http://dead{number}.test/")
        for _ in range(4):
            with contextlib.suppress(FetchError):
                await worker.fetch.fetch("http://dead0.test/")
        assert await worker.end_of("http://dead0.test/") == "breaker_open"
        assert await worker.end_of("http://dead1.test/") == "dns_failed"
        assert await worker.end_of(site.url()) == "200"
        known = {one.name for one in await worker.store.breakers.all() if one.state is BreakerState.OPEN}
        assert known == {"host:dead0.test"}


async def test_what_is_our_own_doing_opens_no_breaker(tmp_path: Path) -> None:
    async def handler(stream: trio.SocketStream, request: Request) -> None:
        match request.path:
            case "/large":
                await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
            case "/circle":
                await stream.send_all(reply(status=302, headers={"Location": "/circle"}))
            case "/inside":
                await stream.send_all(reply(status=302, headers={"Location": "http://10.0.0.1/"}))
            case "/silent":
                await trio.sleep_forever()
            case _:
                await stream.send_all(reply(status=404))

    clock = TestClock()
    async with listening(handler) as site, started(tmp_path, clock) as worker:
        for path, end in [
            ("/large", "too_large"),
            ("/circle", "redirect"),
            ("/inside", "address_denied"),
            ("/", "404"),
        ]:
            assert [await worker.end_of(site.url(path)) for _ in range(8)] == [end] * 8
        for _ in range(8):
            asked = len(site.requests)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(worker.end_of, site.url("/silent"))
                await _until(lambda asked=asked: len(site.requests) > asked)  # type: ignore[misc]
                nursery.cancel_scope.cancel()
        assert await worker.store.breakers.all() == ()
        assert await worker.end_of(site.url()) == "404"


async def _until(true: object) -> None:
    with trio.fail_after(10):
        while not true():  # type: ignore[operator]
            await trio.lowlevel.checkpoint()
