"""S1, S2, S3: no spelling, redirect or name server leads a connection inside; real listeners count who connects.

The table of addresses itself is in tests/unit/stages/net/test_guard.py.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from pipeline.errors import AddressDenied, AtlasError, FetchError, RedirectRefused
from stages.acquire import Acquire
from stages.net import backend
from stages.net.backend import is_own, system_resolver
from stages.settings import AcquireSettings
from tests.test_reliability.sizes import figure, size
from tests.unit.stages.fake_context import FakeContext, a_claim, an_item
from tests.unit.stages.net.site import Request, Site, answering, fetcher, listening, reply

TRIES = size("TRIES", small=200, full=1000)

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


def _own_addresses() -> set[str]:
    """What this machine is reached at from outside, as far as its routes tell."""
    found = set()
    for family, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with socket.socket(family, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
            probe.connect((elsewhere, 9))
            found.add(str(probe.getsockname()[0]))
    return found


@asynccontextmanager
async def _everywhere() -> AsyncIterator[tuple[Site, ...]]:
    """Listeners on one port of all addresses of this machine, loopback and others, of both families."""
    async with AsyncExitStack() as stack:
        handler = answering(lambda _: reply(b"secret"))
        sites = [await stack.enter_async_context(listening(handler, host="0.0.0.0"))]
        with contextlib.suppress(ExceptionGroup, OSError):  # a machine without IPv6
            sites.append(await stack.enter_async_context(listening(handler, host="::", port=sites[0].port)))
        yield tuple(sites)


async def test_no_spelling_of_a_forbidden_address_connects() -> None:
    guarded = fetcher(system_resolver(), allow=(), dns_seconds=2, connect_seconds=2)
    own = [f"[{address}]" if ":" in address else address for address in _own_addresses()]
    async with _everywhere() as sites, guarded as fetch:
        for literal in LITERALS + own:
            with pytest.raises(AtlasError) as caught:
                await fetch.fetch(f"http://{literal}:{sites[0].port}/")
            assert caught.value.code in {"address_denied", "dns_failed", "bad_url"}, literal
        connects = sum(site.connects for site in sites)
    figure("S1", f"{len(set(LITERALS))} spellings and {len(own)} addresses of this machine: {connects} connects")
    assert connects == 0


async def test_the_listeners_would_have_seen_it() -> None:
    """The same spellings lead there once they are allowed: otherwise the test above could not fail."""
    async with _everywhere() as sites, fetcher(system_resolver(), allow=("127.0.0.0/8", "::1/128")) as fetch:
        for literal in ("127.0.0.1", "127.1", "2130706433", "0x7f000001", "[::ffff:127.0.0.1]"):
            assert (await fetch.fetch(f"http://{literal}:{sites[0].port}/")).content == b"secret"
        assert sites[0].connects >= 1


async def test_a_name_that_changes_its_mind_after_the_check_is_not_followed() -> None:
    """Rebinding: whatever the name says first or second, loopback is never dialled."""
    asked = 0

    async def rebinding(host: str, port: int) -> Sequence[str]:
        nonlocal asked
        asked += 1
        return ("203.0.113.7",) if asked % 2 else ("127.0.0.1",)

    guarded = fetcher(rebinding, allow=("203.0.113.0/24",), connect_seconds=0.002)
    async with listening(answering(lambda _: reply(b"secret"))) as site, guarded as fetch:
        for _ in range(TRIES):
            with pytest.raises(FetchError):
                await fetch.fetch(site.url())
    assert asked == TRIES  # one look-up a fetch: there is no second one to lie to
    figure("S3", f"{TRIES} rebindings: {asked} look-ups, {site.connects} connects")
    assert site.connects == 0


@pytest.mark.parametrize("answers", [("93.184.215.14", "127.0.0.1"), ("127.0.0.1", "2606:4700::1"), ("::1", "1.1.1.1")])
async def test_a_host_with_one_forbidden_address_among_public_ones_is_not_dialled(answers: tuple[str, ...]) -> None:
    async def mixed(host: str, port: int) -> Sequence[str]:
        return answers

    async with listening(answering(lambda _: reply())) as site, fetcher(mixed, allow=()) as fetch:
        with pytest.raises(AddressDenied, match=r"site\.test"):
            await fetch.fetch(site.url())
    assert site.connects == 0


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


INSIDE = ["http://169.254.169.254/latest/meta-data/", "http://localhost:PORT/", "http://[::1]:PORT/", "http://127.0.0.2:PORT/", "//127.1:PORT/", "http://2130706434:PORT/", "https://10.0.0.1/", "http://[::ffff:127.0.0.2]:PORT/"]  # fmt: skip  # noqa: E501


def _redirects(table: dict[str, str], status: int = 302) -> Callable[[Request], bytes]:
    def answer(request: Request) -> bytes:
        where = table.get(request.path)
        return reply(b"end") if where is None else reply(status=status, headers={"Location": where})

    return answer


@pytest.mark.parametrize("where", ["file:///etc/passwd", "gopher://a.test:70/_x", "ftp://a.test/", "javascript:alert(1)", "data:text/html,x", "http://", "http://[", "dict://127.0.0.1:11211/stat", ""])  # fmt: skip  # noqa: E501
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_something_else_than_http_is_refused(where: str, status: int) -> None:
    async with listening(answering(_redirects({"/": where}, status))) as site, fetcher() as fetch:
        with pytest.raises(RedirectRefused):
            await fetch.fetch(site.url())


@pytest.mark.parametrize("where", INSIDE)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_each_hop_is_checked_again(where: str, status: int) -> None:
    """Only 127.0.0.1 is listed; the redirect leads to another forbidden place, where somebody listens."""

    async with listening(answering(lambda _: reply(b"secret")), host="127.0.0.2") as inner:
        target = where.replace("PORT", str(inner.port))
        guarded = fetcher(_two_places, allow=("127.0.0.1/32",))
        async with listening(answering(_redirects({"/": target}, status))) as site, guarded as fetch:
            with pytest.raises(AddressDenied):
                await fetch.fetch(site.url())
    assert inner.connects == 0


@pytest.mark.parametrize("where", [*INSIDE, "file:///etc/passwd", "gopher://127.0.0.2:PORT/_x"])
async def test_a_meta_refresh_is_checked_like_any_hop(where: str) -> None:
    async with listening(answering(lambda _: reply(b"secret")), host="127.0.0.2") as inner:
        target = where.replace("PORT", str(inner.port))
        page = f'<meta http-equiv="refresh" content="0; url={target}">'.encode()
        said = reply(page, headers={"Content-Type": "text/html"})
        guarded = fetcher(_two_places, allow=("127.0.0.1/32",))
        async with listening(answering(lambda _: said)) as site, guarded as fetch:
            acquire = Acquire(AcquireSettings(), fetch)
            with pytest.raises((AddressDenied, RedirectRefused)):
                await acquire.handle(a_claim(an_item(site.url())), FakeContext())
    assert inner.connects == 0


async def test_not_even_the_fifth_hop_leads_inside_and_there_is_no_sixth() -> None:
    async with listening(answering(lambda _: reply(b"secret")), host="127.0.0.2") as inner:
        table = {f"/{number}": f"/{number + 1}" for number in range(9)}
        guarded = fetcher(_two_places, allow=("127.0.0.1/32",))
        async with listening(answering(_redirects(table))) as site, guarded as fetch:
            with pytest.raises(RedirectRefused, match="more than 5"):
                await fetch.fetch(site.url("/0"))
            assert len(site.requests) == 6
            table["/4"] = f"http://127.0.0.2:{inner.port}/"
            with pytest.raises(AddressDenied):
                await fetch.fetch(site.url("/0"))
    assert inner.connects == 0


async def _two_places(host: str, port: int) -> Sequence[str]:
    return {"site.test": ("127.0.0.1",), "localhost": ("::1", "127.0.0.2")}.get(host, ("127.0.0.2",))


async def test_credentials_and_cookies_do_not_cross_hosts_and_nothing_is_remembered() -> None:
    def answer(request: Request) -> bytes:
        if request.path == "/end":
            return reply(b"end", headers={"Set-Cookie": "late=1"})
        where = "/next" if request.path == "/" else f"http://user:word@other.test:{site.port}/end"
        return reply(status=302, headers=[("Location", where), ("Set-Cookie", "session=1; Path=/")])

    own = {"Authorization": "Bearer x", "Cookie": "a=b", "X-Api-Key": "k", "If-None-Match": '"e"', "Accept": "text/*"}
    async with listening(answering(answer)) as site, fetcher() as fetch:
        answer_ = await fetch.fetch(site.url("/").replace("site.test", "me:secret@site.test"), headers=own)
        await fetch.fetch(site.url("/end"))
    first, second, third, fourth = (request.headers for request in site.requests)
    assert first["authorization"] == second["authorization"] == "Bearer x"
    assert not {"authorization", "cookie", "x-api-key", "if-none-match"} & set(third)
    assert third["accept"] == "text/*"
    assert not {"cookie", "authorization"} & set(fourth)
    assert "@" not in answer_.url + answer_.final_url


async def test_a_browsers_headers_go_along_to_another_host_and_nothing_secret_does() -> None:
    """What the `browser` provider sends instead of our own, and what a site could have been given."""
    browser = {"User-Agent": "Mozilla/5.0", "Accept-Language": "en", "Sec-Fetch-Mode": "navigate", "Sec-CH-UA": "x"}
    secret = {"Authorization": "Bearer x", "Cookie": "a=b", "Proxy-Authorization": "y", "Referer": "http://site.test/p"}

    def answer(request: Request) -> bytes:
        where = {"Location": f"http://other.test:{site.port}/end"}
        return reply(b"end") if request.path == "/end" else reply(status=301, headers=where)

    async with listening(answering(answer)) as site, fetcher() as fetch:
        await fetch.fetch(site.url(), headers=browser | secret)
    first, second = (request.headers for request in site.requests)
    for name, value in browser.items():
        assert first[name.lower()] == second[name.lower()] == value
    for name, value in secret.items():
        assert first[name.lower()] == value
        assert name.lower() not in second
