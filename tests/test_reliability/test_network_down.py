"""The network itself is down for hours: items wait, nobody is asked about them in vain, and none is buried for it."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from pipeline.items import Item
from pipeline.lifecycle import State
from pipeline.settings import BreakerSettings
from stages.acquire import Acquire
from stages.fallback.chain import Chain
from stages.fallback.falling import FallingBack
from stages.fallback.provider import Copy, Sought
from stages.net.breakers import Breakers
from stages.settings import AcquireSettings, FallbackSettings
from tests.flow.conftest import Bench, FakeClock, advance
from tests.flow.conftest import bench as _bench
from tests.flow.conftest import queue_settings as _queue_settings
from tests.store.hands import page
from tests.test_reliability.sizes import figure, size
from tests.unit.stages.net.conftest import autojump_clock as _autojump_clock
from tests.unit.stages.net.site import Site, answering, fetcher, listening, reply

pytestmark = pytest.mark.fault

autojump_clock, bench, queue_settings = _autojump_clock, _bench, _queue_settings

ITEMS, HOSTS = 200, 60
DOWN_SECONDS = size("OUTAGE_SECONDS", small=1200, full=7200)


class Names:
    """A resolver: while it is down every look-up fails after three seconds, and later only those of `dead`."""

    def __init__(self, *dead: str) -> None:
        self.up = False
        self.dead = dead

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        if not self.up or host in self.dead:
            await trio.sleep(3)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return ("127.0.0.1",)


class NoCopies:
    """A provider that has nothing; counts who asks."""

    name = "wayback"
    is_third_party = True

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def find(self, sought: Sought) -> Copy | None:
        self.asked.append(sought.url)
        return None


@asynccontextmanager
async def running(bench: Bench, names: Names, provider: NoCopies) -> AsyncIterator[Site]:
    """A line that fetches in earnest, by `names`, until the block ends."""
    breakers = Breakers(bench.store.breakers, BreakerSettings(), clock=FakeClock())
    async with listening(answering(lambda _: reply(b"a page"))) as site, fetcher(names, breakers=breakers) as fetch:
        falling = FallingBack(Chain([provider], breakers), ask_seconds=40.0, patience_seconds=600.0)
        acquire = Acquire(AcquireSettings(give_up_days=0), fetch, fallback=FallbackSettings(), falling=falling)
        bench.build({100: acquire.handle, 300: advance}, slots=32, deadline=90.0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bench.run, 10 * DOWN_SECONDS)
            yield site
            nursery.cancel_scope.cancel()


async def save(bench: Bench, urls: Sequence[str]) -> list[str]:
    uids = [(await bench.store.items.accept(page(url))).uid for url in urls]
    assert bench.line is not None
    bench.line.dispatcher.ring()
    return uids


async def items(bench: Bench, uids: Sequence[str]) -> list[Item]:
    return [await bench.store.items.get(uid) for uid in uids]


async def test_hours_without_a_network_bury_nothing_and_ask_no_provider(
    bench: Bench, autojump_clock: MockClock
) -> None:
    names, provider = Names(), NoCopies()
    async with running(bench, names, provider) as site:
        uids = await save(bench, [site.url(f"/{n}", host=f"host{n % HOSTS}.org") for n in range(ITEMS)])
        await trio.sleep(DOWN_SECONDS)
        meanwhile = await items(bench, uids)
        assert {item.state for item in meanwhile} <= {State.WAITING, State.READY, State.LEASED}
        assert {item.reason.code for item in meanwhile if item.reason} == {"network_down"}
        assert provider.asked == []
        # Of the first two hosts nobody can know yet; what they cost is one attempt at most.
        tried = [item for item in meanwhile if item.attempts]
        assert {item.attempts for item in tried} <= {1}
        assert len({item.url.split("/")[2] for item in tried if item.url}) <= 2
        assert len([each for each in await bench.store.breakers.all() if each.state != "closed"]) == 0
        names.up = True
        await trio.sleep(300)
        assert {item.state for item in await items(bench, uids)} == {State.DONE}
        assert provider.asked == []
    figure(
        "network",
        f"{ITEMS} items of {HOSTS} hosts, no name server for {DOWN_SECONDS} s: 0 buried, 0 providers asked,"
        f" {len(tried)} with an attempt (of the first two hosts); all done within 300 s after",
    )


async def test_one_dead_host_has_its_attempts_and_its_end_while_others_work(
    bench: Bench, autojump_clock: MockClock
) -> None:
    names, provider = Names("dead.org"), NoCopies()
    names.up = True
    async with running(bench, names, provider) as site:
        (dead,) = await save(bench, [site.url("/", host="dead.org")])
        others = []
        for number in range(60):
            others += await save(bench, [site.url(f"/{number}", host=f"host{number}.org")])
            await trio.sleep(60)
        (ended,) = await items(bench, [dead])
        assert ended.state is State.DEAD
        assert ended.reason is not None
        assert ended.reason.code in {"dns_failed", "breaker_open"}
        assert provider.asked == [site.url("/", host="dead.org")]
        assert {item.state for item in await items(bench, others)} == {State.DONE}
