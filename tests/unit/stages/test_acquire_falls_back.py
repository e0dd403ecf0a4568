"""When acquire looks for a page elsewhere, when it waits, whom it never asks; and fetching again what may not have
changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from pipeline.documents import Document
from pipeline.effects import SetVerdict
from pipeline.errors import (
    AddressDenied,
    AtlasError,
    BodyTooLarge,
    BreakerOpen,
    ConnectFailed,
    DnsFailed,
    FetchTimeout,
    HttpStatus,
    ProtocolBroken,
    RateLimited,
    RedirectRefused,
    RobotsDenied,
    TlsFailed,
)
from pipeline.items import Capture, Reason
from pipeline.lifecycle import Stage, Verdict
from pipeline.settings import BreakerSettings
from pipeline.work import Advance, Bury, Claim, Divert, Outcome, Retry
from stages.acquire import Acquire
from stages.fallback.chain import Chain
from stages.fallback.falling import FallingBack
from stages.fallback.provider import Copy, Sought
from stages.net.breakers import Breakers
from stages.net.client import Response
from stages.settings import AcquireSettings, FallbackSettings
from tests.unit.stages.fake_context import NOW_MS, FakeContext, a_capture, a_claim, an_item
from tests.unit.stages.net.site import answering, fetcher, listening, reply
from tests.unit.stages.net.test_breakers import HandClock, Notebook
from tests.unit.stages.samples import DOCUMENT

URL = "https://example.org/a"
DEAD = SetVerdict(verdict=Verdict.DEAD_LINK, evidence="HTTP 404")


class Web:
    """Answers every fetch with what the test says, and remembers what was asked and with which headers."""

    def __init__(self, said: int | AtlasError, *, retry_after: float | None = None) -> None:
        self._said = said
        self._retry_after = retry_after
        self.asked: list[Mapping[str, str]] = []

    async def fetch(self, url: str, *, headers: Mapping[str, str] | None = None, hops: int = 0) -> Response:
        self.asked.append(headers or {})
        if isinstance(self._said, AtlasError):
            raise self._said
        return Response(
            url=url,
            final_url=url,
            status=self._said,
            media_type="text/html",
            charset="utf-8",
            content=b"<p>text",
            retry_after=self._retry_after,
        )


class Elsewhere:
    """A provider that is never asked in these tests: acquire only decides."""

    name = "wayback"
    is_third_party = True

    async def find(self, sought: Sought) -> Copy | None:
        raise AssertionError


def falling(*, told: bool = False) -> FallingBack:
    breakers = Breakers(Notebook(), BreakerSettings(), clock=HandClock())
    return FallingBack(Chain([Elsewhere()], breakers, ask_about_private=told), ask_seconds=9.0, patience_seconds=3600.0)


def claimed(url: str = URL, *, attempts: int = 0, waited: float = 0.0, **changes: Any) -> Claim:
    claim = a_claim(an_item(url), attempts=attempts)
    return msgspec.structs.replace(claim, entered_at=NOW_MS - round(waited * 1000), **changes)


async def handled(web: Web, claim: Claim | None = None, ctx: FakeContext | None = None) -> Outcome:
    acquire = Acquire(AcquireSettings(), web, fallback=FallbackSettings(direct_attempts=3), falling=falling())
    return await acquire.handle(claim or claimed(), ctx or FakeContext())


async def is_retried(web: Web, claim: Claim) -> bool:
    """Whether it says so, or raises what the actor makes a retry of."""
    try:
        return isinstance(await handled(web, claim), Retry)
    except AtlasError as error:
        return error.retryable


@pytest.mark.parametrize("status", [404, 410, 451])
async def test_a_page_that_is_gone_is_looked_for_elsewhere_at_once_as_a_dead_link(status: int) -> None:
    ctx = FakeContext()
    outcome = await handled(Web(status), ctx=ctx)
    assert isinstance(outcome, Divert)
    assert (outcome.stage, outcome.spent) == (Stage.FALLING_BACK, ())
    assert outcome.effects == (SetVerdict(verdict=Verdict.DEAD_LINK, evidence=f"HTTP {status}"),)
    assert outcome.reason.detail == f"HTTP {status}"
    assert ctx.codes == [120, 130]


@pytest.mark.parametrize("said", [400, 401, 403, 406, RedirectRefused("in a circle")])
async def test_what_would_be_refused_again_is_looked_for_elsewhere_at_once(said: int | AtlasError) -> None:
    outcome = await handled(Web(said))
    assert isinstance(outcome, Divert)
    assert outcome.effects == ()


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 408])
async def test_a_refusal_that_may_pass_is_tried_again_some_times_before_others_are_asked(status: int) -> None:
    outcomes = [await handled(Web(status), claimed(attempts=attempts)) for attempts in range(3)]
    assert [type(outcome) for outcome in outcomes] == [Retry, Retry, Divert]


@pytest.mark.parametrize(
    "error",
    [
        FetchTimeout("slow"),
        ConnectFailed("down"),
        DnsFailed("no such name"),
        TlsFailed("expired"),
        ProtocolBroken("nonsense"),
        HttpStatus("robots.txt", status=503),
    ],
    ids=lambda one: one.code,
)
async def test_a_failure_that_may_pass_is_tried_again_some_times_before_others_are_asked(error: AtlasError) -> None:
    for attempts in range(2):
        assert await is_retried(Web(error), claimed(attempts=attempts))
    third = await handled(Web(error), claimed(attempts=2))
    assert isinstance(third, Divert)
    assert (third.reason.code, third.reason.detail) == (error.code, error.message)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("attempts", [0, 5])
async def test_a_site_that_names_a_time_is_waited_for(status: int, attempts: int) -> None:
    outcome = await handled(Web(status, retry_after=120.0), claimed(attempts=attempts))
    assert isinstance(outcome, Retry)
    assert (outcome.after, outcome.costs_attempt) == (120.0, False)


@pytest.mark.parametrize(
    "error", [AddressDenied("private"), BodyTooLarge("big"), RobotsDenied("keep out")], ids=lambda one: one.code
)
async def test_what_is_our_own_refusal_is_told_to_nobody(error: AtlasError) -> None:
    with pytest.raises(type(error)):
        await handled(Web(error), claimed(attempts=5))


OPEN = BreakerOpen("example.org is left alone", name="host:example.org", retry_after=7200.0)


async def test_a_host_that_is_left_alone_is_waited_for_as_long_as_patience_lasts_at_no_cost() -> None:
    ctx = FakeContext()
    outcome = await handled(Web(OPEN), claimed(attempts=5, waited=3000), ctx)
    assert isinstance(outcome, Retry)
    assert (outcome.after, outcome.costs_attempt) == (600.0, False)
    assert outcome.reason.code == "breaker_open"
    assert [(step.code, step.error) for step in ctx.steps] == [(120, None), (130, "breaker_open")]
    assert isinstance(await handled(Web(OPEN), claimed(waited=3601)), Divert)


async def test_where_nobody_else_can_be_asked_a_host_that_is_left_alone_is_waited_for_until_its_time_is_up() -> None:
    outcome = await handled(Web(OPEN), claimed("http://nas/photos", waited=86_400))
    assert isinstance(outcome, Retry)
    assert (outcome.after, outcome.costs_attempt) == (7200.0, False)
    week = await handled(Web(OPEN), claimed("http://nas/photos", waited=8 * 86_400))
    assert isinstance(week, Retry)
    assert week.costs_attempt  # so that it ends some day


async def test_our_own_pace_never_makes_an_item_fall_back() -> None:
    outcome = await handled(Web(RateLimited("4 are under way", retry_after=15.0)), claimed(attempts=9, waited=1e6))
    assert isinstance(outcome, Retry)
    assert (outcome.after, outcome.costs_attempt) == (15.0, False)


async def test_a_private_page_that_is_gone_is_buried_where_it_was_fetched() -> None:
    outcome = await handled(Web(404), claimed("http://nas/photos"))
    assert isinstance(outcome, Bury)
    assert outcome.effects == (DEAD,)


async def test_a_page_whose_providers_were_all_asked_before_is_buried_where_it_was_fetched() -> None:
    outcome = await handled(Web(404), claimed(spent=("wayback",)))
    assert isinstance(outcome, Bury)


@pytest.mark.parametrize("code", ["internal", "stalled", "archive_unavailable", "store_busy", "store_full"])
async def test_trouble_of_our_own_while_a_site_is_waited_for_does_not_end_the_wait(code: str) -> None:
    item = msgspec.structs.replace(an_item(URL), reason=Reason(code=code))
    claim = msgspec.structs.replace(claimed(spent=("wayback",), stage=Stage.FALLING_BACK), item=item)
    down, up = Web(DnsFailed("no such name")), Web(200)
    outcome = await handled(down, claim)
    assert isinstance(outcome, Retry)
    assert (outcome.reason.code, outcome.costs_attempt) == ("dns_failed", False)
    assert isinstance(await handled(up, claim), Advance)


async def test_a_row_that_fell_back_before_the_providers_were_taken_away_is_fetched_directly() -> None:
    web = Web(200)
    claim = a_claim(an_item(URL), stage=Stage.FALLING_BACK)
    outcome = await Acquire(AcquireSettings(), web).handle(claim, FakeContext())
    assert isinstance(outcome, Advance)


class Rules:
    """A robots.txt that forbids everything."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def check(self, url: str) -> None:
        self.asked.append(url)
        raise RobotsDenied("keep out")


@pytest.mark.parametrize(
    ("heeds", "source", "heeded"),
    [("feeds", "feed:7", True), ("feeds", "api", False), ("all", "api", True), ("none", "feed:7", False)],
)
async def test_robots_txt_is_heeded_as_the_settings_say(heeds: str, source: str, heeded: bool) -> None:
    web, rules = Web(200), Rules()
    acquire = Acquire(AcquireSettings(), web, robots=rules, heeds=heeds)
    claim = a_claim(msgspec.structs.replace(an_item(URL), source=source))
    if heeded:
        with pytest.raises(RobotsDenied):
            await acquire.handle(claim, FakeContext())
        assert (web.asked, rules.asked) == ([], [URL])
    else:
        assert isinstance(await acquire.handle(claim, FakeContext()), Advance)
        assert rules.asked == []


@pytest.mark.parametrize(
    "error",
    [HttpStatus("robots.txt cannot be read now: HTTP 503", status=503), FetchTimeout("slow")],
    ids=lambda one: one.code,
)
async def test_where_robots_txt_cannot_be_read_the_site_is_not_asked_as_a_browser_either(error: AtlasError) -> None:
    class Unreadable:
        async def check(self, url: str) -> None:
            raise error

    web, settings = Web(200), FallbackSettings(direct_attempts=3)
    acquire = Acquire(AcquireSettings(), web, fallback=settings, falling=falling(), robots=Unreadable())
    item = msgspec.structs.replace(an_item(URL), source="feed:7")
    outcome = await acquire.handle(a_claim(item, attempts=2), FakeContext())
    assert isinstance(outcome, Divert)
    assert (outcome.reason.code, outcome.spent) == (error.code, ("browser",))
    assert web.asked == []


# Fetching again


def known(ctx: FakeContext, url: str = URL, **changes: Any) -> Capture:
    capture = a_capture(ctx, b"<p>as it was", url=url)
    return msgspec.structs.replace(
        capture, **({"etag": '"e1"', "last_modified": "Mon, 23 Nov 2026 12:00:00 GMT"} | changes)
    )


async def again(document: Document | None = DOCUMENT, **changes: Any) -> Mapping[str, str]:
    """What is told about the last fetch when a page is fetched again."""
    web, ctx = Web(200), FakeContext(document=document)
    await handled(web, a_claim(an_item(URL), capture=known(ctx, **changes)), ctx)
    (told,) = web.asked
    return told


async def test_a_kept_page_is_asked_for_only_if_it_has_changed() -> None:
    assert await again() == {"If-None-Match": '"e1"', "If-Modified-Since": "Mon, 23 Nov 2026 12:00:00 GMT"}
    assert await again(etag=None, last_modified=None) == {}


@pytest.mark.parametrize(
    "changes",
    [{"provider": "wayback"}, {"url": "https://example.org/other"}, {"final_url": "https://example.org/behind"}],
    ids=str,
)
async def test_a_copy_or_another_page_is_no_earlier_state_of_this_one(changes: dict[str, str]) -> None:
    assert await again(**changes) == {}


async def test_of_a_body_that_never_became_a_text_nothing_is_said() -> None:
    assert await again(document=None) == {}


async def test_an_unchanged_page_goes_on_with_the_body_that_is_kept() -> None:
    ctx = FakeContext(document=DOCUMENT)

    def site(request: Any) -> bytes:
        unchanged = request.headers.get("if-none-match") == '"e1"'
        return reply(status=304) if unchanged else reply(b"<p>new", headers={"Content-Type": "text/html"})

    async with listening(answering(site)) as at, fetcher() as fetch:
        url = at.url("/a")
        claim = a_claim(an_item(url), capture=known(ctx, url))
        outcome = await Acquire(AcquireSettings(), fetch).handle(claim, ctx)
    assert outcome == Advance()
    assert ctx.codes == [120, 150, 190]
    assert "not changed" in ctx.steps[1].detail


async def test_a_server_that_says_unchanged_unasked_has_said_nothing() -> None:
    web, ctx = Web(304), FakeContext()
    outcome = await handled(web, a_claim(an_item(URL), capture=known(ctx)), ctx)  # its body never became a text
    assert web.asked == [{}]
    assert isinstance(outcome, Divert)
    assert outcome.reason.detail == "HTTP 304"
