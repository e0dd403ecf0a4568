"""The rules for saving, and for saving again."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from pipeline import errors
from pipeline.items import Kind, Reason, Submission
from pipeline.lifecycle import Priority, Stage, State
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.handle import Store, open_store
from pipeline.store.intake import Idempotency
from pipeline.work import Bury, Claim
from tests.store.hands import TestClock, claim_all, finish, page, run_through

URL = "https://example.org/a"


async def only_claim(store: Store) -> Claim:
    (claim,) = await claim_all(store)
    return claim


async def test_a_saved_url_is_an_item_that_waits_for_its_fetch(store: Store) -> None:
    accepted = await store.items.accept(page(URL, title="Mine", tags=("b", "a")))
    item = await store.items.get(accepted.uid)
    assert accepted.created
    assert (item.stage, item.state, item.title, item.tags) == (Stage.QUEUED, State.READY, "Mine", ("a", "b"))
    assert [step.code for step in await store.items.steps(accepted.uid)] == [Stage.RECEIVED, Stage.QUEUED]


async def test_the_same_url_posted_a_hundred_times_in_parallel_is_one_item(store: Store) -> None:
    uids: list[str] = []

    async def post(number: int) -> None:
        accepted = await store.items.accept(page(f"{URL}?utm_source={number}"))
        uids.append(accepted.uid)

    async with trio.open_nursery() as nursery:
        for number in range(100):
            nursery.start_soon(post, number)
    assert len(uids) == 100
    assert len(set(uids)) == 1
    assert len(await claim_all(store)) == 1


async def test_saving_a_live_item_again_raises_it_to_the_top(store: Store, clock: TestClock) -> None:
    first = await store.items.accept(page(URL))
    clock.pass_seconds(5)
    await store.items.accept(page("https://example.org/b"))
    clock.pass_seconds(5)
    again = await store.items.accept(page(URL, tags=("later",)))
    assert (again.uid, again.created, again.requeued) == (first.uid, False, False)
    from pipeline.store.items import ItemFilter

    listed = await store.items.list(ItemFilter())
    assert listed.items[0].item.uid == first.uid
    assert listed.items[0].item.tags == ("later",)


async def test_saving_a_dead_item_again_puts_it_back_on_the_queue(store: Store) -> None:
    accepted = await store.items.accept(page(URL))
    await finish(store, await only_claim(store), Bury(reason=Reason(code="timeout")))
    assert (await store.items.get(accepted.uid)).state is State.DEAD
    again = await store.items.accept(page(URL))
    item = await store.items.get(accepted.uid)
    assert (again.uid, again.requeued) == (accepted.uid, True)
    assert (item.stage, item.state, item.attempts, item.reason) == (Stage.QUEUED, State.READY, 0, None)


async def test_saving_a_deleted_item_again_brings_it_back_as_it_was(store: Store) -> None:
    accepted = await store.items.accept(page(URL))
    await run_through(store, await only_claim(store), text="unmistakable words")
    await store.items.delete(accepted.uid)
    with pytest.raises(errors.NotFound):
        await store.items.get(accepted.uid)
    assert (await store.search.find("unmistakable")).hits == ()
    again = await store.items.accept(page(URL))
    assert (again.uid, again.undeleted, again.requeued) == (accepted.uid, True, False)
    assert (await store.items.get(accepted.uid)).state is State.DONE
    assert [hit.row.item.uid for hit in (await store.search.find("unmistakable")).hits] == [accepted.uid]


async def test_an_item_deleted_in_flight_starts_again_when_it_is_saved_again(store: Store) -> None:
    accepted = await store.items.accept(page(URL))
    claim = await only_claim(store)
    await store.items.delete(accepted.uid)
    with pytest.raises(errors.LeaseLost):
        await finish(store, claim, Bury(reason=Reason(code="x")))
    again = await store.items.accept(page(URL))
    assert (again.undeleted, again.requeued) == (True, True)
    assert len(await claim_all(store)) == 1


async def test_a_redirect_that_ends_at_a_known_page_makes_a_duplicate_of_it(store: Store) -> None:
    original = await store.items.accept(page(URL))
    await run_through(store, await only_claim(store), text="one")
    copy = await store.items.accept(page("https://short.example/x"))
    ended = await run_through(store, await only_claim(store), text="two", final_url=URL)
    item = await store.items.get(copy.uid)
    assert ended.state is State.DUPLICATE
    assert (item.stage, item.duplicate_of) == (Stage.DUPLICATE, original.uid)


async def test_the_same_text_under_another_url_makes_a_duplicate_with_a_link_to_the_original(store: Store) -> None:
    original = await store.items.accept(page(URL))
    await run_through(store, await only_claim(store), text="the same words")
    copy = await store.items.accept(page("https://mirror.example/a"))
    await run_through(store, await only_claim(store), text="the same words")
    item = await store.items.get(copy.uid)
    assert (item.stage, item.state, item.duplicate_of) == (Stage.DUPLICATE, State.DUPLICATE, original.uid)
    assert [hit.row.item.uid for hit in (await store.search.find("title")).hits] == [original.uid]


async def test_one_idempotency_key_answers_twice_the_same_and_refuses_another_body(store: Store) -> None:
    key = Idempotency(key="k", request_hash="one")
    first = await store.items.accept(page(URL), idempotency=key)
    again = await store.items.accept(page(URL), idempotency=key)
    assert again.uid == first.uid
    with pytest.raises(errors.IdempotencyMismatch):
        await store.items.accept(page("https://example.org/b"), idempotency=Idempotency(key="k", request_hash="two"))


async def test_a_feed_that_meets_a_known_page_leaves_it_as_the_person_left_it(store: Store, clock: TestClock) -> None:
    accepted = await store.items.accept(page(URL))
    await store.items.delete(accepted.uid)
    clock.pass_seconds(1)
    again = await store.items.accept(page(URL, priority=Priority.FEED, source="feed:1"))
    assert (again.created, again.undeleted) == (False, False)
    with pytest.raises(errors.NotFound):
        await store.items.get(accepted.uid)


async def test_notes_have_no_url_are_never_the_same_and_start_at_extraction(store: Store) -> None:
    note = Submission(kind=Kind.NOTE, text="Remember the milk", title="Milk")
    first, second = await store.items.accept(note), await store.items.accept(note)
    assert first.uid != second.uid
    claims = await claim_all(store)
    assert {claim.stage for claim in claims} == {Stage.PROCESSING}
    assert claims[0].capture is not None
    assert await store.bodies.get(claims[0].capture.body) == b"Remember the milk"


async def test_past_the_queue_limit_a_save_is_kept_and_waits_and_past_the_backlog_it_is_refused(
    tmp_path: Path, clock: TestClock
) -> None:
    limits = QueueSettings(max_size=2, max_backlog=10)
    async with open_store(DatabaseSettings(), limits, RetrySettings(), folder=tmp_path, clock=clock) as store:
        accepted = [await store.items.accept(page(f"https://example.org/{n}")) for n in range(9)]
        assert [a.deferred for a in accepted] == [False, False] + [True] * 7
        feed = page("https://example.org/feed", priority=Priority.FEED)
        with pytest.raises(errors.QueueFull):
            await store.items.accept(feed)
        await store.items.accept(page("https://example.org/9"))
        with pytest.raises(errors.QueueFull) as full:
            await store.items.accept(page("https://example.org/10"))
        assert full.value.retry_after > 0
        assert (await store.items.accept(page("https://example.org/0"))).created is False
        # Room in the queue goes to the deferred, in order.
        for claim in await claim_all(store):
            await finish(store, claim, Bury(reason=Reason(code="x")))
        promoted = await claim_all(store)
        assert [c.item.url for c in promoted if c.item] == ["https://example.org/2", "https://example.org/3"]


@pytest.mark.parametrize("refreshing", [False, True])
async def test_a_title_or_tag_given_to_what_is_kept_already_is_found_at_once(store: Store, refreshing: bool) -> None:
    accepted = await store.items.accept(page(URL))
    await run_through(store, await only_claim(store), text="the text")
    if refreshing:
        await store.retries.retry([accepted.uid])
    await store.items.accept(page(URL, title="Capybaras"))
    assert (await store.search.find("capybaras")).total == 1
    await store.items.accept(page(URL, tags=("rodents",)))
    assert (await store.search.find("tag:rodents capybaras")).total == 1
    assert (await store.search.find("rodents")).total == 1
