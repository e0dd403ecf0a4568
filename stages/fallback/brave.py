"""brave: the Brave Search API; its key goes in a header."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

import msgspec

from pipeline.clock import Clock
from stages.fallback.provider import Copy, FetchPort, Sought
from stages.fallback.quota import Ledger, Quota
from stages.fallback.reply import ask_json
from stages.fallback.search import Result, best_copy, words_for
from stages.settings import FallbackSettings


class _Item(msgspec.Struct):
    url: str
    title: str = ""
    description: str = ""


class _Web(msgspec.Struct):
    results: list[_Item] = []


class _Answer(msgspec.Struct):
    web: _Web | None = None  # absent when nothing was found


class Brave:
    name: Final = "brave"
    is_third_party: Final = True

    def __init__(self, fetcher: FetchPort, settings: FallbackSettings, *, ledger: Ledger, clock: Clock) -> None:
        self._fetcher = fetcher
        self._url = settings.brave_url
        self._headers = {"X-Subscription-Token": settings.brave_key}
        self._quota = Quota(self.name, settings.brave_per_day, ledger=ledger, clock=clock)

    async def find(self, sought: Sought) -> Copy | None:
        words = words_for(sought)
        if words is None:
            return None
        await self._quota.spend()
        query = urlencode({"q": words, "count": 10, "text_decorations": "false"})
        answer = await ask_json(self._fetcher, f"{self._url}?{query}", _Answer, who="Brave", headers=self._headers)
        found = answer.web.results if answer.web else []
        results = [Result(url=item.url, title=item.title, excerpt=item.description) for item in found]
        return await best_copy(self._fetcher, sought, results)
