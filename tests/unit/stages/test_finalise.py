"""500: hashes, sketch, cross-references, index."""

from __future__ import annotations

import msgspec
import pytest

from pipeline.effects import ClaimContent, CrossReference, Effect, Index, Resemble
from pipeline.items import Kind
from pipeline.work import Advance
from stages.finalise import LINKS_MAX, WORDS_LEAST, Finalise, canonical
from stages.text.fingerprint import fingerprint
from tests.unit.stages.fake_context import FakeContext, a_claim, an_item
from tests.unit.stages.samples import DOCUMENT

STAGE = Finalise(slots=1, deadline=10.0)
LONG = " ".join(f"word{number}" for number in range(60))


async def effects(*, note: bool = False, **changes: object) -> dict[type, Effect]:
    ctx = FakeContext(document=msgspec.structs.replace(DOCUMENT, **changes))
    outcome = await STAGE.handle(a_claim(an_item(None, kind=Kind.NOTE) if note else None), ctx)
    assert isinstance(outcome, Advance)
    # The claims come first: a duplicate leaves nothing else behind.
    assert [type(effect) for effect in outcome.effects] == [ClaimContent, Resemble, CrossReference, Index]
    assert ctx.codes == [510, 540]
    return {type(effect): effect for effect in outcome.effects}


async def content(text: str, *, note: bool = False) -> ClaimContent:
    effect = (await effects(text=text, note=note))[ClaimContent]
    assert isinstance(effect, ClaimContent)
    return effect


async def test_copies_that_differ_in_space_and_case_claim_the_same_text() -> None:
    first, second = await content(LONG.upper()), await content(LONG.replace(" ", "\n") + " ")
    assert first.text_hash == second.text_hash
    assert first.text_hash is not None
    assert first.content_hash != second.content_hash


@pytest.mark.parametrize("word", ["word ", "字"])
async def test_a_page_that_says_too_little_to_be_told_from_another_claims_no_text(word: str) -> None:
    assert (await content(word * (WORDS_LEAST - 1))).text_hash is None
    assert (await content(word * WORDS_LEAST)).text_hash is not None


async def test_a_note_is_claimed_however_short_for_it_is_all_there_is() -> None:
    first, second = await content("Buy milk", note=True), await content("Buy bread", note=True)
    assert None not in {first.text_hash, second.text_hash}
    assert first.text_hash != second.text_hash


async def test_the_sketch_is_that_of_the_text_and_short_texts_have_none() -> None:
    assert (await effects(text=LONG))[Resemble] == Resemble(sketch=fingerprint(LONG))
    assert (await effects(text="Two words"))[Resemble] == Resemble(sketch=None)


async def test_links_are_noted_by_their_canonical_keys_without_the_page_itself() -> None:
    found = await effects(
        links=("https://Site.test/a#top", "https://b.test/x?utm_source=y", "https://b.test/x", "http://[")
    )
    assert found[CrossReference] == CrossReference(url_keys=canonical(["https://b.test/x"]))


def test_at_most_five_hundred_links_are_noted() -> None:
    assert len(canonical(f"https://b.test/{number}" for number in range(LINKS_MAX + 50))) == LINKS_MAX
