"""500: hashes, cross-references, index."""

from __future__ import annotations

import msgspec

from pipeline.effects import ClaimContent, CrossReference, Index
from pipeline.work import Advance
from stages.finalise import LINKS_MAX, Finalise, canonical
from tests.unit.stages.fake_context import FakeContext, a_claim
from tests.unit.stages.samples import DOCUMENT

STAGE = Finalise(slots=1, deadline=10.0)


async def effects(**changes: object) -> tuple[ClaimContent, CrossReference]:
    ctx = FakeContext(document=msgspec.structs.replace(DOCUMENT, **changes))
    outcome = await STAGE.handle(a_claim(), ctx)
    assert isinstance(outcome, Advance)
    content, reference, index = outcome.effects
    assert isinstance(content, ClaimContent)
    assert isinstance(reference, CrossReference)
    assert index == Index()
    assert ctx.codes == [510, 540]
    return content, reference


async def test_copies_that_differ_in_space_and_case_claim_the_same_text() -> None:
    first, _ = await effects(text="The  Same\nText")
    second, _ = await effects(text="the same text ")
    assert first.text_hash == second.text_hash
    assert first.content_hash != second.content_hash


async def test_a_very_short_text_is_claimed_like_any_other() -> None:
    first, _ = await effects(text="Two words")
    second, _ = await effects(text="Two others")
    assert first.text_hash != second.text_hash


async def test_links_are_noted_by_their_canonical_keys_without_the_page_itself() -> None:
    _, reference = await effects(
        links=("https://Site.test/a#top", "https://b.test/x?utm_source=y", "https://b.test/x", "http://[")
    )
    assert reference.url_keys == canonical(["https://b.test/x"])


def test_at_most_five_hundred_links_are_noted() -> None:
    assert len(canonical(f"https://b.test/{number}" for number in range(LINKS_MAX + 50))) == LINKS_MAX
