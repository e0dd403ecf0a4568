"""Replaying: later stages run again from the archived bodies; what was kept stays until something better is there."""

from __future__ import annotations

import apsw
import pytest

from pipeline import errors
from pipeline.effects import SetVerdict
from pipeline.items import Kind, Reason, Submission
from pipeline.lifecycle import Priority, Stage, State, Verdict
from pipeline.selection import parse
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.handle import Store, open_store
from pipeline.store.redo import Deed
from pipeline.work import Advance, Bury, Claim, Divert, Outcome
from tests.store.hands import TestClock, captured, claim_all, enriched, extracted, finish, page, run_through
from tests.store.test_retry import change, claimed, dead, done, found, uid_of

REFUSED = Divert(
    stage=Stage.FALLING_BACK,
    reason=Reason(code="challenge", hint="It wants to see a browser."),
    effects=(SetVerdict(verdict=Verdict.BLOCKED, evidence="a check"),),
)


def finalised(text: str) -> Outcome:
    from pipeline.effects import ClaimContent, Index

    return Advance(effects=(ClaimContent(text_hash=text, content_hash="c"), Index()))


async def replayed(store: Store, claim: Claim, text: str, title: str = "A title") -> None:
    """Take a claim at 300 to its end."""
    at: Claim | None = claim
    for outcome in (extracted(text, title), enriched(), finalised(text)):
        assert at is not None
        at = (await finish(store, at, outcome)).next


@pytest.mark.parametrize("start", [200, 300, 400, 500])
async def test_a_replay_enters_where_it_was_asked_to_and_has_the_archived_body(store: Store, start: int) -> None:
    uid = await done(store)
    redone = await store.retries.replay([uid], start)
    assert redone.counts == {Deed.REPLAYED: 1}
    (claim,) = await claim_all(store)
    assert claim.stage == start
    assert claim.capture is not None
    assert await store.bodies.get(claim.capture.body) == b"<p>https://a.example/</p>"
    assert (await store.items.get(uid)).state is State.LEASED
    assert await found(store, "old text") == 1


async def test_a_replay_that_changes_nothing_says_so(store: Store) -> None:
    uid = await done(store)
    await store.retries.replay([uid], 300)
    (claim,) = await claim_all(store)
    await replayed(store, claim, "the old text")
    assert await change(store, uid) == "text unchanged"
    told = [step for step in await store.items.steps(uid) if step.method == "replayed" and step.detail]
    assert [step.code for step in told] == [Stage.FINALISING]
    assert (await store.status.sweep()).drift == 0


async def test_a_replay_that_finds_another_text_and_title_says_how_they_differ(store: Store) -> None:
    uid = await done(store)
    await store.retries.replay([uid], 300)
    (claim,) = await claim_all(store)
    await replayed(store, claim, "a better text", "A better title")
    assert await change(store, uid) == "text changed: 3 → 3 words; title “A title” → “A better title”"
    assert (await found(store, "better"), await found(store, "old")) == (1, 0)


async def test_a_stored_document_that_is_damaged_is_made_whole_from_the_archived_body(store: Store) -> None:
    uid = await done(store)

    def damage(conn: apsw.Connection) -> None:
        conn.execute("UPDATE documents SET text = 'the o'")

    await store.status._db.write(damage)
    await store.retries.replay([uid], 300)
    (claim,) = await claim_all(store)
    await replayed(store, claim, "the old text")
    assert (await store.items.document(uid)).text == "the old text"
    assert "text changed" in (await change(store, uid) or "")


async def test_a_replay_from_a_late_stage_leaves_the_text_alone(store: Store) -> None:
    uid = await done(store)
    await store.retries.replay([uid], 500)
    (claim,) = await claim_all(store)
    await finish(store, claim, finalised("the old text"))
    assert (await store.items.get(uid)).state is State.DONE
    assert await change(store, uid) == "text unchanged"


@pytest.mark.parametrize("after_extraction", [False, True])
async def test_a_replay_that_fails_leaves_the_document_verdict_and_search_row_of_before(
    store: Store, after_extraction: bool
) -> None:
    claim = await claimed(store)
    uid = uid_of(claim)
    full = Advance(effects=(SetVerdict(verdict=Verdict.FULL, evidence=""),))
    at: Claim | None = claim
    for outcome in (captured(claim), full, extracted("the old text"), enriched(), finalised("the old text")):
        assert at is not None
        at = (await finish(store, at, outcome)).next
    document = await store.items.document(uid)
    await store.retries.replay([uid], 200)
    (at,) = await claim_all(store)
    stub = SetVerdict(verdict=Verdict.STUB, evidence="")
    outcomes: tuple[Outcome, ...] = (Bury(reason=Reason(code="stub"), effects=(stub,)),)
    if after_extraction:
        outcomes = (Advance(effects=(stub,)), extracted("rubbish"), Bury(reason=Reason(code="internal")))
    for outcome in outcomes:
        assert at is not None
        at = (await finish(store, at, outcome)).next
    item = await store.items.get(uid)
    assert (item.state, item.verdict) == (State.DONE, Verdict.FULL)
    assert item.reason is not None
    assert await store.items.document(uid) == document
    assert (await found(store, "old text"), await found(store, "rubbish")) == (1, 0)


async def test_what_has_no_body_or_no_text_cannot_be_replayed_and_stays_as_it_is(store: Store) -> None:
    never_fetched = await dead(store)
    assert (await store.retries.replay([never_fetched], 300)).counts == {Deed.NO_BODY: 1}
    claim = await claimed(store, "https://b.example/")
    onward = await finish(store, claim, captured(claim))
    assert onward.next is not None
    full = SetVerdict(verdict=Verdict.FULL, evidence="")
    await finish(store, onward.next, Bury(reason=Reason(code="no_text"), effects=(full,)))
    assert (await store.retries.replay([uid_of(claim)], 400)).counts == {Deed.NO_TEXT: 1}
    assert (await store.items.get(uid_of(claim))).state is State.DEAD
    assert await claim_all(store) == ()


async def test_a_page_that_was_refused_is_judged_again_before_anything_is_extracted_from_it(store: Store) -> None:
    claim = await claimed(store)
    onward = await finish(store, claim, captured(claim))
    assert onward.next is not None
    blocked = SetVerdict(verdict=Verdict.BLOCKED, evidence="")
    await finish(store, onward.next, Bury(reason=Reason(code="challenge"), effects=(blocked,)))
    await store.retries.replay([uid_of(claim)], 300)
    (again,) = await claim_all(store)
    assert again.stage == Stage.VALIDATING


async def test_a_note_is_replayed_from_its_own_text_and_never_judged(store: Store) -> None:
    accepted = await store.items.accept(Submission(kind=Kind.NOTE, text="# A note"))
    (claim,) = await claim_all(store)
    await replayed(store, claim, "A note")
    await store.retries.replay([accepted.uid], 200)
    (again,) = await claim_all(store)
    assert again.stage == Stage.PROCESSING
    assert again.capture is not None


async def test_many_replays_give_way_to_what_a_person_saves(store: Store) -> None:
    uids = [await done(store, f"https://a.example/{n}", text=f"text {n}") for n in range(3)]
    assert (await store.retries.replay_where(parse("site:a.example"), 300)).counts == {Deed.REPLAYED: 3}
    saved = await store.items.accept(Submission(kind=Kind.NOTE, text="now"))
    (first,) = await store.queue.claim({300: 1}, boot="boot-1")
    assert uid_of(first) == saved.uid
    assert {uid_of(claim) for claim in await claim_all(store)} == set(uids)
    assert {(await store.items.get(uid)).priority for uid in uids} == {Priority.PERSON}


async def test_replays_past_the_queue_wait_at_50_and_past_the_backlog_are_refused_with_what_fitted(
    tmp_path, clock: TestClock
) -> None:
    limits = QueueSettings(max_size=3, max_backlog=10)
    async with open_store(DatabaseSettings(), limits, RetrySettings(), folder=tmp_path, clock=clock) as store:
        for n in range(12):
            await done(store, f"https://a.example/{n}", text=f"text {n}")
        with pytest.raises(errors.QueueFull, match="9 of 12"):
            await store.retries.replay_where(parse("site:a.example"), 300)
        counts = {(each.stage, each.state): each.n for each in await store.status.counts()}
        assert counts == {(50, "deferred"): 6, (300, "ready"): 3, (590, "done"): 3}
        while claims := await claim_all(store):
            for claim in claims:
                await replayed(store, claim, (await store.items.document_of(claim.item.id)).text)
        assert {(each.state, each.n) for each in await store.status.counts()} == {("done", 12)}


async def test_what_was_kept_first_does_not_become_a_duplicate_of_what_came_later(store: Store) -> None:
    first = await done(store, "https://a.example/", "the first with a menu")
    later = await done(store, "https://b.example/", "the article")
    await store.retries.replay([first], 300)
    (claim,) = await claim_all(store)
    await replayed(store, claim, "the article")
    item = await store.items.get(first)
    assert (item.state, item.duplicate_of) == (State.DONE, None)
    await store.retries.replay([later], 300)
    (claim,) = await claim_all(store)
    await replayed(store, claim, "the article")
    assert (await store.items.get(later)).state is State.DONE  # its own text is what it was


async def test_a_replay_that_finds_the_text_of_an_earlier_item_becomes_its_duplicate(store: Store) -> None:
    first = await done(store, "https://a.example/", "the article")
    later = await done(store, "https://b.example/", "the article with a menu")
    await store.retries.replay([later], 300)
    (claim,) = await claim_all(store)
    await replayed(store, claim, "the article")
    item = await store.items.get(later)
    assert (item.state, item.duplicate_of) == (State.DUPLICATE, first)
    assert await found(store, "article") == 1
    await store.items.delete(first)
    assert (await store.retries.retry([later])).counts == {Deed.REQUEUED: 1}
    (claim,) = await claim_all(store)
    await run_through(store, claim, text="the article")
    assert (await store.items.get(later)).state is State.DONE


async def test_a_replay_cannot_begin_where_the_network_is_needed(store: Store) -> None:
    with pytest.raises(errors.InvalidInput):
        await store.retries.replay([await done(store)], 100)


async def test_asking_twice_replays_once(store: Store) -> None:
    uid = await done(store)
    await store.retries.replay([uid, uid], 300)
    assert (await store.retries.replay([uid], 300)).counts == {Deed.IN_FLIGHT: 1}
    assert len(await claim_all(store)) == 1
    assert not (await store.items.accept(page("https://a.example/"))).requeued


async def test_a_replay_of_what_is_kept_goes_nowhere_else_for_a_copy_when_it_is_refused(store: Store) -> None:
    uid = await done(store)
    await store.retries.replay([uid], 200)
    (claim,) = await claim_all(store)
    finished = await finish(store, claim, REFUSED)
    assert finished.state is State.DONE
    assert await claim_all(store) == ()
    item = await store.items.get(uid)
    assert (item.state, item.reason.code if item.reason else None) == (State.DONE, "challenge")
    assert await found(store, "old text") == 1


async def test_a_replay_of_a_refused_page_ends_where_the_network_would_begin(store: Store) -> None:
    claim = await claimed(store)
    after = (await finish(store, claim, captured(claim))).next
    assert after is not None
    await finish(store, after, Bury(reason=Reason(code="challenge"), effects=REFUSED.effects))
    await store.retries.replay([uid_of(claim)], 300)
    (again,) = await claim_all(store)
    assert again.stage == Stage.VALIDATING
    assert (await finish(store, again, REFUSED)).state is State.DEAD
    assert await claim_all(store) == ()
    await store.retries.retry([uid_of(claim)])  # this may
    (retried,) = await claim_all(store)
    onward = (await finish(store, retried, captured(retried))).next
    assert onward is not None
    assert (await finish(store, onward, REFUSED)).state is State.READY


async def test_what_is_deleted_during_its_replay_and_saved_again_stays_kept_where_its_page_now_leads(
    store: Store,
) -> None:
    other = await done(store, "https://b.example/", "another")
    uid = await done(store)
    await store.retries.replay([uid], 300)
    await store.items.delete(uid)
    assert (await store.items.accept(page("https://a.example/"))).requeued
    (claim,) = await claim_all(store)
    assert claim.stage == Stage.QUEUED
    finished = await finish(store, claim, captured(claim, "https://b.example/"))
    assert finished.state is State.DONE
    item = await store.items.get(uid)
    assert (item.state, item.duplicate_of, item.reason.code if item.reason else None) == (
        State.DONE,
        None,
        "now_a_duplicate",
    )
    assert await found(store, "old text") == 1
    assert (await store.items.get(other)).state is State.DONE
