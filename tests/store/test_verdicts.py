"""What the store keeps of a verdict: the likeness of a copy, and why an item fell back in the first place."""

from __future__ import annotations

from pipeline.effects import SetVerdict
from pipeline.items import Reason
from pipeline.lifecycle import Stage, Verdict
from pipeline.store.handle import Store
from pipeline.work import Advance, Bury, Divert
from tests.store.hands import captured, claim_all, finish, page

WHY = Reason(code="challenge", hint="Save it from your browser.", detail="a check by Cloudflare")


async def accept(store: Store) -> str:
    return (await store.items.accept(page("https://example.org/a"))).uid


def _verdict(similarity: float | None) -> SetVerdict:
    return SetVerdict(verdict=Verdict.FULL, evidence="seen", similarity=similarity)


async def test_the_likeness_of_a_copy_is_kept_with_its_capture_and_no_other(store: Store) -> None:
    await accept(store)
    (claim,) = await claim_all(store)
    direct = (await finish(store, claim, captured(claim))).next or claim
    await finish(store, direct, Divert(stage=Stage.FALLING_BACK, reason=WHY, effects=(_verdict(None),)))
    (again,) = await claim_all(store)
    assert again.capture is not None
    assert again.capture.similarity is None
    copy = (await finish(store, again, captured(again))).next or again
    passed = (await finish(store, copy, Advance(effects=(_verdict(0.75),)))).next
    assert passed is not None
    assert passed.capture is not None
    assert passed.capture.similarity == 0.75


async def test_the_likeness_of_a_refused_copy_is_kept_and_nothing_takes_it_away(store: Store) -> None:
    await accept(store)
    (claim,) = await claim_all(store)
    validating = (await finish(store, claim, captured(claim))).next or claim
    await finish(store, validating, Divert(stage=Stage.FALLING_BACK, reason=WHY, effects=(_verdict(0.1),)))
    (again,) = await claim_all(store)
    await finish(store, again, Divert(stage=Stage.FALLING_BACK, reason=WHY, effects=(_verdict(None),)))
    (third,) = await claim_all(store)
    assert third.capture is not None
    assert third.capture.similarity == 0.1


async def test_why_an_item_fell_back_is_known_until_its_copy_has_been_judged(store: Store) -> None:
    uid = await accept(store)
    (claim,) = await claim_all(store)
    await finish(store, claim, Divert(stage=Stage.FALLING_BACK, reason=WHY))
    (again,) = await claim_all(store)
    validating = (await finish(store, again, captured(again))).next
    assert validating is not None
    assert validating.item is not None
    assert validating.item.reason == WHY
    await finish(store, validating, Advance())
    assert (await store.items.get(uid)).reason is None


async def test_a_page_that_came_directly_has_no_reason_any_more(store: Store) -> None:
    uid = await accept(store)
    (claim,) = await claim_all(store)
    await finish(store, claim, Bury(reason=WHY))
    await accept(store)
    (claim,) = await claim_all(store)
    await finish(store, claim, captured(claim))
    assert (await store.items.get(uid)).reason is None
