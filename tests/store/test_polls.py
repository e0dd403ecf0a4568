"""Polls of feeds on the queue: each entry once, in pieces that leave the write lock to others, and no poll for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import errors
from pipeline.effects import Entry, FeedPolled
from pipeline.items import Reason
from pipeline.lifecycle import Priority, State
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store import feeds
from pipeline.store.finish import Finished
from pipeline.store.handle import Store, open_store
from pipeline.work import Advance, Bury, Claim, Feed
from tests.store.hands import BOOT, TestClock, finish, page

FEED = "https://example.org/feed.xml"
HOUR_MS = 3_600_000


def polled(feed: Feed, count: int, due: int) -> Advance:
    entries = tuple(
        Entry(entry_key=f"{n}", submission=page(f"https://example.org/{n}", priority=Priority.FEED))
        for n in range(count)
    )
    effect = FeedPolled(feed_id=feed.id, title="A feed", etag="e", last_modified="m", next_poll_at=due, entries=entries)
    return Advance(effects=(effect,))


async def claim_poll(store: Store, boot: str = BOOT) -> Claim:
    (claim,) = await store.queue.claim({0: 1}, boot=boot)
    return claim


async def poll(store: Store, clock: TestClock, count: int) -> Finished:
    claim = await claim_poll(store)
    assert claim.feed is not None
    return await finish(store, claim, polled(claim.feed, count, clock.wall + HOUR_MS))


async def test_a_large_feed_is_taken_in_pieces_each_entry_once(store: Store, clock: TestClock) -> None:
    await store.feeds.add(FEED)
    batches = store.status._db.writer.batches
    assert (await poll(store, clock, 2500)).state is State.DONE
    assert store.status._db.writer.batches - batches >= 5, "at most 500 entries in one transaction"
    assert (await store.queue.depth()).backlog == 2500
    clock.pass_seconds(3601)
    await store.feeds.queue_due()
    await poll(store, clock, 2600)
    assert (await store.queue.depth()).backlog == 2600
    assert (await store.status.sweep()).drift == 0


async def test_a_poll_whose_lease_is_lost_keeps_nothing(store: Store, clock: TestClock) -> None:
    await store.feeds.add(FEED)
    claim = await claim_poll(store)
    assert claim.feed is not None
    await store.queue.release([claim.lease_token])
    with pytest.raises(errors.LeaseLost):
        await finish(store, claim, polled(claim.feed, 1200, clock.wall))
    assert (await store.queue.depth()).backlog == 0


async def test_a_feed_larger_than_the_backlog_is_kept_as_far_as_there_is_room_and_asked_again_for_the_rest(
    tmp_path: Path, clock: TestClock
) -> None:
    limits = QueueSettings(max_size=5, max_backlog=10)
    async with open_store(DatabaseSettings(), limits, RetrySettings(), folder=tmp_path, clock=clock) as store:
        await store.feeds.add(FEED)
        assert (await poll(store, clock, 15)).state is State.DONE
        assert (await store.queue.depth()).backlog == 9, "the last tenth is for persons"
        (feed,) = await store.feeds.list()
        # As if it had never been asked, or the server would say that nothing is new.
        assert (feed.etag, feed.last_modified) == (None, None)
        assert clock.wall < feed.next_poll_at <= clock.wall + 300_000
        for _ in range(9):
            for claim in await store.queue.claim({100: 10}, boot=BOOT):
                await finish(store, claim, Bury(reason=Reason(code="x")))
        clock.wall = feed.next_poll_at
        await store.feeds.queue_due()
        await poll(store, clock, 15)
        (feed,) = await store.feeds.list()
        assert (feed.etag, (await store.queue.depth()).backlog) == ("e", 6)


async def test_a_feed_at_whose_poll_three_workers_died_is_put_off_with_a_reason(store: Store, clock: TestClock) -> None:
    await store.feeds.add(FEED)
    for number, expected in enumerate([(1, 0), (1, 0), (0, 1)]):
        await claim_poll(store, f"boot-{number}")
        assert await store.queue.reclaim(boot=f"boot-{number + 1}") == expected
    assert await store.queue.claim({0: 1}, boot="boot-3") == ()
    assert await store.feeds.queue_due() == 0
    (feed,) = await store.feeds.list()
    assert (feed.failures, feed.next_poll_at) == (1, clock.wall + HOUR_MS)
    clock.pass_seconds(3600)
    assert await store.feeds.queue_due() == 1


async def test_feeds_that_are_on_the_queue_already_do_not_keep_the_others_from_it(
    store: Store, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "AT_ONCE", 2)
    for number in range(3):
        await store.feeds.add(f"https://example.org/{number}.xml")
        await claim_poll(store)
    await store.status._db.write(lambda conn: conn.execute("DELETE FROM work WHERE feed_id = 3").get)
    assert await store.feeds.queue_due() == 1
