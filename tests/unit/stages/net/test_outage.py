"""When failures at several hosts are the network's, and when they are each host's own."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence

import pytest
import trio

from pipeline.errors import AtlasError, ConnectFailed, DnsFailed, NetworkDown
from stages.net.backend import GuardedBackend
from stages.net.outage import HOSTS, RETRY_SECONDS, WINDOW_SECONDS, Outage
from tests.unit.stages.net.site import answering, fetcher, listening, reply


def outage(*failed: tuple[str, float]) -> Outage:
    made = Outage("nothing works")
    for host, now in failed:
        made.failed(host, now)
    return made


def test_the_third_host_that_fails_says_that_the_network_is_down_and_when_to_ask_again() -> None:
    with pytest.raises(NetworkDown, match=r"nothing works, c\.org among others") as caught:
        outage(("a.org", 0), ("b.org", 1), ("c.org", 2))
    assert (caught.value.code, caught.value.retry_after) == ("network_down", RETRY_SECONDS)


def test_one_host_that_fails_again_and_again_is_its_own_trouble() -> None:
    outage(*[("a.org", now) for now in range(100)], ("b.org", 100))


def test_anything_that_works_clears_what_failed_before() -> None:
    made = outage(("a.org", 0), ("b.org", 1))
    made.worked()
    made.failed("c.org", 2)


def test_failures_far_apart_are_each_host_s_own() -> None:
    made = outage(("a.org", 0), ("b.org", WINDOW_SECONDS), ("c.org", WINDOW_SECONDS + 1))
    with pytest.raises(NetworkDown):
        made.failed("d.org", WINDOW_SECONDS + 2)


def test_no_more_hosts_are_remembered_than_decide() -> None:
    made = Outage("nothing works")
    for number in range(1000):
        try:
            made.failed(f"{number}.org", number)
        except NetworkDown:
            continue
    assert len(made._failed) == HOSTS


async def failures(resolve: object, count: int) -> list[type[AtlasError]]:
    """What the fetches of so many hosts end in, one after the other."""
    ended = []
    async with fetcher(resolve, dns_seconds=1) as fetch:
        for number in range(count):
            with pytest.raises(AtlasError) as caught:
                await fetch.fetch(f"http://host{number}.test/")
            ended.append(caught.type)
    return ended


async def test_a_name_server_that_fails_for_every_host_is_the_networks_trouble() -> None:
    async def dead(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    assert await failures(dead, 5) == [DnsFailed, DnsFailed, NetworkDown, NetworkDown, NetworkDown]


async def test_a_name_server_that_says_nothing_is_the_networks_trouble(autojump_clock: trio.testing.MockClock) -> None:
    async def silent(host: str, port: int) -> Sequence[str]:
        await trio.sleep_forever()
        raise AssertionError

    assert await failures(silent, 4) == [DnsFailed, DnsFailed, NetworkDown, NetworkDown]


async def test_names_that_are_not_there_are_answers_of_a_name_server_that_works() -> None:
    async def no_such_name(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    assert await failures(no_such_name, 6) == [DnsFailed] * 6


async def test_a_cable_that_is_pulled_is_the_networks_trouble_and_a_refusal_is_the_hosts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = errno.ENETUNREACH

    async def no_way(_self: GuardedBackend, host: str, address: str, port: int) -> trio.socket.SocketType:
        raise OSError(found, "no way")

    async def found_at_once(host: str, port: int) -> Sequence[str]:
        return ("127.0.0.1",)

    monkeypatch.setattr(GuardedBackend, "_connect", no_way)
    assert await failures(found_at_once, 4) == [ConnectFailed, ConnectFailed, NetworkDown, NetworkDown]
    found = errno.ECONNREFUSED
    assert await failures(found_at_once, 4) == [ConnectFailed] * 4


async def test_a_host_that_is_found_makes_the_failures_before_it_their_hosts_own() -> None:
    async def one_works(host: str, port: int) -> Sequence[str]:
        if host.startswith("works"):
            return ("127.0.0.1",)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    async with listening(answering(lambda _: reply(b"here"))) as site, fetcher(one_works) as fetch:
        for number in range(6):
            with pytest.raises(DnsFailed):
                await fetch.fetch(f"http://host{number}.test/")
            assert (await fetch.fetch(site.url(host=f"works{number}.test"))).content == b"here"
