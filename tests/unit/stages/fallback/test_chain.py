"""The chain and what is made of it for one claim: the order, one provider at a time, waiting, giving up."""

from __future__ import annotations

import msgspec
import pytest

from pipeline.effects import KeepCapture
from pipeline.errors import StoreBroken, StoreBusy
from pipeline.items import Item, Reason
from pipeline.lifecycle import Stage
from pipeline.text.urls import canonicalise
from pipeline.work import Advance, Bury, Claim, Divert, Outcome, Retry
from stages.fallback.chain import Chain
from stages.fallback.falling import FallingBack
from stages.settings import FallbackSettings
from tests.unit.stages.fake_context import NOW_MS, FakeContext, a_claim, an_item
from tests.unit.stages.fallback.elsewhere import HTML, PAGE, TITLE, Elsewhere, as_json
from tests.unit.stages.fallback.test_archives import CAPTURED_MS, NOTHING_AVAILABLE, available
from tests.unit.stages.net.site import reply

GONE = Reason(code="http_status", hint="The page is not there.", detail="HTTP 404")
PATIENCE = 3600.0


def the_item(world: Elsewhere, reason: Reason | None = GONE) -> Item:
    url = world.sought().url
    return msgspec.structs.replace(an_item(url), url_key=canonicalise(url), given_title=TITLE, reason=reason)


def a_fallen_claim(world: Elsewhere, *spent: str, waited: float = 0.0, reason: Reason | None = GONE) -> Claim:
    claim = a_claim(the_item(world, reason), stage=Stage.FALLING_BACK)
    return msgspec.structs.replace(claim, spent=spent, entered_at=NOW_MS - round(waited * 1000))


async def handled(chain: Chain, claim: Claim, ctx: FakeContext | None = None) -> Outcome:
    falling = FallingBack(chain, ask_seconds=30.0, patience_seconds=PATIENCE)
    assert claim.item is not None
    return await falling.handle(claim, claim.item, ctx or FakeContext())


def test_an_unknown_provider_or_one_named_twice_is_a_fault_of_the_settings() -> None:
    with pytest.raises(ValueError, match="knows no bing; there are browser, wayback"):
        FallbackSettings(providers=("wayback", "bing"))
    with pytest.raises(ValueError, match="twice"):
        FallbackSettings(providers=("wayback", "wayback"))


async def test_the_order_is_that_of_the_settings_without_those_that_lack_a_key_or_an_address(world: Elsewhere) -> None:
    names = ("brave", "google", "searxng", "wayback", "browser")
    assert world.chain(*names).names == names
    assert world.chain(*names, google_engine="", brave_key="", searxng_url="").names == ("wayback", "browser")
    assert world.chain().names == ()


async def test_one_provider_is_asked_for_each_claim_and_is_spent_when_it_has_no_copy(world: Elsewhere) -> None:
    world.on("available.org", NOTHING_AVAILABLE)
    world.on("cdx.org", as_json([]))
    ctx = FakeContext()
    outcome = await handled(world.chain("wayback", "archive_today"), a_fallen_claim(world), ctx)
    assert outcome == Divert(stage=Stage.FALLING_BACK, reason=GONE, spent=("wayback",))
    assert [(step.code, step.method, step.error) for step in ctx.steps] == [(140, "wayback", "no_copy")]
    assert world.asked("today.org") == []
    await handled(world.chain("wayback", "archive_today"), a_fallen_claim(world, "wayback"))
    assert len(world.asked("today.org")) == 1


async def test_a_provider_in_trouble_is_spent_for_this_item(world: Elsewhere) -> None:
    world.on("available.org", reply(b"", status=500))
    ctx = FakeContext()
    outcome = await handled(world.chain("wayback", "archive_today"), a_fallen_claim(world), ctx)
    assert outcome == Divert(stage=Stage.FALLING_BACK, reason=GONE, spent=("wayback",))
    assert [step.error for step in ctx.steps] == ["http_status"]


async def test_a_copy_is_kept_with_where_and_when_and_under_the_items_own_key(world: Elsewhere) -> None:
    world.on("available.org", available())
    world.on("web.org", reply(PAGE, headers=HTML))
    ctx = FakeContext()
    outcome = await handled(world.chain("wayback"), a_fallen_claim(world), ctx)
    assert isinstance(outcome, Advance)
    (kept,) = outcome.effects
    assert isinstance(kept, KeepCapture)
    assert (kept.provider, kept.captured_at, kept.content) == ("wayback", CAPTURED_MS, PAGE)
    assert kept.final_url == world.sought().url
    assert kept.final_key == canonicalise(world.sought().url)
    assert [(step.code, step.method) for step in ctx.steps] == [(140, "wayback"), (160, "wayback"), (190, "")]
    assert kept.url in ctx.steps[1].detail
    assert "2021-03-03" in ctx.steps[1].detail


async def test_what_stands_behind_the_hash_is_told_to_nobody(world: Elsewhere) -> None:
    world.on("available.org", available())
    world.on("web.org", reply(PAGE, headers=HTML))
    claim = a_fallen_claim(world)
    assert claim.item is not None
    item = msgspec.structs.replace(claim.item, url=f"{world.sought().url}#access=Hunter2")
    outcome = await handled(world.chain("wayback"), msgspec.structs.replace(claim, item=item))
    assert isinstance(outcome, Advance)
    assert len(world.requests) == 2
    assert not [request.path for request in world.requests if "Hunter2" in request.path]


async def test_a_copy_at_another_address_does_not_take_that_address(world: Elsewhere) -> None:
    mirror = world.at("mirror.org", "/x")
    world.on("searx.org", as_json({"results": [{"url": mirror, "title": TITLE}]}))
    world.on("mirror.org", reply(PAGE, headers=HTML))
    outcome = await handled(world.chain("searxng"), a_fallen_claim(world))
    assert isinstance(outcome, Advance)
    (kept,) = outcome.effects
    assert isinstance(kept, KeepCapture)
    assert (kept.url, kept.final_url, kept.captured_at) == (mirror, mirror, NOW_MS)
    assert kept.final_key == canonicalise(world.sought().url)


async def until_open(world: Elsewhere) -> None:
    """Let the breaker of wayback open."""
    world.on("available.org", reply(b"", status=500))
    for _ in range(2):
        await handled(world.chain("wayback"), a_fallen_claim(world))
    assert world.breakers.wait_seconds("provider:wayback") == 60.0


async def test_one_that_is_left_alone_is_passed_over_and_not_spent(world: Elsewhere) -> None:
    await until_open(world)
    outcome = await handled(world.chain("wayback", "archive_today"), a_fallen_claim(world))
    assert isinstance(outcome, Divert)
    assert outcome.spent == ("archive_today",)


async def test_when_only_such_are_left_the_item_waits_at_no_cost_and_keeps_its_reason(world: Elsewhere) -> None:
    await until_open(world)
    claim = a_fallen_claim(world, "archive_today")
    outcome = await handled(world.chain("wayback", "archive_today"), claim)
    assert isinstance(outcome, Retry)
    assert not outcome.costs_attempt
    assert outcome.after is not None
    assert 60 <= outcome.after < 63
    assert (outcome.reason.code, outcome.reason.hint) == (GONE.code, GONE.hint)
    assert outcome.reason.detail.startswith("HTTP 404 · wayback is left alone for 60 s")
    again = await handled(world.chain("wayback"), a_fallen_claim(world, reason=outcome.reason))
    assert isinstance(again, Retry)
    assert again.reason.detail.count("left alone") == 1


async def test_nobody_waits_for_longer_than_patience_lasts(world: Elsewhere) -> None:
    world.on("google.org", as_json({}))
    chain = world.chain("google", google_per_day=1)
    await handled(chain, a_fallen_claim(world))
    waiting = await handled(chain, a_fallen_claim(world, waited=PATIENCE - 90))
    assert isinstance(waiting, Retry)
    assert waiting.after == 90.0  # not the twenty hours to Google's next day
    ended = await handled(chain, a_fallen_claim(world, "wayback", waited=PATIENCE, reason=waiting.reason))
    assert isinstance(ended, Bury)
    assert (ended.reason.code, ended.reason.hint) == (GONE.code, GONE.hint)
    assert ended.reason.detail.startswith("HTTP 404 · not asked, because the 1 queries a day of google are used up")


async def test_when_all_were_asked_in_vain_the_first_reason_is_what_it_is_buried_with(world: Elsewhere) -> None:
    chain = world.chain("wayback", "archive_today")
    outcome = await handled(chain, a_fallen_claim(world, "wayback", "archive_today"))
    assert isinstance(outcome, Bury)
    assert (outcome.reason.code, outcome.reason.hint) == (GONE.code, GONE.hint)
    assert outcome.reason.detail == "HTTP 404 · no usable copy from wayback, archive_today"
    assert world.requests == []


async def test_where_nobody_may_be_asked_it_is_buried_with_its_reason_as_it_was(world: Elsewhere) -> None:
    item = msgspec.structs.replace(an_item("http://nas/photos"), reason=GONE)
    claim = msgspec.structs.replace(a_claim(item, stage=Stage.FALLING_BACK), entered_at=NOW_MS)
    assert await handled(world.chain("wayback"), claim) == Bury(reason=GONE)


async def test_a_quota_that_cannot_be_counted_costs_neither_the_provider_nor_an_attempt(world: Elsewhere) -> None:
    class Locked:
        error: Exception = StoreBusy("another process writes")

        async def spend(self, name: str, day: str, limit: int) -> bool:
            raise self.error

    world.ledger = Locked()  # type: ignore[assignment]
    outcome = await handled(world.chain("google", "wayback"), a_fallen_claim(world))
    assert isinstance(outcome, Retry)
    assert not outcome.costs_attempt
    assert outcome.reason.code == GONE.code
    assert world.requests == []
    Locked.error = StoreBroken("the disk is gone")
    with pytest.raises(StoreBroken):
        await handled(world.chain("google"), a_fallen_claim(world))
