"""What any store must promise, on both event loops: tests that know the handle and not the database below it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest
import trio

from pipeline import errors
from pipeline.clock import SystemClock
from pipeline.lifecycle import State
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.handle import Store, open_store
from pipeline.store.items import ItemFilter
from pipeline.store.status import ActorReport, RoleReport
from tests.store.hands import claim_all, page, run_through

Body = Callable[[Store], Awaitable[None]]
DAY_MS = 86_400_000


@pytest.fixture(params=["trio", "asyncio", "inline"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Body], None]:
    """Run a body on a fresh store: on trio, on asyncio, and on trio without threads."""

    def start(body: Body) -> None:
        async def main() -> None:
            async with open_store(
                DatabaseSettings(),
                QueueSettings(),
                RetrySettings(),
                folder=tmp_path,
                clock=SystemClock(),
                inline=request.param == "inline",
            ) as store:
                await body(store)

        if request.param == "asyncio":
            asyncio.run(main())
        else:
            trio.run(main)

    return start


def test_an_item_goes_from_accepted_to_found(run: Callable[[Body], None]) -> None:
    async def body(store: Store) -> None:
        accepted = await store.items.accept(page("https://example.org/a", title="Given"))
        (claim,) = await claim_all(store)
        assert (await run_through(store, claim, text="a most peculiar sentence")).state is State.DONE
        (hit,) = (await store.search.find("peculiar")).hits
        assert hit.row.item.uid == accepted.uid
        document = await store.items.document(accepted.uid)
        assert (document.text, document.word_count, document.phrases) == ("a most peculiar sentence", 3, ("phrase",))

    run(body)


def test_lists_go_from_page_to_page_without_gap_or_repetition(run: Callable[[Body], None]) -> None:
    async def body(store: Store) -> None:
        for number in range(25):
            await store.items.accept(page(f"https://example.org/{number}", tags=("odd",) if number % 2 else ()))
        seen: list[str | None] = []
        cursor = None
        while True:
            listed = await store.items.list(ItemFilter(limit=7, cursor=cursor))
            seen.extend(row.item.url for row in listed.items)
            cursor = listed.cursor
            if cursor is None:
                break
        assert seen == [f"https://example.org/{number}" for number in range(24, -1, -1)]
        assert len((await store.items.list(ItemFilter(tag="odd"))).items) == 12
        assert len((await store.items.list(ItemFilter(states=(State.READY,), stage=100))).items) == 25
        assert (await store.items.list(ItemFilter(states=(State.DEAD,)))).items == ()
        assert len((await store.items.list(ItemFilter(states=(State.DEAD, State.READY)))).items) == 25

    run(body)


def test_a_cursor_that_is_not_ours_is_refused(run: Callable[[Body], None]) -> None:
    async def body(store: Store) -> None:
        for cursor in ("x", "!!", "AAAA", "é", "kwECAw"):
            with pytest.raises(errors.InvalidInput):
                await store.items.list(ItemFilter(cursor=cursor))

    run(body)


def test_writes_at_the_same_time_all_count(run: Callable[[Body], None]) -> None:
    async def body(store: Store) -> None:
        async def save(number: int) -> None:
            await store.items.accept(page(f"https://example.org/{number}"))

        async with anyio.create_task_group() as group:
            for number in range(300):
                group.start_soon(save, number)
        assert (await store.queue.depth()).backlog == 300

    run(body)


def test_what_is_cancelled_while_it_writes_is_whole_or_not_there(run: Callable[[Body], None]) -> None:
    async def body(store: Store) -> None:
        for number in range(50):
            with anyio.move_on_after(0.0002 * (number % 7)):
                await store.items.accept(page(f"https://example.org/{number}"))
        # A write that comes after them is behind them all.
        assert (await store.status.sweep()).drift == 0
        items = (await store.items.list(ItemFilter(limit=100))).items
        for row in items:
            assert len(await store.items.steps(row.item.uid)) == 2
        assert len(await claim_all(store)) == len(items)

    run(body)


def test_a_token_is_shown_once_checked_scoped_and_revoked(run: Callable[[Body], None]) -> None:
    async def body(store: Store) -> None:
        secret = await store.tokens.create("phone", "write")
        token = await store.tokens.check(secret, session_ms=DAY_MS)
        assert token is not None
        assert (token.name, token.scope, token.kind) == ("phone", "write", "token")
        assert await store.tokens.check(secret + "x", session_ms=DAY_MS) is None
        with pytest.raises(errors.InvalidInput):
            await store.tokens.create("phone", "read")
        with pytest.raises(errors.InvalidInput) as refused:
            await store.tokens.create(" ", "root")
        assert {fault.where for fault in refused.value.faults} == {"name", "scope"}
        await store.tokens.revoke("phone")
        assert await store.tokens.check(secret, session_ms=DAY_MS) is None
        with pytest.raises(errors.NotFound):
            await store.tokens.revoke("phone")

    run(body)


def test_a_sign_in_link_opens_one_session_once(run: Callable[[Body], None]) -> None:
    async def body(store: Store) -> None:
        link = await store.tokens.sign_in_link()
        assert await store.tokens.check(link, session_ms=DAY_MS) is None
        session = await store.tokens.redeem(link, "Firefox on the laptop", session_ms=DAY_MS)
        assert session is not None
        assert await store.tokens.redeem(link, "thief", session_ms=DAY_MS) is None
        assert (await store.tokens.check(session, session_ms=DAY_MS)) is not None
        await store.tokens.sign_out(session)
        assert await store.tokens.check(session, session_ms=DAY_MS) is None

    run(body)


def test_flags_are_set_and_cleared_one_by_one(run: Callable[[Body], None]) -> None:
    async def body(store: Store) -> None:
        accepted = await store.items.accept(page("https://example.org/a"))
        item = await store.items.mark(accepted.uid, read=True, starred=True)
        assert (item.read_at is None, item.starred_at is None, item.archived_at is None) == (False, False, True)
        item = await store.items.mark(accepted.uid, read=False)
        assert (item.read_at, item.starred_at is None) == (None, False)

    run(body)


def test_roles_report_and_events_are_read_in_order(run: Callable[[Body], None]) -> None:
    async def body(store: Store) -> None:
        actor = ActorReport(name="acquire", state="running", slots=2)
        await store.status.report(RoleReport(role="worker", boot="b", pid=1, started_at=1, seen_at=2, actors=(actor,)))
        await store.status.report(RoleReport(role="worker", boot="b", pid=1, started_at=1, seen_at=3, actors=(actor,)))
        (role,) = await store.status.roles()
        assert (role.seen_at, role.actors) == (3, (actor,))
        uids = [(await store.items.accept(page(f"https://example.org/{n}"))).uid for n in range(3)]
        events = await store.outbox.read(0, 100)
        assert [event.item_uid for event in events] == uids
        assert await store.outbox.read(events[-1].id) == ()
        assert await store.outbox.newest() == events[-1].id

    run(body)


def test_a_feed_is_followed_once_and_polled_once_however_often_it_is_due(run: Callable[[Body], None]) -> None:
    async def body(store: Store) -> None:
        feed = await store.feeds.add("https://example.org/feed.xml")
        assert (await store.feeds.add("HTTPS://EXAMPLE.org/feed.xml#x")).id == feed.id
        assert await store.feeds.queue_due() == 0
        (claim,) = await claim_all(store)
        assert claim.feed == feed

    run(body)


def test_an_error_inside_the_store_s_block_comes_out_as_itself(run: Callable[[Body], None]) -> None:
    async def body(_store: Store) -> None:
        raise errors.NotFound("mine")

    with pytest.raises(errors.NotFound, match="mine"):
        run(body)
