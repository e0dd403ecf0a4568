"""google: the Custom Search JSON API, for those who have a key. It ends on 2027-01-01, and this ends with it."""

from __future__ import annotations

import datetime as dt
from typing import Final
from urllib.parse import urlencode

import msgspec

from pipeline.clock import Clock
from stages.fallback.provider import Copy, FetchPort, Sought
from stages.fallback.quota import Ledger, Quota, pacific
from stages.fallback.reply import ask_json
from stages.fallback.search import Result, best_copy, words_for
from stages.settings import FallbackSettings

ENDS: Final = dt.date(2027, 1, 1)  # developers.google.com/custom-search/v1/overview
_ENDS_MS: Final = int(dt.datetime.combine(ENDS, dt.time(), dt.UTC).timestamp() * 1000)


class _Item(msgspec.Struct):
    link: str
    title: str = ""
    snippet: str = ""


class _Answer(msgspec.Struct):
    items: list[_Item] = []  # absent when nothing was found


class Google:
    name: Final = "google"
    is_third_party: Final = True

    def __init__(self, fetcher: FetchPort, settings: FallbackSettings, *, ledger: Ledger, clock: Clock) -> None:
        self._fetcher = fetcher
        self._url = settings.google_url
        self._account = {"key": settings.google_key, "cx": settings.google_engine}
        self._quota = Quota(self.name, settings.google_per_day, ledger=ledger, clock=clock, zone=pacific())
        self._clock = clock

    async def find(self, sought: Sought) -> Copy | None:
        words = words_for(sought)
        if words is None or self._clock.wall_ms() >= _ENDS_MS:
            return None
        await self._quota.spend()
        query = urlencode({**self._account, "q": words, "num": 10})
        answer = await ask_json(self._fetcher, f"{self._url}?{query}", _Answer, who="Google")
        results = [Result(url=item.link, title=item.title, excerpt=item.snippet) for item in answer.items]
        return await best_copy(self._fetcher, sought, results)
