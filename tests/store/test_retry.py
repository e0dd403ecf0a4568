"""Retrying: dead letters, waits and what is kept go through again, one or many, and nothing kept is lost over it."""

from __future__ import annotations

import pytest

from pipeline import errors
from pipeline.effects import SetVerdict
from pipeline.items import Item, Kind, Reason, Submission
from pipeline.lifecycle import Stage, State, Verdict
from pipeline.selection import parse
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.handle import Store, open_store
from pipeline.store.redo import Deed
from pipeline.work import Advance, Bury, Claim, Outcome, Retry
from tests.store.hands import (
    EVERYTHING,
    TestClock,
    captured,
    claim_all,
    enriched,
    extracted,
    finish,
    page,
    run_through,
)

DAY = 86_400
GONE = Bury(
    reason=Reason(code="dead_link", hint="It is gone."), effects=(SetVerdict(verdict=Verdict.DEAD_LINK, evidence=""),)
)


async def claimed(store: Store, url: str = "https://a.example/", **more: object) -> Claim:
    uid = (await store.items.accept(page(url, **more))).uid
    return next(claim for claim in await claim_all(store) if claim.item is not None and claim.item.uid == uid)


def uid_of(claim: Claim) -> str:
    assert claim.item is not None
    return claim.item.uid


async def dead(store: Store, url: str = "https://a.example/", code: str = "timeout", **more: object) -> str:
    claim = await claimed(store, url, **more)
    await finish(store, claim, Bury(reason=Reason(code=code)))
    return uid_of(claim)


async def done(store: Store, url: str = "https://a.example/", text: str = "the old text") -> str:
    claim = await claimed(store, url)
    await run_through(store, claim, text=text)
    return uid_of(claim)


async def through(store: Store, *outcomes: Outcome) -> None:
    """Take the one claim that there is through these steps."""
    (claim,) = await claim_all(store)
    at: Claim | None = claim
    for outcome in outcomes:
        assert at is not None
        at = (await finish(store, at, outcome)).next


async def change(store: Store, uid: str) -> str | None:
    (outcome,) = await store.retries.outcomes([uid])
    return outcome.change


async def found(store: Store, words: str) -> int:
    return (await store.search.find(words)).total


async def test_a_dead_letter_starts_again_from_the_beginning_with_all_its_attempts_and_its_priority(
    store: Store, clock: TestClock
) -> None:
    claim = await claimed(store, priority=1)
    await finish(store, claim, Retry(reason=Reason(code="timeout"), after=1.0))
    clock.pass_seconds(2)
    (again,) = await claim_all(store)
    await finish(store, again, Bury(reason=Reason(code="timeout")))
    redone = await store.retries.retry([uid_of(claim)])
    assert redone.counts == {Deed.REQUEUED: 1}
    assert redone.uids == (uid_of(claim),)
    item = await store.items.get(uid_of(claim))
    assert (item.state, item.stage, item.attempts, item.reason, item.priority) == (State.READY, 110, 0, None, 1)
    (fresh,) = await claim_all(store)
    assert (fresh.stage, fresh.attempts) == (Stage.QUEUED, 0)


async def test_a_note_starts_again_where_it_started(store: Store) -> None:
    accepted = await store.items.accept(Submission(kind=Kind.NOTE, text="# A note"))
    (claim,) = await claim_all(store)
    await finish(store, claim, Bury(reason=Reason(code="no_text")))
    assert (await store.retries.retry([accepted.uid])).counts == {Deed.REQUEUED: 1}
    (again,) = await claim_all(store)
    assert again.stage == Stage.PROCESSING


async def test_an_item_that_waits_is_ready_at_once_and_keeps_its_stage(store: Store, clock: TestClock) -> None:
    claim = await claimed(store)
    onward = await finish(store, claim, captured(claim))
    assert onward.next is not None
    await finish(store, onward.next, Retry(reason=Reason(code="timeout"), after=3600.0))
    waiting = await store.items.get(uid_of(claim))
    assert waiting.due_at == clock.wall_ms() + 3_600_000
    assert (await store.retries.retry([uid_of(claim)])).counts == {Deed.HASTENED: 1}
    (again,) = await claim_all(store)
    assert again.stage == Stage.VALIDATING
    assert again.item is not None
    assert again.item.due_at is None


async def test_what_is_unknown_deleted_on_its_way_or_a_duplicate_is_told_and_left_alone(store: Store) -> None:
    original = await done(store, "https://a.example/", "the same")
    copy = await done(store, "https://b.example/", "the same")
    deleted = await dead(store, "https://c.example/")
    await store.items.delete(deleted)
    flying = uid_of(await claimed(store, "https://d.example/"))
    redone = await store.retries.retry([copy, deleted, flying, "0" * 26, flying])
    assert {each.uid: each.deed for each in redone.left} == {
        copy: Deed.DUPLICATE,
        deleted: Deed.DELETED,
        flying: Deed.IN_FLIGHT,
        "0" * 26: Deed.UNKNOWN,
    }
    assert redone.uids == ()
    assert (await store.items.get(original)).state is State.DONE


async def test_asking_twice_does_it_once(store: Store) -> None:
    uid = await dead(store)
    await store.retries.retry([uid])
    assert (await store.retries.retry([uid])).counts == {Deed.IN_FLIGHT: 1}
    assert len(await claim_all(store)) == 1
    assert sum(step.method == "requeued" for step in await store.items.steps(uid)) == 1


async def test_a_selection_retries_what_matches_among_dead_and_waiting_items_only(store: Store) -> None:
    wanted = await dead(store, "https://news.a.example/1")
    other_site = await dead(store, "https://nota.example/1")
    other_code = await dead(store, "https://a.example/2", code="dead_link")
    kept = await done(store, "https://a.example/3")
    redone = await store.retries.retry_where(parse("error:timeout error:dns_failed site:a.example"))
    assert redone.uids == (wanted,)
    states = [(await store.items.get(uid)).state for uid in (other_site, other_code, kept)]
    assert states == [State.DEAD, State.DEAD, State.DONE]
    assert (await store.retries.retry_where(parse("site:a.example"))).uids == (other_code,)
    assert (await store.retries.retry_where(parse("site:a.example state:done"))).uids == (kept,)


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ('tag:"to read"', ["a"]),
        ('-tag:"to read"', ["b", "c"]),
        ("source:feed", ["b"]),
        ("source:feed:F1 source:api", ["a", "b", "c"]),
        ("stage:acquire", ["a", "b"]),
        ("stage:200", ["c"]),
        ("verdict:blocked", ["c"]),
        ("-verdict:blocked", ["a", "b"]),
        ("older:1d", ["a"]),
        ("newer:1d -site:b.example", ["c"]),
        ("-error:timeout", ["c"]),
        ("state:dead site:example", ["a", "b", "c"]),
        ("state:done", []),
    ],
)
async def test_every_key_of_the_language_selects(store: Store, clock: TestClock, text: str, matches: list[str]) -> None:
    uids = {"a": await dead(store, "https://a.example/", tags=("to read",))}
    clock.pass_seconds(2 * DAY)
    uids["b"] = await dead(store, "https://b.example/", source="feed:F1")
    claim = await claimed(store, "https://c.example/")
    onward = await finish(store, claim, captured(claim))
    assert onward.next is not None
    blocked = SetVerdict(verdict=Verdict.BLOCKED, evidence="")
    await finish(store, onward.next, Bury(reason=Reason(code="challenge"), effects=(blocked,)))
    uids["c"] = uid_of(claim)
    assert await store.retries.matching(parse(text)) == tuple(uids[name] for name in matches)


async def test_a_thousand_dead_letters_go_back_in_pieces_and_past_the_queue_they_are_deferred(
    tmp_path, clock: TestClock
) -> None:
    limits = QueueSettings(max_size=700)
    async with open_store(DatabaseSettings(), limits, RetrySettings(), folder=tmp_path, clock=clock) as store:
        for n in range(1100):
            await store.items.accept(page(f"https://a.example/{n}"))
        while claims := await store.queue.claim(dict.fromkeys(EVERYTHING, 1000), boot="boot-1"):
            for claim in claims:
                await finish(store, claim, Bury(reason=Reason(code="timeout")))
        redone = await store.retries.retry_where(parse("error:timeout"))
        assert redone.counts == {Deed.REQUEUED: 1100}
        depth = await store.queue.depth()
        assert (depth.queue_size, depth.backlog) == (700, 1100)
        assert (await store.status.sweep()).drift == 0


async def test_a_full_backlog_takes_what_fits_and_says_how_many(tmp_path, clock: TestClock) -> None:
    limits = QueueSettings(max_size=5, max_backlog=10)
    async with open_store(DatabaseSettings(), limits, RetrySettings(), folder=tmp_path, clock=clock) as store:
        uids = [await dead(store, f"https://a.example/{n}") for n in range(12)]
        with pytest.raises(errors.QueueFull, match="9 of 12"):
            await store.retries.retry_where(parse("error:timeout"))
        with pytest.raises(errors.QueueFull, match="1 of 12"):
            await store.retries.retry(uids)
        assert (await store.queue.depth()).backlog == 10
        assert await store.retries.failed() == 2


async def test_a_page_stays_readable_and_found_while_it_is_fetched_again(store: Store) -> None:
    uid = await done(store)
    assert (await store.retries.retry([uid])).counts == {Deed.REFRESHED: 1}
    assert (await store.items.get(uid)).state is State.READY
    assert (await store.items.document(uid)).text == "the old text"
    assert await found(store, "old text") == 1


async def test_a_refresh_that_works_replaces_the_text_and_says_what_changed(store: Store) -> None:
    uid = await done(store)
    await store.retries.retry([uid])
    (claim,) = await claim_all(store)
    await run_through(store, claim, text="the new text")
    assert (await store.items.get(uid)).state is State.DONE
    assert (await found(store, "new"), await found(store, "old")) == (1, 0)
    assert await change(store, uid) == "text changed: 3 → 3 words"
    await finish_again_with_a_failure_later(store, uid)


async def finish_again_with_a_failure_later(store: Store, uid: str) -> None:
    """Nothing of the first refresh is left that a second one could go back to."""
    await store.retries.retry([uid])
    await through(store, GONE)
    assert (await store.items.document(uid)).text == "the new text"


FAILURES = {
    "fetch": lambda _claim: (GONE,),
    "validate": lambda claim: (captured(claim, "https://wall.example/"), GONE),
    "extract": lambda claim: (captured(claim), Advance(), GONE),
    "enrich": lambda claim: (captured(claim), Advance(), extracted("not the article", "Are you human?"), GONE),
    "finalise": lambda claim: (captured(claim), Advance(), extracted("not the article"), enriched(), GONE),
}


@pytest.mark.parametrize("at", FAILURES)
async def test_a_refresh_that_fails_for_good_leaves_what_was_kept_and_says_why(store: Store, at: str) -> None:
    uid = await done(store)
    before, document = await kept_of(store, uid)
    capture = await store.items.capture(uid)
    await store.retries.retry([uid])
    (claim,) = await claim_all(store)
    step: Claim | None = claim
    for outcome in FAILURES[at](claim):
        assert step is not None
        finished = await finish(store, step, outcome)
        step = finished.next
    assert finished.state is State.DONE
    after, now = await kept_of(store, uid)
    assert (after.state, after.stage, after.verdict) == (State.DONE, Stage.DONE, before.verdict)
    assert after.reason is not None
    assert after.reason.code == "dead_link"
    assert now == document
    assert await store.items.capture(uid) == capture
    assert (await found(store, "old text"), await found(store, "article")) == (1, 0)
    assert (await store.items.steps(uid))[-1].error == "dead_link"
    assert (await store.status.sweep()).drift == 0
    assert (await store.items.accept(page("https://wall.example/"))).created  # a page of its own, not this one


async def kept_of(store: Store, uid: str) -> tuple[Item, object]:
    return await store.items.get(uid), await store.items.document(uid)


async def test_a_worker_that_dies_of_a_refresh_leaves_what_was_kept(store: Store) -> None:
    uid = await done(store)
    await store.retries.retry([uid])
    for life in range(3):
        assert len(await claim_all(store, boot=f"life-{life}")) == 1
        await store.queue.reclaim(boot=f"life-{life + 1}")
    item = await store.items.get(uid)
    assert item.state is State.DONE
    assert item.reason is not None
    assert item.reason.code == "poison"
    assert await found(store, "old text") == 1


async def test_a_refresh_that_leads_to_what_is_kept_already_keeps_its_own_text(store: Store) -> None:
    front = await done(store, "https://a.example/front", "the front page")
    uid = await done(store, "https://a.example/article", "the article")
    await store.retries.retry([uid])
    (claim,) = await claim_all(store)
    await run_through(store, claim, text="the front page", final_url="https://a.example/front")
    item = await store.items.get(uid)
    assert (item.state, item.duplicate_of) == (State.DONE, None)
    assert item.reason is not None
    assert (item.reason.code, front in item.reason.detail) == ("now_a_duplicate", True)
    await store.retries.retry([uid])
    (claim,) = await claim_all(store)
    await run_through(store, claim, text="the front page")
    assert (await store.items.get(uid)).state is State.DONE
    assert (await store.items.document(uid)).text == "the article"
    assert await found(store, "article") == 1


async def test_a_copy_that_comes_in_while_the_original_is_fetched_again_is_a_duplicate_all_the_same(
    store: Store,
) -> None:
    original = await done(store, "https://a.example/", "the same")
    await store.retries.retry([original])
    claims = await claim_all(store)
    copy = await done(store, "https://b.example/", "the same")
    assert (await store.items.get(copy)).duplicate_of == original
    await run_through(store, claims[0], text="the same")
    assert (await store.items.get(original)).state is State.DONE


async def test_a_page_deleted_while_it_is_fetched_again_comes_back_with_its_text(store: Store) -> None:
    uid = await done(store)
    await store.retries.retry([uid])
    await store.items.delete(uid)
    assert await found(store, "old text") == 0
    await store.items.accept(page("https://a.example/"))
    assert await found(store, "old text") == 1
    await through(store, GONE)
    assert (await store.items.get(uid)).state is State.DONE
    assert await found(store, "old text") == 1


async def test_saving_a_page_again_that_is_done_does_not_fetch_it(store: Store) -> None:
    await done(store)
    assert not (await store.items.accept(page("https://a.example/"))).requeued
    assert await claim_all(store) == ()


async def test_dead_letters_are_kept_however_old_they_get(store: Store, clock: TestClock) -> None:
    uid = await dead(store)
    steps = await store.items.steps(uid)
    for _month in range(13):
        clock.pass_seconds(30 * DAY)
        await store.status.sweep()
    item = await store.items.get(uid)
    assert item.state is State.DEAD
    assert item.reason is not None
    assert item.reason.code == "timeout"
    assert await store.items.steps(uid) == steps
    assert (await store.retries.retry([uid])).counts == {Deed.REQUEUED: 1}


async def test_dead_letters_are_grouped_by_what_went_wrong_and_by_site(store: Store) -> None:
    for n in range(3):
        await dead(store, f"https://a.example/{n}")
    await dead(store, "https://b.example/", code="challenge")
    await done(store, "https://c.example/")
    everything = parse("state:dead")
    assert [(group.name, group.n) for group in await store.retries.groups(everything)] == [
        ("timeout", 3),
        ("challenge", 1),
    ]
    assert [(group.name, group.n) for group in await store.retries.groups(everything, by="site")] == [
        ("a.example", 3),
        ("b.example", 1),
    ]
    assert await store.retries.failed() == 4
    assert await store.retries.count(parse("error:timeout")) == 3


@pytest.mark.parametrize(
    ("text", "verdict", "kept"),
    [
        ("the old", Verdict.PARTIAL, "the old text"),
        ("the old", Verdict.FULL, "the old"),
        ("the old text, and more of it", Verdict.PARTIAL, "the old text, and more of it"),
    ],
)
async def test_a_refresh_that_brings_only_a_part_of_a_whole_article_leaves_the_whole_one(
    store: Store, text: str, verdict: Verdict, kept: str
) -> None:
    whole = Advance(effects=(SetVerdict(verdict=Verdict.FULL, evidence=""),))
    claim = await claimed(store)
    await finish_all(store, claim, captured(claim), whole, extracted("the old text"), enriched(), Advance())
    await store.retries.retry([uid_of(claim)])
    (again,) = await claim_all(store)
    judged = Advance(effects=(SetVerdict(verdict=verdict, evidence="the rest is sold"),))
    await finish_all(store, again, captured(again), judged, extracted(text), enriched(), Advance())
    item = await store.items.get(uid_of(claim))
    assert item.state is State.DONE
    assert (await store.items.document(uid_of(claim))).text == kept
    stays = kept == "the old text"
    assert (item.reason.code if item.reason else None) == ("now_partial" if stays else None)
    assert item.verdict == (Verdict.FULL if stays else verdict)


async def finish_all(store: Store, claim: Claim, *outcomes: Outcome) -> None:
    """Take a claim through these steps, or to where it ends before the last of them."""
    at: Claim | None = claim
    for outcome in outcomes:
        if at is not None:
            at = (await finish(store, at, outcome)).next
