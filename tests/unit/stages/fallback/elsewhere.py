"""The world outside on one loopback port: archives, searches and sites, told apart by their host, and the chain to ask
them by."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import trio

from pipeline.settings import BreakerSettings
from stages.fallback.chain import Chain, chain
from stages.fallback.provider import Copy, Sought
from stages.net.breakers import Breakers
from stages.net.client import Fetcher
from stages.settings import FallbackSettings
from tests.unit.stages.fake_context import NOW_MS
from tests.unit.stages.net.site import Request, Site, fetcher, listening, reply
from tests.unit.stages.net.test_breakers import HandClock, Notebook

Answer = Callable[[Request], bytes | None]  # None: not a word, for ever
KEY, TOKEN, ENGINE = "AIzaVerySecret", "BSAverysecret", "engine0123"
TITLE = "The Rain Gauges of Orrin Street"
HTML = {"Content-Type": "text/html; charset=utf-8"}
PAGE = f"<!DOCTYPE html><title>{TITLE}</title><h1>{TITLE}</h1><p>It rained.</p>".encode()
SECONDS = 30.0


class Accounts:
    """Daily counts in memory, as `store.breakers` keeps them on disk."""

    def __init__(self) -> None:
        self.used: dict[tuple[str, str], int] = {}

    async def spend(self, name: str, day: str, limit: int) -> bool:
        count = self.used.get((name, day), 0)
        if count < limit:
            self.used[name, day] = count + 1
        return count < limit


class Elsewhere:
    """Answers by host; `asked` are the targets that each host was asked for."""

    def __init__(self, site: Site, fetch: Fetcher) -> None:
        self.site = site
        self.fetch = fetch
        self.answers: dict[str, Answer] = {}
        self.requests: list[Request] = site.requests
        self.clock = HandClock()
        self.book = Notebook()
        self.ledger = Accounts()
        self.breakers = Breakers(self.book, BreakerSettings(failures=2), clock=self.clock)

    def on(self, host: str, answer: Answer | bytes) -> None:
        self.answers[host] = answer if callable(answer) else lambda _: answer

    def at(self, host: str, path: str = "/") -> str:
        return self.site.url(path, host=host)

    def asked(self, host: str) -> list[Request]:
        return [request for request in self.requests if request.headers["host"].partition(":")[0] == host]

    def settings(self, **changes: Any) -> FallbackSettings:
        return msgspec.structs.replace(
            FallbackSettings(
                wayback_url=self.at("available.org", "/wayback/available"),
                wayback_cdx_url=self.at("cdx.org", "/cdx/search/cdx"),
                wayback_web_url=self.at("web.org", "/web"),
                archive_today_url=self.at("today.org", ""),
                google_url=self.at("google.org", "/customsearch/v1"),
                google_key=KEY,
                google_engine=ENGINE,
                searxng_url=self.at("searx.org", "/search"),
                brave_url=self.at("brave.org", "/res/v1/web/search"),
                brave_key=TOKEN,
            ),
            **changes,
        )

    def chain(self, *providers: str, **changes: Any) -> Chain:
        return chain(
            self.settings(providers=providers, **changes),
            fetcher=self.fetch,
            breakers=self.breakers,
            ledger=self.ledger,
            clock=self.clock,
        )

    def sought(self, path: str = "/weather/rain-gauges", title: str | None = TITLE) -> Sought:
        return Sought(url=self.at("gone.org", path), title=title, wanted_at=NOW_MS)

    async def ask(
        self, name: str, sought: Sought | None = None, *, seconds: float = SECONDS, **changes: Any
    ) -> Copy | None:
        """What one provider has."""
        asked = self.chain(name, **changes)
        (provider,) = asked.left((sought or self.sought()).url, ())
        return await asked.ask(provider, sought or self.sought(), seconds=seconds)


@asynccontextmanager
async def elsewhere() -> AsyncIterator[Elsewhere]:
    made: list[Elsewhere] = []

    async def handler(stream: trio.SocketStream, request: Request) -> None:
        answer = made[0].answers.get(request.headers["host"].partition(":")[0])
        said = reply(b"nobody is here", status=404) if answer is None else answer(request)
        if said is None:
            await trio.sleep_forever()
            return
        await stream.send_all(said)

    async with listening(handler) as site, fetcher() as fetch:
        made.append(Elsewhere(site, fetch))
        yield made[0]


def as_json(content: object, *, status: int = 200) -> bytes:
    return reply(json.dumps(content).encode(), status=status, headers={"Content-Type": "application/json"})
