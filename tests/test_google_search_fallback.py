"""A page that is dead is found elsewhere by Google's Custom Search: the real stages, store and parse process, with a
site, the search and a mirror played on loopback. The key is nowhere but in the question to Google."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
import structlog.testing
import trio

from observability.log import get_logger
from observability.unexpected import Ledger
from pipeline.flow.line import Line
from pipeline.flow.pulse import Pulse
from pipeline.items import Item
from pipeline.lifecycle import State, Verdict
from pipeline.settings import BreakerSettings, DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.handle import Store, open_store
from stages.catalog import StageSettings, catalog
from stages.net.breakers import Breakers
from stages.parse.pool import ParsePool
from stages.settings import AcquireSettings, FallbackSettings, NetSettings, ParseSettings
from tests.store.hands import page
from tests.unit.stages.net.site import Request, Site, answering, fetcher, listening, reply
from tools.sample.pages import answers

KEY = "AIzaVerySecretKey"
TITLE = "The Rain Gauges of Orrin Street"
ARTICLE = answers("http://mirror.org")["/articles/rain-gauges"].body
HTML = {"Content-Type": "text/html; charset=utf-8"}
NOON = 1_795_435_200_000  # 2026-11-23: before Google ends its service, whatever the day of the test
SECONDS = 20.0


class Clock:
    """From noon on, at the pace of the test."""

    def wall_ms(self) -> int:
        return NOON + round(trio.current_time() * 1000 % 3_600_000)

    def monotonic(self) -> float:
        return trio.current_time()


class Internet:
    """gone.org has nothing, mirror.org has the article, google.org and brave.org find what they are told to."""

    def __init__(self) -> None:
        self.site: Site | None = None
        self.finds = {"google.org": "mirror.org", "brave.org": "mirror.org"}

    def at(self, host: str, path: str) -> str:
        assert self.site is not None
        return self.site.url(path, host=host)

    def asked(self, host: str) -> list[Request]:
        assert self.site is not None
        return [one for one in self.site.requests if one.headers["host"].startswith(f"{host}:")]

    def answer(self, request: Request) -> bytes:
        host = request.headers["host"].partition(":")[0]
        if host == "mirror.org":
            return reply(ARTICLE, headers=HTML)
        if host not in self.finds:
            return reply(b"<h1>Not found</h1>", status=404, headers=HTML)
        found = {"title": TITLE, "snippet": "Six gauges.", "description": "Six gauges."}
        found["link"] = found["url"] = self.at(self.finds[host], "/reprints/rain-gauges")
        body = {"items": [found], "web": {"results": [found]}}
        return reply(json.dumps(body).encode(), headers={"Content-Type": "application/json"})


class Atlas:
    """A worker's line over a store, and a bell for whatever comes to an end in it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.moved = trio.Event()
        self.ring: Callable[[], None] = lambda: None

    def news(self) -> None:
        self.moved.set()
        self.moved = trio.Event()

    async def save(self, url: str, title: str | None = TITLE) -> str:
        accepted = await self.store.items.accept(page(url, title=title))
        self.ring()
        return accepted.uid

    async def until(self, uid: str, *states: State) -> Item:
        with trio.fail_after(SECONDS):
            while True:
                moved = self.moved
                item = await self.store.items.get(uid)
                if item.state in states:
                    return item
                await moved.wait()


@asynccontextmanager
async def working(
    internet: Internet, folder: Path, *, give_up_days: float = 3, **fallback: Any
) -> AsyncIterator[Atlas]:
    """An Atlas at work on `folder`, whose Internet is on one loopback port."""
    clock = Clock()
    async with AsyncExitStack() as stack:
        internet.site = await stack.enter_async_context(listening(answering(internet.answer)))
        store = await stack.enter_async_context(
            open_store(DatabaseSettings(), QueueSettings(), RetrySettings(), folder=folder, clock=clock)
        )
        atlas = Atlas(store)
        breakers = Breakers(store.breakers, BreakerSettings(), clock=clock)
        fetch = await stack.enter_async_context(fetcher(breakers=breakers, clock=clock))
        pool = await stack.enter_async_context(ParsePool(ParseSettings(), 1))
        endpoints = FallbackSettings(
            google_url=internet.at("google.org", "/customsearch/v1"),
            google_key=KEY,
            google_engine="engine0123",
            brave_url=internet.at("brave.org", "/res/v1/web/search"),
            brave_key="BSAsecret",
        )
        settings = msgspec.structs.replace(endpoints, **fallback)
        stages = catalog(
            StageSettings(
                acquire=AcquireSettings(give_up_days=give_up_days), fallback=settings, net=NetSettings(robots="none")
            ),
            fetcher=fetch,
            pool=pool,
            processes=1,
            breakers=breakers,
            quotas=store.breakers,
            clock=clock,
        )
        line = Line(
            stages,
            store=store,
            clock=clock,
            boot="boot",
            queue=QueueSettings(),
            retry=RetrySettings(),
            random=lambda: 0.0,
            mishaps=Ledger(lambda: 0),
            news=atlas.news,
            log=get_logger(),
        )
        stack.callback(line.close)
        atlas.ring = line.dispatcher.ring
        nursery = await stack.enter_async_context(trio.open_nursery())
        for actor in line.actors:
            nursery.start_soon(actor.run_slot, Pulse())
        nursery.start_soon(line.dispatcher.run, Pulse())
        yield atlas
        nursery.cancel_scope.cancel()


def written(folder: Path) -> bytes:
    """All that is on the disk."""
    return b"".join(file.read_bytes() for file in folder.iterdir() if file.is_file())


async def test_a_dead_page_is_found_elsewhere_judged_kept_and_shown_with_where_it_came_from(tmp_path: Path) -> None:
    internet = Internet()
    with structlog.testing.capture_logs() as logs:
        async with working(internet, tmp_path, providers=("google",)) as atlas:
            uid = await atlas.save(internet.at("gone.org", "/2021/rain-gauges"))
            item = await atlas.until(uid, State.DONE, State.DEAD)
            assert (item.state, item.stage, item.verdict, item.title) == (State.DONE, 590, Verdict.FULL, TITLE)
            capture = await atlas.store.items.capture(uid)
            assert capture is not None
            assert (capture.provider, capture.url) == ("google", internet.at("mirror.org", "/reprints/rain-gauges"))
            assert capture.similarity is not None
            assert capture.similarity > 0.9
            steps = await atlas.store.items.steps(uid)
            told = [(step.code, step.method) for step in steps if step.code in (130, 140, 160)]
            assert told == [(130, "direct"), (140, "google"), (160, "google")]
            (asked,) = internet.asked("google.org")
            assert parse_qs(urlsplit(asked.path).query)["key"] == [KEY]
    assert KEY not in repr(logs)
    assert KEY.encode() not in written(tmp_path)


async def test_a_copy_that_is_another_page_is_refused_and_the_first_reason_is_told(tmp_path: Path) -> None:
    internet = Internet()
    async with working(internet, tmp_path, providers=("google",)) as atlas:
        # Its words stand in the result's title, as those of many pages do, but the page is not that one.
        uid = await atlas.save(internet.at("gone.org", "/x"), "The Rain Gauges Conspiracy: Forty Years Under Water")
        item = await atlas.until(uid, State.DONE, State.DEAD)
    assert item.state == State.DEAD
    assert item.reason is not None
    assert item.reason.code == "http_status"
    assert item.reason.detail.startswith("HTTP 404")
    assert item.verdict == Verdict.DEAD_LINK


@pytest.mark.slow
async def test_when_the_days_queries_are_used_up_the_next_provider_is_asked_also_after_a_restart(
    tmp_path: Path,
) -> None:
    internet = Internet()
    first: Mapping[str, Any] = {"providers": ("google", "brave"), "google_per_day": 1}
    internet.finds["google.org"] = "nowhere.org"
    async with working(internet, tmp_path, **first) as atlas:
        uid = await atlas.save(internet.at("gone.org", "/1"))
        assert (await atlas.until(uid, State.DONE, State.DEAD)).state == State.DONE
        assert [len(internet.asked(host)) for host in ("google.org", "brave.org")] == [1, 1]
    async with working(internet, tmp_path, **first) as atlas:
        uid = await atlas.save(internet.at("gone.org", "/2"))
        await atlas.until(uid, State.DONE, State.DEAD, State.DUPLICATE)
        assert [len(internet.asked(host)) for host in ("google.org", "brave.org")] == [0, 1]


async def test_when_only_google_is_left_and_its_queries_are_used_up_the_item_waits_and_then_says_why(
    tmp_path: Path,
) -> None:
    internet = Internet()
    internet.finds["google.org"] = "nowhere.org"
    async with working(
        internet, tmp_path, providers=("google",), google_per_day=1, patience_seconds=1.5, give_up_days=0
    ) as atlas:
        first = await atlas.save(internet.at("gone.org", "/1"))
        ended = await atlas.until(first, State.DONE, State.DEAD)
        assert ended.reason is not None
        assert ended.reason.detail == "HTTP 404 · no usable copy from google"
        second = await atlas.save(internet.at("gone.org", "/2"))
        waiting = await atlas.until(second, State.WAITING)
        assert (waiting.attempts, waiting.stage) == (0, 140)
        assert waiting.reason is not None
        assert "the 1 queries a day of google are used up" in waiting.reason.detail
        ended = await atlas.until(second, State.DONE, State.DEAD)
        assert ended.reason is not None
        assert (ended.state, ended.reason.code) == (State.DEAD, "http_status")
        assert "not asked" in ended.reason.detail
        assert len(internet.asked("google.org")) == 1


@pytest.mark.parametrize("changes", [{"providers": ()}, {"providers": ("google",), "google_key": ""}])
async def test_with_nobody_to_ask_or_no_key_a_dead_page_is_buried_where_it_was_fetched(
    tmp_path: Path, changes: Mapping[str, Any]
) -> None:
    internet = Internet()
    async with working(internet, tmp_path, **changes) as atlas:
        uid = await atlas.save(internet.at("gone.org", "/1"))
        item = await atlas.until(uid, State.DEAD, State.WAITING)
    assert (item.state, item.stage, item.verdict) == (State.DEAD, 130, Verdict.DEAD_LINK)
    assert internet.asked("google.org") == []
