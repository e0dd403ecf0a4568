"""0: feeds are polled, parsed in real parse processes, and their entries become submissions."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from pipeline.effects import FeedPolled
from pipeline.errors import HttpStatus, ParseError, Unsupported
from pipeline.lifecycle import Priority
from pipeline.text.urls import canonicalise
from pipeline.work import Advance, Bury, Outcome
from stages.discover import Discover
from stages.net.client import Response
from stages.parse.pool import ParsePool
from stages.settings import DiscoverSettings, ParseSettings
from tests.unit.stages.fake_context import NOW_MS, FakeContext, a_claim
from tests.unit.stages.samples import FEED

RSS = b"""<rss version="2.0"><channel><title>New title</title>
<item><guid>g1</guid><link>https://A.test/One?utm_source=feed</link><title>One</title></item>
<item><guid>g2</guid><link>http://[broken</link></item><item><guid>g3</guid><title>no address</title></item>
</channel></rss>"""
LAUGHS = (
    b'<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><rss version="2.0"><channel><title>&b;</title></channel></rss>'
)
POLL = msgspec.structs.replace(a_claim(stage=10), item=None, feed=FEED)


class Site:
    """A network with one answer; what was asked of it can be read afterwards."""

    def __init__(self, *, status: int = 200, content: bytes = b"", retry_after: float | None = None) -> None:
        self._answer = Response(
            url=FEED.url, final_url=FEED.url, status=status, media_type="application/rss+xml", charset=None,
            content=content, etag='"e2"', last_modified="Wed", retry_after=retry_after,
        )  # fmt: skip
        self.headers: dict[str, str] = {}

    async def fetch(self, url: str, *, headers: Mapping[str, str] | None = None) -> Response:
        assert url == FEED.url
        self.headers = dict(headers or {})
        return self._answer


async def poll(site: Site, ctx: FakeContext | None = None) -> Outcome:
    async with ParsePool(ParseSettings(), 1) as pool:
        return await Discover(site, pool, DiscoverSettings(), deadline=60.0).handle(POLL, ctx or FakeContext())


def polled(outcome: Outcome) -> FeedPolled:
    assert isinstance(outcome, Advance)
    (effect,) = outcome.effects
    assert isinstance(effect, FeedPolled)
    return effect


async def test_entries_become_submissions_and_bad_addresses_are_skipped() -> None:
    ctx = FakeContext()
    effect = polled(await poll(Site(content=RSS), ctx))
    (entry,) = effect.entries
    said = entry.submission
    assert entry.entry_key == "g1"
    assert (said.url, said.title) == ("https://A.test/One?utm_source=feed", "One")
    assert said.url_key == canonicalise("https://A.test/One?utm_source=feed")
    assert (said.priority, said.source) == (Priority.FEED, f"feed:{FEED.uid}")
    assert (effect.title, effect.etag, effect.last_modified) == ("New title", '"e2"', "Wed")
    assert effect.next_poll_at == NOW_MS + 600_000
    assert ctx.steps[0].detail.startswith("2 entries")


async def test_a_poll_asks_only_for_what_is_new_and_an_unchanged_feed_has_no_entries() -> None:
    site = Site(status=304)
    effect = polled(await poll(site))
    assert (site.headers["If-None-Match"], site.headers["If-Modified-Since"]) == (FEED.etag, FEED.last_modified)
    assert (effect.entries, effect.title, effect.etag) == ((), FEED.title, FEED.etag)


async def test_a_feed_server_that_fails_is_an_error_with_its_time_to_come_back() -> None:
    with pytest.raises(HttpStatus) as caught:
        await poll(Site(status=503, retry_after=120.0))
    assert (caught.value.status, caught.value.retry_after) == (503, 120.0)


async def test_what_is_no_feed_and_what_declares_entities_is_refused() -> None:
    with pytest.raises(Unsupported):
        await poll(Site(content=b"<html><body>no feed</body></html>"))
    with pytest.raises(ParseError, match="entities"):
        await poll(Site(content=LAUGHS))


async def test_work_without_a_feed_is_buried() -> None:
    async with ParsePool(ParseSettings(), 1) as pool:
        stage = Discover(Site(), pool, DiscoverSettings(), deadline=60.0)
        outcome = await stage.handle(msgspec.structs.replace(a_claim(), item=None), FakeContext())
    assert isinstance(outcome, Bury)
