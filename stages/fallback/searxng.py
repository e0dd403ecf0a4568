"""searxng: a search of one's own, by its JSON format (which its settings must allow)."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

import msgspec

from stages.fallback.provider import Copy, FetchPort, Sought
from stages.fallback.reply import ask_json
from stages.fallback.search import Result, best_copy, words_for
from stages.settings import FallbackSettings


class _Item(msgspec.Struct):
    url: str
    title: str = ""
    content: str | None = None


class _Answer(msgspec.Struct):
    results: list[_Item]


class Searxng:
    name: Final = "searxng"
    is_third_party: Final = True

    def __init__(self, fetcher: FetchPort, settings: FallbackSettings) -> None:
        self._fetcher = fetcher
        self._url = settings.searxng_url

    async def find(self, sought: Sought) -> Copy | None:
        words = words_for(sought)
        if words is None:
            return None
        query = urlencode({"q": words, "format": "json"})
        answer = await ask_json(self._fetcher, f"{self._url}?{query}", _Answer, who="SearXNG")
        results = [Result(url=item.url, title=item.title, excerpt=item.content or "") for item in answer.results]
        return await best_copy(self._fetcher, sought, results)
