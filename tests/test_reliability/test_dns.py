"""F16: name servers that deny, fail or say nothing cost their own hosts seconds, and the work of others nothing."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import pytest
import trio
import trio.testing

from pipeline.errors import DnsFailed, NetworkDown
from stages.net import backend
from stages.net.backend import system_resolver
from stages.net.client import Fetcher
from tests.test_reliability.sizes import figure
from tests.unit.stages.net.site import fetcher

HOSTS = 100


@contextmanager
def _name_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The C library's look-up, answering as name servers do: "no such name", "failed", or nothing until it gives up."""
    over = threading.Event()

    def look_up(host: str, port: int) -> list[str]:
        if host.startswith("nxdomain"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if host.startswith("servfail"):
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        over.wait(60)
        return []

    monkeypatch.setattr(backend, "_look_up", look_up)
    try:
        yield
    finally:
        over.set()


async def _failing(fetch: Fetcher, host: str, seconds: list[float]) -> None:
    started = trio.current_time()
    with pytest.raises((DnsFailed, NetworkDown)) as caught:
        await fetch.fetch(f"http://{host}.test/")
    assert f"{host}.test" in caught.value.message
    assert caught.value.retryable
    seconds.append(trio.current_time() - started)


@asynccontextmanager
async def _all_at_once(kinds: Sequence[str], dns_seconds: float) -> AsyncIterator[list[float]]:
    """A hundred hosts whose names cannot be looked up, under way; at the end how long each took."""
    seconds: list[float] = []
    options = {"connections": HOSTS, "dns_seconds": dns_seconds}
    async with fetcher(system_resolver(), **options) as fetch, trio.open_nursery() as nursery:
        for number in range(HOSTS):
            nursery.start_soon(_failing, fetch, f"{kinds[number % len(kinds)]}{number}", seconds)
        yield seconds


async def _slowest_thread() -> float:
    """The longest that an unrelated piece of work waited for a thread."""
    slowest = 0.0
    for _ in range(50):
        started = time.perf_counter()
        await trio.to_thread.run_sync(lambda: None)
        slowest = max(slowest, time.perf_counter() - started)
    return slowest


@pytest.mark.parametrize("kinds", [("nxdomain",), ("servfail",), ("nxdomain", "servfail")])
async def test_names_that_do_not_exist_fail_at_once(kinds: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with _name_server(monkeypatch):
        async with _all_at_once(kinds, 5) as seconds:
            waited = await _slowest_thread()
    figure(
        "F16", f"{HOSTS} {'/'.join(kinds)}: slowest {max(seconds):.2f} s; other threads waited {waited * 1000:.1f} ms"
    )
    assert len(seconds) == HOSTS
    assert max(seconds) <= 5


@pytest.mark.slow  # what it measures is time, beside nothing else
@pytest.mark.parametrize("dns_seconds", [0.3, 5.0])
async def test_a_black_hole_costs_each_host_its_time_limit_and_others_nothing(
    dns_seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """32 look-ups hang in threads of their own (with the default 40 for everything, other work waited 2.9 s)."""
    with _name_server(monkeypatch):
        async with _all_at_once(("hole", "hole", "servfail"), dns_seconds) as seconds:
            await trio.testing.wait_all_tasks_blocked(0.05)
            waited = await _slowest_thread()
    figure(
        "F16",
        f"{HOSTS} with a black hole, limit {dns_seconds:g} s: slowest {max(seconds):.2f} s; "
        f"other threads waited {waited * 1000:.1f} ms",
    )
    assert len(seconds) == HOSTS
    assert max(seconds) <= dns_seconds + 0.5
    assert waited <= 0.1


async def test_a_resolver_that_never_answers_is_left_after_five_seconds(autojump_clock: trio.testing.MockClock) -> None:
    async def black_hole(host: str, port: int) -> Sequence[str]:
        await trio.sleep_forever()
        raise AssertionError

    seconds: list[float] = []
    async with fetcher(black_hole, connections=HOSTS) as fetch, trio.open_nursery() as nursery:
        for number in range(HOSTS):
            nursery.start_soon(_failing, fetch, f"host{number}", seconds)
    assert max(seconds) <= 5.01
