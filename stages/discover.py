"""0: poll a feed; entries not seen before become items, in the transaction that marks them as seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from pipeline.effects import Entry, FeedPolled
from pipeline.errors import BadUrl, HttpStatus
from pipeline.items import Reason, Submission
from pipeline.lifecycle import Priority, Stage
from pipeline.stage import StageContext, StageSpec
from pipeline.text.urls import canonicalise
from pipeline.work import Advance, Bury, Claim, Feed, Outcome
from stages.feeds.entries import FeedEntry, ParsedFeed
from stages.settings import DiscoverSettings

ACCEPT: Final = "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, */*;q=0.5"
NOT_MODIFIED: Final = 304


class Answer(Protocol):
    """What of a fetched answer this stage reads."""

    @property
    def final_url(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def charset(self) -> str | None: ...
    @property
    def content(self) -> bytes: ...
    @property
    def etag(self) -> str | None: ...
    @property
    def last_modified(self) -> str | None: ...
    @property
    def retry_after(self) -> float | None: ...


class Fetcher(Protocol):
    """The network, as far as this stage needs it."""

    async def fetch(self, url: str, *, headers: Mapping[str, str] | None = None) -> Answer: ...


class Parser(Protocol):
    """What of the parse pool this stage needs."""

    async def feed(self, content: bytes, *, url: str, charset: str | None = None) -> ParsedFeed: ...


class Discover:
    """Raises the fetch's and the parser's errors: a poll that failed is retried like any work."""

    def __init__(self, fetcher: Fetcher, parser: Parser, settings: DiscoverSettings, *, deadline: float) -> None:
        self._fetcher = fetcher
        self._parser = parser
        self._interval = settings.interval_seconds
        self.spec = StageSpec(name="discover", hundred=0, slots=settings.slots, deadline=deadline)

    async def handle(self, claim: Claim, ctx: StageContext) -> Outcome:
        feed = claim.feed
        if feed is None:
            return Bury(reason=Reason(code="no_feed", hint="This work names no feed; add the feed again."))
        answer = await self._fetcher.fetch(feed.url, headers=_conditions(feed))
        due = ctx.wall_ms() + (feed.interval_seconds or self._interval) * 1000
        if answer.status == NOT_MODIFIED:
            return Advance(effects=(_unchanged(feed, due),))
        if not 200 <= answer.status < 300:
            raise HttpStatus(
                f"the feed's server answered {answer.status}", status=answer.status, retry_after=answer.retry_after
            )
        parsed = await self._parser.feed(answer.content, url=answer.final_url, charset=answer.charset)
        entries = tuple(entry for said in parsed.entries if (entry := _entry(feed, said)))
        skipped = parsed.skipped + len(parsed.entries) - len(entries)
        ctx.step(
            Stage.DISCOVERED, method="feed", bytes=len(answer.content), detail=f"{skipped} entries without an address"
        )
        polled = FeedPolled(
            feed_id=feed.id,
            title=parsed.title or feed.title,
            etag=answer.etag,
            last_modified=answer.last_modified,
            next_poll_at=due,
            entries=entries,
        )
        return Advance(effects=(polled,))


def _conditions(feed: Feed) -> dict[str, str]:
    headers = {"Accept": ACCEPT}
    if feed.etag:
        headers["If-None-Match"] = feed.etag
    if feed.last_modified:
        headers["If-Modified-Since"] = feed.last_modified
    return headers


def _unchanged(feed: Feed, due: int) -> FeedPolled:
    return FeedPolled(
        feed_id=feed.id,
        title=feed.title,
        etag=feed.etag,
        last_modified=feed.last_modified,
        next_poll_at=due,
        entries=(),
    )


def _entry(feed: Feed, said: FeedEntry) -> Entry | None:
    """None for an entry whose address is none: it never fails the feed."""
    try:
        key = canonicalise(said.url)
    except BadUrl:
        return None
    submission = Submission(
        url=said.url, url_key=key, title=said.title, priority=Priority.FEED, source=f"feed:{feed.uid}"
    )
    return Entry(entry_key=said.entry_key, submission=submission)
