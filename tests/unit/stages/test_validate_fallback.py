"""Validate in the chain: what falls back, what does not, what a copy must be like, and which reason is told."""

from __future__ import annotations

import msgspec
import pytest

from pipeline.effects import SetVerdict
from pipeline.items import Item, Kind, Reason
from pipeline.lifecycle import Stage, Verdict
from pipeline.work import Advance, Bury, Divert, Outcome
from stages.text.glance import Glance
from stages.text.look import look
from stages.validate import Validate
from tests.unit.stages.fake_context import FakeContext, a_capture, a_claim, an_item
from tests.unit.stages.text.pages.page import article, bare, site

PROVIDERS = ("browser", "wayback", "google")
URL = "https://www.site.test/2024/the-keeper-of-the-northern-light"
TEXT = (
    "The lamp had been out for eleven days when the harbour master finally rowed across to see what had become of him.",
    "The door stood open. On the stove the kettle was still warm, and on the table lay the log, with no entry missing.",
)
GOOD = site("The keeper of the northern light - The Site", article("The keeper of the northern light", *TEXT))
OTHER = site("How to read a tide table - The Site", article("How to read a tide table", *TEXT))
CHALLENGE = bare("Just a moment...", '<div id="challenge-error-text">Enable JavaScript and cookies to continue</div>')
FIRST = Reason(code="http_status", hint="The page is not there.", detail="HTTP 404", error_id="E1")


class Looking:
    async def glance(self, content: bytes, *, url: str, media_type: str, charset: str | None = None) -> Glance:
        return look(content, url=url, media_type=media_type, charset=charset)


def _item(**changes: object) -> Item:
    return msgspec.structs.replace(an_item(URL), **changes)


async def _validated(
    content: str | bytes,
    *,
    item: Item | None = None,
    provider: str = "direct",
    url: str = URL,
    final_url: str | None = None,
    spent: tuple[str, ...] = (),
    providers: tuple[str, ...] = PROVIDERS,
) -> tuple[Outcome, FakeContext]:
    ctx = FakeContext()
    body = content.encode() if isinstance(content, str) else content
    capture = msgspec.structs.replace(a_capture(ctx, body, url=url), provider=provider, final_url=final_url or url)
    claim = msgspec.structs.replace(a_claim(item or _item(), stage=200, capture=capture), spent=spent)
    stage = Validate(Looking(), slots=2, deadline=30.0, providers=providers)
    assert stage.spec.diverts == ((Stage.FALLING_BACK,) if providers else ())
    return await stage.handle(claim, ctx), ctx


def _kept(outcome: Outcome) -> SetVerdict:
    assert isinstance(outcome, Advance | Divert | Bury)
    (verdict,) = outcome.effects
    assert isinstance(verdict, SetVerdict)
    return verdict


async def test_a_refused_page_falls_back_with_its_verdict_and_its_reason() -> None:
    outcome, ctx = await _validated(CHALLENGE)
    assert isinstance(outcome, Divert)
    assert (outcome.stage, outcome.spent) == (Stage.FALLING_BACK, ())
    assert outcome.reason.code == "challenge"
    assert "Cloudflare" in outcome.reason.detail
    assert outcome.reason.hint
    assert _kept(outcome).verdict == Verdict.BLOCKED
    assert ctx.codes == [200, 280]


@pytest.mark.parametrize(
    ("provider", "spent"),
    [("direct", PROVIDERS), ("google", ("browser", "wayback")), ("wayback", ("google", "browser", "wayback"))],
)
async def test_when_nobody_is_left_to_ask_the_item_is_buried(provider: str, spent: tuple[str, ...]) -> None:
    outcome, ctx = await _validated(CHALLENGE, provider=provider, spent=spent)
    assert isinstance(outcome, Bury)
    assert ctx.codes[-1] == 280


async def test_without_providers_nothing_falls_back() -> None:
    outcome, _ = await _validated(CHALLENGE, providers=())
    assert isinstance(outcome, Bury)


async def test_the_provider_of_a_refused_copy_is_not_asked_again() -> None:
    outcome, _ = await _validated(CHALLENGE, provider="wayback", spent=("browser",))
    assert isinstance(outcome, Divert)
    assert outcome.spent == ("wayback",)


@pytest.mark.parametrize("content", [b"%PDF-1.7\n...", b"\x89PNG\r\n\x1a\n....", b"ID3\x04"])
async def test_a_kind_that_nobody_reads_does_not_fall_back(content: bytes) -> None:
    outcome, _ = await _validated(content)
    assert isinstance(outcome, Bury)


async def test_an_empty_note_does_not_fall_back_but_an_empty_page_does() -> None:
    outcome, _ = await _validated(b" ", item=_item(kind=Kind.NOTE, url=None, url_key=None))
    assert isinstance(outcome, Bury)
    outcome, _ = await _validated(b" ")
    assert isinstance(outcome, Divert)


async def test_a_part_from_the_site_itself_passes() -> None:
    long = article(
        "The keeper", *[f"{TEXT[0]} {number}" for number in range(12)], more="<p>Subscribe to continue reading</p>"
    )
    outcome, _ = await _validated(site("The keeper", long))
    assert isinstance(outcome, Advance)
    assert _kept(outcome).verdict == Verdict.PARTIAL


async def test_a_copy_is_compared_and_its_likeness_kept_and_shown() -> None:
    outcome, ctx = await _validated(GOOD, provider="google", final_url="https://mirror.test/keeper")
    assert isinstance(outcome, Advance)
    similarity = _kept(outcome).similarity
    assert similarity is not None
    assert 0.7 < similarity <= 1.0  # three telling words in the address are not quite enough to be sure
    (complete,) = [step for step in ctx.steps if step.code == Stage.COMPLETENESS]
    assert complete.detail == f"full, likeness {similarity:.2f}"


@pytest.mark.parametrize("provider", ["direct", "browser"])
async def test_what_the_site_itself_sent_is_not_compared(provider: str) -> None:
    outcome, _ = await _validated(OTHER, provider=provider, item=_item(given_title="The keeper of the northern light"))
    assert isinstance(outcome, Advance)
    assert _kept(outcome).similarity is None


async def test_a_copy_from_another_address_must_be_like_what_was_sought() -> None:
    outcome, ctx = await _validated(OTHER, provider="google", final_url="https://mirror.test/tides")
    assert isinstance(outcome, Divert)
    assert ctx.steps[-1].error == "not_alike"
    assert "below 0.50" in ctx.steps[-1].detail
    assert outcome.reason.code == "not_alike"
    assert _kept(outcome).similarity is not None


async def test_a_copy_from_another_address_is_refused_when_nothing_is_known() -> None:
    bare_item = _item(url="https://www.site.test/8231", url_key="https://www.site.test/8231")
    outcome, ctx = await _validated(GOOD, provider="google", item=bare_item, final_url="https://mirror.test/tides")
    assert isinstance(outcome, Divert)
    assert "nothing is known" in ctx.steps[-1].detail


async def test_a_copy_of_the_same_address_is_refused_only_when_a_title_says_that_it_is_another() -> None:
    for given, passes in ((None, True), ("The keeper of the northern light", False), ("How to read tides", True)):
        outcome, ctx = await _validated(OTHER, provider="wayback", item=_item(given_title=given))
        assert isinstance(outcome, Advance) is passes
        assert passes or ctx.steps[-1].error == "not_alike"


async def test_the_first_reason_stays_and_the_copies_are_its_details() -> None:
    item = _item(reason=FIRST, verdict=Verdict.DEAD_LINK)
    outcome, ctx = await _validated(CHALLENGE, provider="wayback", item=item)
    assert isinstance(outcome, Divert)
    told = outcome.reason
    assert (told.code, told.hint, told.error_id) == (FIRST.code, FIRST.hint, FIRST.error_id)
    assert told.detail.startswith("HTTP 404; copy by wayback: challenge, a check by Cloudflare")
    assert _kept(outcome).verdict == Verdict.DEAD_LINK
    assert ctx.steps[-1].error == "challenge"


async def test_many_refused_copies_do_not_make_a_reason_without_end() -> None:
    item = _item(reason=msgspec.structs.replace(FIRST, detail="HTTP 404" + "; copy" * 500))
    outcome, _ = await _validated(CHALLENGE, provider="wayback", item=item)
    assert isinstance(outcome, Divert)
    assert len(outcome.reason.detail) <= 1000
    assert outcome.reason.detail.startswith("HTTP 404")


async def test_where_an_archive_fetched_its_copy_says_nothing_about_logins() -> None:
    outcome, _ = await _validated(GOOD, provider="wayback", final_url="https://www.site.test/login")
    assert isinstance(outcome, Advance)
