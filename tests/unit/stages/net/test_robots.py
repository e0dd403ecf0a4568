"""robots.txt over real sockets: what it lets us fetch, when it cannot be had, and what it may cost."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import trio
import trio.testing

from pipeline import errors
from stages.net import robots as module
from stages.net.client import Fetcher
from stages.net.robots import Robots, groups_for
from tests.unit.stages.net.site import Request, answering, fetcher, listening, reply

AGENT = "Atlas/0.1 (self-hosted read-later; fetches pages its owner saved)"


class HandClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def wall_ms(self) -> int:
        return 1_795_435_200_000

    def monotonic(self) -> float:
        return self.seconds


def robots(fetch: Fetcher, clock: HandClock | None = None) -> Robots:
    return Robots(fetch, agent=AGENT, clock=clock or HandClock())


def saying(text: str) -> Callable[[Request], bytes]:
    return lambda request: reply(text.encode() if request.path == "/robots.txt" else b"page")


async def denied(rules: Robots, url: str) -> bool:
    try:
        await rules.check(url)
    except errors.RobotsDenied:
        return True
    return False


@pytest.mark.parametrize(
    ("text", "path", "is_denied"),
    [
        ("", "/a", False),
        ("User-agent: *\nDisallow:", "/a", False),
        ("User-agent: *\nDisallow: /", "/a", True),
        ("User-agent: *\nDisallow: /", "/robots.txt", False),
        ("User-agent: *\nDisallow: /a\nAllow: /a/b", "/a/b/c", False),  # the longest rule wins
        ("User-agent: *\nAllow: /a\nDisallow: /a", "/a", False),  # and of two as long, the one that allows
        ("User-agent: *\nDisallow: /\n\nUser-agent: atlas\nAllow: /", "/a", False),  # our own group alone counts
        ("User-agent: other\nUser-agent: ATLAS/2.0\nDisallow: /x", "/x", True),
        ("User-agent: atlas\nDisallow: /x\nUser-agent: other\nDisallow: /y", "/y", False),
        (
            "User-agent: atlas\nDisallow: /x\nUser-agent: other\nDisallow: /z\nUser-agent: atlas\nDisallow: /y",
            "/y",
            True,
        ),
        ("User-agent: other\nDisallow: /", "/a", False),
        ("User-agent: atlasses\nDisallow: /", "/a", False),
        ("User-agent: *\nSitemap: https://a.test/s\nDisallow: /x  # not there", "/x", True),
        ("User-agent: *\nDisallow: /*.pdf$", "/a/b.pdf", True),
        ("User-agent: *\nDisallow: /*.pdf$", "/a/b.pdf?x", False),
        ("User-agent: *\nDisallow: /caf%C3%A9", "/café", True),
        ("\ufeffUser-agent: *\r\nDisallow: /x", "/x", True),
        ("<html>Not found</html>", "/a", False),
        ("\0\xff: garbage\n\n::::\nDisallow: /", "/a", False),
    ],
)
async def test_rules_are_read_as_the_rfc_says(text: str, path: str, is_denied: bool) -> None:
    async with listening(answering(saying(text))) as site, fetcher() as fetch:
        assert await denied(robots(fetch), site.url(path)) is is_denied
    assert [request.path for request in site.requests] == ["/robots.txt"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
async def test_where_there_is_no_robots_txt_all_is_allowed(status: int) -> None:
    async with listening(answering(lambda _: reply(b"Disallow: /", status=status))) as site, fetcher() as fetch:
        assert not await denied(robots(fetch), site.url("/a"))


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_server_that_is_ill_is_waited_for(status: int) -> None:
    async with listening(answering(lambda _: reply(status=status))) as site, fetcher() as fetch:
        with pytest.raises(errors.HttpStatus) as caught:
            await robots(fetch).check(site.url("/a"))
    assert caught.value.retryable


async def test_a_host_that_cannot_be_reached_is_waited_for(free_port: int) -> None:
    async with fetcher() as fetch:
        with pytest.raises(errors.ConnectFailed):
            await robots(fetch).check(f"http://site.test:{free_port}/a")


async def test_redirects_are_followed_and_one_that_leads_nowhere_allows() -> None:
    def answer(request: Request) -> bytes:
        match request.path:
            case "/robots.txt" if request.headers["host"].startswith("site."):
                return reply(status=301, headers={"Location": f"http://other.test:{site.port}/elsewhere"})
            case "/robots.txt":
                return reply(status=301, headers={"Location": "file:///etc/passwd"})
            case _:
                return reply(b"User-agent: *\nDisallow: /")

    async with listening(answering(answer)) as site, fetcher() as fetch:
        assert await denied(robots(fetch), site.url("/a"))
        assert not await denied(robots(fetch), site.url("/a", host="lost.test"))


async def test_many_that_ask_at_once_cost_one_request_a_day() -> None:
    clock = HandClock()
    async with listening(answering(saying("User-agent: *\nDisallow: /x"))) as site, fetcher(per_host=50) as fetch:
        rules, answers = robots(fetch, clock), []

        async def ask(path: str) -> None:
            answers.append(await denied(rules, site.url(path)))

        async with trio.open_nursery() as nursery:
            for number in range(50):
                nursery.start_soon(ask, "/x" if number % 2 else "/y")
        assert sorted(answers) == [False] * 25 + [True] * 25
        assert len(site.requests) == 1
        clock.seconds += 86_401
        await rules.check(site.url("/y"))
        assert len(site.requests) == 2


async def test_those_that_wait_share_a_failure_and_go_on_when_the_one_that_asks_is_cancelled() -> None:
    held, failing = trio.Event(), True

    async def handler(stream: trio.SocketStream, request: Request) -> None:
        await held.wait()
        await stream.send_all(reply(status=500) if failing else reply(b""))

    async with listening(handler) as site, fetcher(per_host=50) as fetch:
        rules, failed, went = robots(fetch), 0, 0

        async def ask() -> None:
            nonlocal failed, went
            try:
                await rules.check(site.url("/a"))
                went += 1
            except errors.HttpStatus:
                failed += 1

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(ask)
            while not site.requests:
                await trio.lowlevel.checkpoint()
            held.set()
        assert (failed, len(site.requests)) == (10, 1)
        held, failing = trio.Event(), False
        first = trio.CancelScope()

        async def give_up() -> None:
            with first:
                await ask()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(give_up)
            while len(site.requests) < 2:
                await trio.lowlevel.checkpoint()
            nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            first.cancel()
            held.set()
        assert (failed, went) == (10, 1)


async def test_crawl_delay_slows_and_is_capped(autojump_clock: trio.testing.MockClock) -> None:
    async with listening(answering(saying("User-agent: *\nCrawl-delay: 2"))) as site, fetcher() as fetch:
        rules = robots(fetch)
        await rules.check(site.url("/a"))
        started = trio.current_time()
        await rules.check(site.url("/b"))
        assert trio.current_time() - started == pytest.approx(2, abs=0.2)
    async with listening(answering(saying("User-agent: *\nCrawl-delay: 86400"))) as site, fetcher() as fetch:
        rules = robots(fetch)
        await rules.check(site.url("/a"))
        with pytest.raises(errors.RateLimited) as caught:
            await rules.check(site.url("/b"))
        assert 29 < caught.value.retry_after <= 60


async def test_what_follows_half_a_megabyte_is_as_if_it_were_not_there() -> None:
    head = "User-agent: *\nDisallow: /x\n" + "# long\n" * 80_000
    async with listening(answering(saying(head + "Disallow: /y\n"))) as site, fetcher() as fetch:
        rules = robots(fetch)
        assert await denied(rules, site.url("/x"))
        assert not await denied(rules, site.url("/y"))


async def test_the_sites_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_SITES", 5)
    async with listening(answering(saying("User-agent: *\nDisallow: /x"))) as site, fetcher() as fetch:
        rules = robots(fetch)
        for number in range(12):
            await rules.check(site.url("/a", host=f"h{number}.test"))
        assert len(rules) == 5
        monkeypatch.setattr(module, "KEPT_BYTES", 60)
        await rules.check(site.url("/a", host="last.test"))
        assert len(rules) == 2


def test_a_file_made_to_multiply_agents_by_rules_stays_small() -> None:
    """The library alone took 1 GB and half a minute for it."""
    agents = "".join(f"User-agent: a{number}\nuser  agent b{number}\n" for number in range(8_000))
    hostile = (agents + "Disallow: /x\n" * 8_000)[: module.READ_BYTES]
    started = time.process_time()
    assert groups_for("atlas", hostile) == ""
    assert groups_for("atlas", "User-agent: *\n" + hostile).count("\n") <= 8_000
    assert time.process_time() - started < 1
