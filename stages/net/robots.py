"""robots.txt, as RFC 9309 reads it: what a site lets programs fetch, and how fast they may follow each other there."""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Final, Protocol

import anyio
import anyio.to_thread
import msgspec
from protego import Protego

from pipeline.clock import Clock
from pipeline.errors import AddressDenied, BadUrl, HttpStatus, RedirectRefused, RobotsDenied
from stages.net.client import Response
from stages.net.pace import Pace
from stages.net.target import Target

READ_BYTES: Final = 500 * 1024  # the RFC's least; what follows is as if it were not there
KEPT_SECONDS: Final = 86_400.0
KEPT_SITES: Final = 1_000
KEPT_BYTES: Final = 1024 * 1024  # of rules, in all; parsed they take up to thirty times as much
DELAY_MOST: Final = 30.0  # seconds between two requests, whatever Crawl-delay says
PATIENCE_SECONDS: Final = 5.0  # for our turn by Crawl-delay; then the item comes back later
_LARGE: Final = 16 * 1024  # bytes; parsing and matching more of them takes its time, which is not the event loop's
_AGENT_LINE: Final = re.compile(r"\s*user[\s-]*agent\b\s*:?(.*)", re.IGNORECASE)
_OUTSIDE_GROUPS: Final = re.compile(r"\s*(?:site-?maps?|host)\b", re.IGNORECASE)
_TOKEN: Final = re.compile(r"[A-Za-z_-]+")


class FetchPort(Protocol):
    """What of the fetcher is needed here."""

    async def fetch(self, url: str, *, max_bytes: int | None = None, cut: bool = False) -> Response: ...


class _Rules(msgspec.Struct, frozen=True, kw_only=True):
    rules: Protego
    size: int  # of the text
    until: float


class _Lookup:
    """A robots.txt that is being fetched, and those who wait for it."""

    def __init__(self) -> None:
        self.ended = anyio.Event()
        self.error: Exception | None = None


class Robots:
    """The rules of the sites met last, each for a day. Any number of tasks may ask at once: each site is asked once."""

    def __init__(self, fetcher: FetchPort, *, agent: str, clock: Clock) -> None:
        """`agent` is the user agent; its first word, up to the version, is the product token that rules name."""
        found = _TOKEN.match(agent.strip())
        self._token = found.group().lower() if found else "*"
        self._fetcher = fetcher
        self._clock = clock
        self._kept: OrderedDict[str, _Rules] = OrderedDict()
        self._bytes = 0
        self._lookups: dict[str, _Lookup] = {}
        self._pace = Pace()

    def __len__(self) -> int:
        """How many sites are kept."""
        return len(self._kept)

    async def check(self, url: str) -> None:
        """Return when `url` may be fetched now, having waited for the site's Crawl-delay.

        Raises RobotsDenied; what fetching robots.txt raises when there is no telling yet (HttpStatus for 5xx); and
        RateLimited when the Crawl-delay leaves no place soon.
        """
        target = Target.of(url)
        kept = await self._rules(target)
        allowed, delay = await self._ask(kept, target.key)
        if not allowed:
            raise RobotsDenied(
                f"{target.host} asks programs not to fetch this page (robots.txt)",
                hint="Save it yourself and it is fetched all the same; `[net] robots` decides what heeds robots.txt.",
            )
        if delay > 0:
            await anyio.sleep(
                self._pace.take(target.place, anyio.current_time(), interval=delay, burst=1, patience=PATIENCE_SECONDS)
            )

    async def _ask(self, kept: _Rules, url: str) -> tuple[bool, float]:
        def read() -> tuple[bool, float]:
            delay = kept.rules.crawl_delay(self._token) or 0.0
            return kept.rules.can_fetch(url, self._token), min(float(delay), DELAY_MOST)

        return await anyio.to_thread.run_sync(read) if kept.size > _LARGE else read()

    async def _rules(self, target: Target) -> _Rules:
        site = f"{target.wire.scheme.decode('ascii')}://{target.authority}"
        while True:
            kept = self._kept.get(site)
            if kept is not None and self._clock.monotonic() < kept.until:
                self._kept.move_to_end(site)
                return kept
            lookup = self._lookups.get(site)
            if lookup is None:
                return await self._look_up(site)
            await lookup.ended.wait()
            if lookup.error is not None:
                raise lookup.error

    async def _look_up(self, site: str) -> _Rules:
        lookup = self._lookups[site] = _Lookup()
        try:
            text = await self._fetch(f"{site}/robots.txt")
            kept = await anyio.to_thread.run_sync(self._read, text) if len(text) > _LARGE else self._read(text)
            self._keep(site, kept)
            return kept
        except Exception as error:
            lookup.error = error
            raise
        finally:  # after a cancellation without an error: the next of those who wait looks it up
            del self._lookups[site]
            lookup.ended.set()

    def _read(self, text: str) -> _Rules:
        relevant = groups_for(self._token, text)
        until = self._clock.monotonic() + KEPT_SECONDS
        return _Rules(rules=Protego.parse(relevant), size=len(relevant), until=until)

    async def _fetch(self, url: str) -> str:
        """The text; "" (which allows everything) where there is none."""
        try:
            answer = await self._fetcher.fetch(url, max_bytes=READ_BYTES, cut=True)
        except (RedirectRefused, AddressDenied, BadUrl):  # not to be had; the page itself is guarded all the same
            return ""
        if answer.status >= 500:
            raise HttpStatus(
                f"robots.txt cannot be read now: HTTP {answer.status}",
                status=answer.status,
                retry_after=answer.retry_after,
                hint="Until it can, nothing is fetched there for a feed; it is tried again by itself.",
            )
        if not 200 <= answer.status < 300:
            return ""
        return answer.content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")

    def _keep(self, site: str, kept: _Rules) -> None:
        before = self._kept.pop(site, None)
        self._kept[site] = kept
        self._bytes += kept.size - (before.size if before else 0)
        while len(self._kept) > KEPT_SITES or (self._bytes > KEPT_BYTES and len(self._kept) > 1):
            _, forgotten = self._kept.popitem(last=False)
            self._bytes -= forgotten.size


def groups_for(token: str, text: str) -> str:
    """The groups of a robots.txt that name `token` (lower case) or everybody, and nothing else.

    The library keeps each rule once for every agent that its group names: half a megabyte made of agents and rules in
    equal parts took it a gigabyte.
    """
    kept: list[str] = []
    naming = relevant = False
    for line in text.splitlines():
        rule = line.partition("#")[0]
        if (agent := _AGENT_LINE.match(rule)) is not None:
            relevant = relevant and naming
            naming, value = True, agent.group(1).strip()
            named = _TOKEN.match(value)
            if value == "*" or (named is not None and named.group().lower() == token):
                kept.append(f"User-agent: {'*' if value == '*' else token}")
                relevant = True
        elif rule.strip() and not _OUTSIDE_GROUPS.match(rule):
            naming = False
            if relevant:
                kept.append(rule)
    return "\n".join(kept)
