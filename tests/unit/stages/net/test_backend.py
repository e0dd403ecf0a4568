"""No name, spelling or trick leads a connection to an address that was not checked: a real listener counts."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence

import pytest
import trio

from pipeline.errors import AddressDenied, AtlasError, ConnectFailed, DnsFailed, FetchError
from stages.net import backend
from stages.net.backend import is_own, system_resolver
from stages.net.guard import Guard
from tests.unit.stages.net.site import answering, fetcher, listening, reply

# Each leads to loopback or a metadata service by some resolver, kernel or carrier.
LITERALS = """
127.0.0.1 127.1 127.0.1 127.127.127.127 127.255.255.254 2130706433 0x7f000001 0x7F.0.0.1 0x7f.1 0177.0.0.1 0177.1
017700000001 00000177.0.0.1 127.0.0.1. 0 0.0.0.0 00 0x0 0.0 localhost LOCALHOST localhost.
[::1] [::] [0:0:0:0:0:0:0:1] [0000::0001] [::ffff:127.0.0.1] [::ffff:7f00:1] [0:0:0:0:0:ffff:127.0.0.1] [::127.0.0.1]
[::ffff:0:127.0.0.1] [64:ff9b::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b::a9fe:a9fe] [64:ff9b:1::7f00:1] [2002:7f00:1::1]
[2002:7f00:1::] [2001:0:4136:e378:8000:63bf:80ff:fffe] [fe80::1] [fe80::1%25lo] [fec0::1] [fc00::1] [fd00::1] [ff02::1]
[2001:db8::1] [100::1] 169.254.169.254 2852039166 0xa9fea9fe 0251.0376.0251.0376 [::ffff:169.254.169.254]
10.0.0.1 192.168.0.1 172.16.0.1 100.64.0.1 192.0.0.8 192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1
239.255.255.255 240.0.0.1 255.255.255.255 0.0.0.1 100.100.100.200 user@127.0.0.1 example.com@127.0.0.1 [fd00:ec2::254]
""".split()  # noqa: SIM905 a table is easier to read
# Circled, full-width and ideographic: digits and dots that some resolvers fold.
LITERALS += [
    "\u2460\u2461\u2466.\u24ea.\u24ea.\u2460",
    "\uff11\uff12\uff17.\uff10.\uff10.\uff11",
    "127\u30020\u30020\u30021",
]


def test_there_are_at_least_sixty_literals() -> None:
    assert len(set(LITERALS)) >= 60


async def test_no_spelling_of_a_forbidden_address_connects() -> None:
    guarded = fetcher(system_resolver(), allow=(), dns_seconds=2, connect_seconds=2)
    async with listening(answering(lambda _: reply(b"secret"))) as site, guarded as fetch:
        for literal in LITERALS:
            with pytest.raises(AtlasError) as caught:
                await fetch.fetch(f"http://{literal}:{site.port}/")
            assert caught.value.code in {"address_denied", "dns_failed", "bad_url"}, literal
    assert site.connects == 0


async def test_a_name_that_changes_its_mind_after_the_check_is_not_followed() -> None:
    """Rebinding, a thousand tries: whatever the name says first or second, loopback is never dialled."""
    asked = 0

    async def rebinding(host: str, port: int) -> Sequence[str]:
        nonlocal asked
        asked += 1
        return ("203.0.113.7",) if asked % 2 else ("127.0.0.1",)

    guarded = fetcher(rebinding, allow=("203.0.113.0/24",), connect_seconds=0.002)
    async with listening(answering(lambda _: reply(b"secret"))) as site, guarded as fetch:
        for _ in range(1000):
            with pytest.raises(FetchError):
                await fetch.fetch(site.url())
    assert asked == 1000  # one look-up a fetch: there is no second one to lie to
    assert site.connects == 0


@pytest.mark.parametrize("answers", [("93.184.215.14", "127.0.0.1"), ("127.0.0.1", "2606:4700::1"), ("::1", "1.1.1.1")])
async def test_a_host_with_one_forbidden_address_among_public_ones_is_not_dialled(answers: tuple[str, ...]) -> None:
    async def mixed(host: str, port: int) -> Sequence[str]:
        return answers

    async with listening(answering(lambda _: reply())) as site, fetcher(mixed, allow=()) as fetch:
        with pytest.raises(AddressDenied, match=r"site\.test"):
            await fetch.fetch(site.url())
    assert site.connects == 0


async def test_the_next_address_is_tried_when_one_refuses(free_port: int) -> None:
    async def two(host: str, port: int) -> Sequence[str]:
        return ("127.0.0.2", "127.0.0.1")

    async with listening(answering(lambda _: reply(b"here"))) as site, fetcher(two) as fetch:
        assert (await fetch.fetch(site.url())).content == b"here"
        with pytest.raises(ConnectFailed) as caught:
            await fetch.fetch(f"http://site.test:{free_port}/")
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


async def test_an_other_end_that_is_not_the_checked_address_is_left() -> None:
    """The peer is asked again after connecting, in case something between the check and the wire was redirected."""
    made = backend.GuardedBackend(Guard(["127.0.0.0/8"]), system_resolver(), dns_seconds=1)
    made._check_peer("a.test", "127.0.0.1", "127.0.0.1")
    for peer in ("127.0.0.2", "10.0.0.1"):
        with pytest.raises(AddressDenied):
            made._check_peer("a.test", "127.0.0.1", peer)


def test_the_addresses_of_this_machine_are_known() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no route to anywhere")
        own = probe.getsockname()[0]
    assert is_own(own, 7444)
    assert is_own("127.0.0.1", 7444)
    assert not is_own("192.0.2.1", 7444)


async def test_this_machine_is_not_fetched_from_by_its_public_address(monkeypatch: pytest.MonkeyPatch) -> None:
    async def public(host: str, port: int) -> Sequence[str]:
        return ("93.184.215.14",)

    monkeypatch.setattr(backend, "is_own", lambda address, port: address == "93.184.215.14")
    async with fetcher(public, allow=()) as fetch:
        with pytest.raises(AddressDenied, match="this machine itself"):
            await fetch.fetch("http://me.test:7444/api/v1/items")


async def test_a_name_without_an_answer_fails_at_its_deadline(autojump_clock: trio.testing.MockClock) -> None:
    async def black_hole(host: str, port: int) -> Sequence[str]:
        await trio.sleep_forever()
        raise AssertionError

    started = trio.current_time()
    async with fetcher(black_hole, connections=128) as fetch, trio.open_nursery() as nursery:

        async def one(number: int) -> None:
            with pytest.raises(DnsFailed):
                await fetch.fetch(f"http://host{number}.test/")

        for number in range(100):
            nursery.start_soon(one, number)
    assert trio.current_time() - started <= 5.01


@pytest.mark.parametrize("error", [socket.gaierror(-2, "Name or service not known"), UnicodeError("label too long")])
async def test_a_name_that_does_not_exist_keeps_the_resolvers_reason(error: Exception) -> None:
    async def missing(host: str, port: int) -> Sequence[str]:
        raise error

    async with fetcher(missing) as fetch:
        with pytest.raises(DnsFailed) as caught:
            await fetch.fetch("http://gone.test/")
    assert caught.value.__cause__ is error
    assert "gone.test" in caught.value.message


async def test_dead_look_ups_do_not_hold_up_other_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default 40 threads stay free while every look-up thread is stuck (2.9 s with one shared limiter)."""
    import threading

    release = threading.Event()

    def stuck(host: str, port: int) -> list[str]:
        release.wait(10)
        return []

    monkeypatch.setattr(backend, "_look_up", stuck)
    try:
        async with fetcher(system_resolver(), dns_seconds=0.2) as fetch, trio.open_nursery() as nursery:

            async def one(number: int) -> None:
                with pytest.raises(DnsFailed):
                    await fetch.fetch(f"http://host{number}.test/")

            for number in range(60):
                nursery.start_soon(one, number)
            started = time.monotonic()
            for _ in range(20):
                await trio.to_thread.run_sync(lambda: None)
            assert time.monotonic() - started < 2
    finally:
        release.set()


async def test_a_unix_socket_is_never_dialled() -> None:
    made = backend.GuardedBackend(Guard(), system_resolver(), dns_seconds=1)
    with pytest.raises(Exception, match="local socket"):
        await made.connect_unix_socket("/run/anything.sock")
