"""The parse pool's methods without its processes: the same jobs, on the spot, once for each layout."""

from __future__ import annotations

import re
from typing import TypeVar

import anyio
import msgspec

from pipeline.documents import Enriched, Extracted
from pipeline.errors import ParseCrashed
from stages.feeds.entries import ParsedFeed
from stages.parse import jobs
from stages.parse.frames import Article, EnrichJob, Enrichment, ExtractJob, FeedJob, FeedRead, Glanced, GlanceJob
from stages.text.glance import Glance
from tests.simulation.pages import MARKED

T = TypeVar("T")
_KEPT: dict[tuple[str, ...], bytes] = {}  # what was read, with the placeholders; the same for every world


class InlineParser:
    """stages.parse.pool.ParsePool, as the stages know it. What stands in `poison` kills the process that reads it."""

    def __init__(self, poison: bytes) -> None:
        self._poison = poison

    async def glance(self, content: bytes, *, url: str, media_type: str, charset: str | None = None) -> Glance:
        await self._work(content)
        return _read(
            content, ("glance", media_type), Glance,
            lambda text: _of(GlanceJob(content=text, url=url, media_type=media_type, charset=charset), Glanced).glance,
        )  # fmt: skip

    async def extract(
        self, content: bytes, *, url: str, media_type: str, today: str, charset: str | None = None
    ) -> Extracted | None:
        await self._work(content)
        return _read(
            content, ("extract", media_type), Extracted | None,
            lambda text: _of(
                ExtractJob(content=text, url=url, media_type=media_type, charset=charset, today=today), Article
            ).document,
        )  # fmt: skip

    async def enrich(self, text: str, *, title: str | None = None, declared: str | None = None) -> Enriched:
        await self._work(b"")
        plain = None if title is None else MARKED.sub("Qzbegin quiet words stand here qzend", title)
        return _read(
            text.encode(), ("enrich", str(plain), str(declared)), Enriched,
            lambda body: _of(EnrichJob(text=body.decode(), title=plain, declared=declared), Enrichment).enriched,
        )  # fmt: skip

    async def feed(self, content: bytes, *, url: str, charset: str | None = None) -> ParsedFeed:
        await self._work(content)
        return _of(FeedJob(content=content, url=url, charset=charset), FeedRead).feed

    async def _work(self, content: bytes) -> None:
        await anyio.sleep(0.02)
        if self._poison in content:
            raise ParseCrashed("the parse process died")


def _of(job: object, kind: type[T]) -> T:
    answer = jobs.answer(job)  # type: ignore[arg-type]
    assert isinstance(answer, kind), answer
    return answer


def _read(content: bytes, job: tuple[str, ...], kind: object, read) -> object:  # type: ignore[no-untyped-def]
    """Read the layout, once, and put the page's own words into what came of it."""
    text = content.decode("utf-8", "replace")
    own = MARKED.findall(text)
    layout = MARKED.sub(_numbered(), text)
    key = (*job, layout)
    kept = _KEPT.get(key)
    if kept is None:
        kept = _KEPT[key] = msgspec.json.encode(read(layout.encode()))
    found = kept.decode()
    unique = dict.fromkeys(own)
    for number, words in enumerate(unique):
        found = found.replace(f"wordsof{number}stand", words)
    return msgspec.json.decode(found, type=kind)


def _numbered():  # type: ignore[no-untyped-def]
    seen: dict[str, int] = {}

    def put(match: re.Match[str]) -> str:
        number = seen.setdefault(match[1], len(seen))
        return f"Qzbegin quiet wordsof{number}stand here qzend"

    return put
