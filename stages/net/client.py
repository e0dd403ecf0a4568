"""Fetching one URL: guarded, bounded in time and bytes, redirects followed by us, nothing remembered in between.

It sits on httpcore2's pool and not on a client above it: proxies from the environment, cookie jars, netrc and automatic
redirects are then not switched off but absent.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from types import TracebackType
from typing import Final, Self

import anyio
import httpcore2
import httpx2
import msgspec

from pipeline.clock import Clock
from pipeline.errors import FetchTimeout, RedirectRefused
from stages.net.backend import GuardedBackend, Resolver, system_resolver
from stages.net.body import Limit, read_body
from stages.net.breakers import Breakers, Passage
from stages.net.decode import ACCEPT_ENCODING
from stages.net.errors import mapped
from stages.net.guard import Guard
from stages.net.headers import Headers, content_type, retry_after
from stages.net.hosts import Hosts
from stages.net.outgoing import Answer, outgoing
from stages.net.pool import Pool
from stages.net.target import Target
from stages.settings import NetSettings

CONNECTIONS: Final = 256  # open at once, idle ones included; above what the stages fetch at once, so nobody waits
# Saves rarely meet the same host twice, and the pool asks the kernel about every idle connection at each request.
KEPT_ALIVE: Final = 8
KEEP_ALIVE_SECONDS: Final = 15.0
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_KEPT_ACROSS_HOSTS: Final = frozenset({"accept", "accept-language", "user-agent", "upgrade-insecure-requests"})
_TOO_MANY_SECONDS: Final = 60.0  # how long a host is left alone that says 429 and not for how long
_LEAST_SECONDS: Final = 1.0  # "Retry-After: 0" and dates that have passed
_SLOW: Final = "The site may be down or very slow; it is tried again by itself."
_ACCEPT: Final = "text/html,application/xhtml+xml;q=0.9,text/plain;q=0.8,*/*;q=0.5"


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, read to its end. Every status but a followed redirect's is an answer."""

    url: str  # as asked, without credentials
    final_url: str  # after redirects; keeps a fragment
    status: int
    media_type: str  # lower case, without parameters; "" when the server named none
    charset: str | None
    content: bytes  # decoded
    hops: int = 0  # redirects so far
    etag: str | None = None
    last_modified: str | None = None
    retry_after: float | None = None  # seconds, at most a day
    http_version: str = "HTTP/1.1"


class Fetcher:
    """Use as `async with`. Any number of tasks may fetch at once; a cancelled fetch leaves nothing behind."""

    def __init__(
        self,
        settings: NetSettings,
        *,
        clock: Clock,
        resolver: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
        connections: int = CONNECTIONS,
        breakers: Breakers | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._breakers = breakers
        self._hosts = Hosts(settings.per_host, per_second=settings.per_host_per_second, burst=settings.per_host_burst)
        guard = Guard(settings.allow_networks)
        backend = GuardedBackend(guard, resolver or system_resolver(), dns_seconds=settings.dns_seconds)
        self._pool = Pool(
            ssl_context=tls or httpx2.create_ssl_context(trust_env=False),
            max_connections=connections,
            max_keepalive_connections=KEPT_ALIVE,
            keepalive_expiry=KEEP_ALIVE_SECONDS,
            http2=True,
            network_backend=backend,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.move_on_after(2, shield=True):
            await self._pool.aclose()

    async def fetch(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
        cut: bool = False,
        hops: int = 0,
    ) -> Response:
        """GET `url`. `max_bytes` counts decoded bytes (what is longer is `cut` there, or refused); `hops` are redirects
        that led here already. `headers` win over ours; of them, only those that say nothing about a person go on to
        another host.

        Raises FetchError (each cause its own code; BreakerOpen when a host on the way is left alone), BadUrl, and
        RateLimited when the host got too many of our requests.
        """
        target = Target.of(url)
        asked, extra, seen = target.text, dict(headers or {}), {target.key}
        self._check_hops(target, hops)
        left, limit = self._settings.total_seconds, Limit(bytes=max_bytes or self._settings.max_bytes, cut=cut)
        while True:
            answer = await self._ask(target, extra, left, limit)
            if answer.content is not None:
                return _response(answer, target, url=asked, hops=hops)
            hops += 1
            following = self._follow(target, answer.fields.get("location"), seen, hops)
            if following.origin != target.origin:
                extra = {name: value for name, value in extra.items() if _goes_along(name)}
            target, left = following, left - answer.seconds

    def _follow(self, target: Target, location: str | None, seen: set[str], hops: int) -> Target:
        """The target of a redirect, which is new to `seen` and within the limit of hops."""
        if not location:
            raise RedirectRefused(f"{target.host} redirects without saying where to")
        self._check_hops(target, hops)
        following = target.join(location)
        if following.key in seen:
            raise RedirectRefused(
                f"{target.host} redirects in a circle",
                hint="Pages that want a cookie first do this; Atlas keeps none. Save the page from a browser instead.",
            )
        seen.add(following.key)
        return following

    def _check_hops(self, target: Target, hops: int) -> None:
        if hops > self._settings.max_redirects:
            raise RedirectRefused(f"{target.host} is behind more than {self._settings.max_redirects} redirects")

    async def _ask(self, target: Target, extra: Mapping[str, str], left: float, limit: Limit) -> Answer:
        """One request, within `left` seconds of the host's time: waiting for a turn there does not count."""
        name = f"host:{target.place}"
        if self._breakers is not None:
            self._breakers.check(name)  # who would not be let through later waits for no turn either
        async with self._hosts.turn(target.place), self._passing(name) as passage:
            with outgoing(target.text) as seen:
                started = anyio.current_time()
                with anyio.move_on_after(left), mapped(target.host):
                    return seen(await self._exchange(target, extra, limit, passage, started))
                raise FetchTimeout(
                    f"{target.host} took longer than {self._settings.total_seconds:g} s in all", hint=_SLOW
                )

    def _passing(self, name: str) -> AbstractAsyncContextManager[Passage]:
        return nullcontext(Passage()) if self._breakers is None else self._breakers.passing(name)

    async def _exchange(
        self, target: Target, extra: Mapping[str, str], limit: Limit, passage: Passage, started: float
    ) -> Answer:
        answer = await self._send(target, extra)
        try:
            fields = Headers(answer.headers)
            wait = retry_after(fields.get("retry-after"), wall_ms=self._clock.wall_ms())
            _tell(passage, answer.status, wait)
            content = None
            if answer.status not in _REDIRECTS:
                content = await read_body(answer, fields, target.host, limit)
        finally:
            await answer.aclose()
        return Answer(
            status=answer.status,
            fields=fields,
            content=content,
            retry_after=wait,
            http_version=answer.extensions.get("http_version", b"HTTP/1.1").decode("ascii"),
            seconds=anyio.current_time() - started,
        )

    async def _send(self, target: Target, extra: Mapping[str, str]) -> httpcore2.Response:
        """Up to the end of the headers, in `read_seconds` altogether, however slowly they drip."""
        names: dict[bytes | str, bytes | str] = {
            "host": target.authority,
            "user-agent": self._settings.user_agent,
            "accept": _ACCEPT,
        }
        names["accept-encoding"] = ACCEPT_ENCODING
        names.update((name.lower(), value) for name, value in extra.items())
        seconds = self._settings.read_seconds
        limits = {"connect": self._settings.connect_seconds, "read": seconds, "write": seconds, "pool": seconds}
        request = httpcore2.Request("GET", target.wire, headers=names, extensions={"timeout": limits})
        with anyio.move_on_after(seconds):
            return await self._pool.handle_async_request(request)
        raise FetchTimeout(f"{target.host} sent no answer within {seconds:g} s", hint=_SLOW)


def _tell(passage: Passage, status: int, wait: float | None) -> None:
    """What an answer says about its host: that it wants to be left alone, that it is broken, or nothing bad."""
    if status == 429 or (status >= 500 and wait is not None):
        passage.hold(_TOO_MANY_SECONDS if wait is None else max(wait, _LEAST_SECONDS), f"HTTP {status}")
    elif status >= 500:
        passage.bad(f"HTTP {status}")


def _goes_along(name: str) -> bool:
    return name.lower() in _KEPT_ACROSS_HOSTS or name.lower().startswith(("sec-fetch-", "sec-ch-ua"))


def _response(answer: Answer, target: Target, *, url: str, hops: int) -> Response:
    media_type, charset = content_type(answer.fields.get("content-type"))
    return Response(
        url=url,
        final_url=target.text,
        status=answer.status,
        media_type=media_type,
        charset=charset,
        content=answer.content or b"",
        hops=hops,
        etag=answer.fields.short("etag"),
        last_modified=answer.fields.short("last-modified"),
        retry_after=answer.retry_after,
        http_version=answer.http_version,
    )
