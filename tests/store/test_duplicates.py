"""Duplicates stand for an original that is kept; when it is gone, whatever is saved next is kept itself."""

from __future__ import annotations

import pytest

from pipeline.effects import ClaimContent, Index
from pipeline.items import Reason
from pipeline.lifecycle import Stage, State
from pipeline.store.handle import Store
from pipeline.work import Advance, Bury, Claim
from tests.store.hands import captured, claim_all, enriched, extracted, finish, page, run_through

A, B, C = (f"https://{name}.example/" for name in "abc")


async def claim_of(store: Store, url: str) -> Claim:
    accepted = await store.items.accept(page(url))
    (claim,) = await claim_all(store)
    assert claim.item is not None
    assert claim.item.uid == accepted.uid
    return claim


async def state(store: Store, claim: Claim) -> tuple[State, str | None]:
    assert claim.item is not None
    item = await store.items.get(claim.item.uid)
    return item.state, item.duplicate_of


async def original_and_copy(store: Store) -> tuple[Claim, Claim]:
    """A is done; B has the same text."""
    original, copy = await claim_of(store, A), None
    await run_through(store, original, text="the same")
    copy = await claim_of(store, B)
    assert (await run_through(store, copy, text="the same")).state is State.DUPLICATE
    return original, copy


async def gone(store: Store, original: Claim, how: str) -> None:
    assert original.item is not None
    if how == "deleted":
        await store.items.delete(original.item.uid)
    else:
        # Saved again after its death it dies once more, as when a page has gone.
        await store.items.delete(original.item.uid)
        await store.status._db.write(
            lambda conn: conn.execute("UPDATE items SET state = 'dead', deleted_at = NULL WHERE id = 1").get
        )


@pytest.mark.parametrize("how", ["deleted", "dead"])
async def test_a_duplicate_saved_again_after_its_original_is_gone_is_kept_itself(store: Store, how: str) -> None:
    original, copy = await original_and_copy(store)
    await gone(store, original, how)
    again = await store.items.accept(page(B))
    assert again.requeued
    (claim,) = await claim_all(store)
    await run_through(store, claim, text="the same")
    assert await state(store, copy) == (State.DONE, None)
    assert (await store.status.sweep()).drift == 0


async def test_a_duplicate_saved_again_while_its_original_is_kept_stays_one(store: Store) -> None:
    original, copy = await original_and_copy(store)
    assert original.item is not None
    assert not (await store.items.accept(page(B))).requeued
    assert await state(store, copy) == (State.DUPLICATE, original.item.uid)


@pytest.mark.parametrize("how", ["deleted", "dead"])
async def test_a_redirect_to_a_duplicate_whose_original_is_gone_is_kept(store: Store, how: str) -> None:
    original, _copy = await original_and_copy(store)
    await gone(store, original, how)
    short = await claim_of(store, C)
    await run_through(store, short, text="the same", final_url=B)
    assert await state(store, short) == (State.DONE, None)


async def test_a_deleted_duplicate_saved_again_after_its_original_is_gone_is_kept_itself(store: Store) -> None:
    original, copy = await original_and_copy(store)
    assert copy.item is not None
    await store.items.delete(copy.item.uid)
    await gone(store, original, "deleted")
    again = await store.items.accept(page(B))
    assert (again.undeleted, again.requeued) == (True, True)


async def test_two_pages_that_redirect_to_each_other_are_one_that_is_kept(store: Store) -> None:
    await store.items.accept(page(A))
    await store.items.accept(page(B))
    first, second = await claim_all(store)
    await run_through(store, first, text="one", final_url=B)
    await run_through(store, second, text="two", final_url=A)
    states = {(await state(store, first))[0], (await state(store, second))[0]}
    assert states == {State.DONE, State.DUPLICATE}


async def test_three_pages_that_redirect_in_a_ring_are_one_that_is_kept(store: Store) -> None:
    for url in (A, B, C):
        await store.items.accept(page(url))
    claims = await claim_all(store)
    for claim, final in zip(claims, (B, C, A), strict=True):
        await run_through(store, claim, text=final, final_url=final)
    assert sorted([(await state(store, claim))[0] for claim in claims]) == [State.DONE, *[State.DUPLICATE] * 2]


async def test_a_duplicate_of_a_duplicate_is_one_of_the_original(store: Store) -> None:
    original, _copy = await original_and_copy(store)
    assert original.item is not None
    short = await claim_of(store, C)
    await run_through(store, short, text="whatever", final_url=B)
    assert await state(store, short) == (State.DUPLICATE, original.item.uid)


async def test_the_same_text_in_hand_twice_at_once_is_kept_once(store: Store) -> None:
    await store.items.accept(page(A))
    await store.items.accept(page(B))
    claims = list(await claim_all(store))
    # Both are extracted before either is finished.
    onward = [await finish(store, claim, captured(claim)) for claim in claims]
    ends = [await run_through_from(store, step.next, "the same") for step in onward]
    assert sorted(ends) == [State.DONE, State.DUPLICATE]


async def run_through_from(store: Store, claim: Claim | None, text: str) -> State:
    outcomes = [
        Advance(),
        extracted(text),
        enriched(),
        Advance(effects=(ClaimContent(text_hash=text, content_hash=text), Index())),
    ]
    state = State.LEASED
    for outcome in outcomes:
        assert claim is not None
        finished = await finish(store, claim, outcome)
        claim, state = finished.next, finished.state
    return state


async def test_a_page_that_died_gives_up_its_address_to_the_next_that_ends_there(store: Store) -> None:
    dead = await claim_of(store, A)
    await finish(store, dead, Bury(reason=Reason(code="x")))
    short = await claim_of(store, B)
    await run_through(store, short, text="one", final_url=A)
    assert await state(store, short) == (State.DONE, None)


@pytest.mark.parametrize("method", ["refresh", "replay"])
async def test_a_copy_is_kept_itself_once_its_original_has_another_text(store: Store, method: str) -> None:
    original, copy = await original_and_copy(store)
    assert original.item is not None
    if method == "refresh":
        await store.retries.retry([original.item.uid])
    else:
        await store.retries.replay([original.item.uid], 200)
    (claim,) = await claim_all(store)
    at = claim if method == "replay" else (await finish(store, claim, captured(claim))).next
    await run_through_from(store, at, "now another")
    (claim,) = await claim_all(store)
    assert claim.stage == Stage.FINALISING
    await finish(store, claim, Advance(effects=(ClaimContent(text_hash="the same", content_hash="c"), Index())))
    assert await state(store, copy) == (State.DONE, None)
    assert (await store.search.find("same")).total == 1
    assert (await store.status.sweep()).drift == 0


async def test_copies_stay_copies_while_the_text_of_their_original_stays(store: Store) -> None:
    original, copy = await original_and_copy(store)
    assert original.item is not None
    await store.retries.retry([original.item.uid])
    (claim,) = await claim_all(store)
    await run_through(store, claim, text="the same")
    assert await claim_all(store) == ()
    assert (await state(store, copy))[0] is State.DUPLICATE
