"""Fetching one URL: guarded, bounded in time and bytes, redirects followed by us, nothing remembered in between.

It sits on httpcore2's pool and not on a client above it: proxies from the environment, cookie jars, netrc and automatic
redirects are then not switched off but absent.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Final, Self

import anyio
import httpcore2
import httpx2
import msgspec

from pipeline.clock import Clock
from pipeline.errors import FetchTimeout, RedirectRefused
from stages.net.backend import GuardedBackend, Resolver, system_resolver
from stages.net.body import read_body
from stages.net.decode import ACCEPT_ENCODING
from stages.net.errors import mapped
from stages.net.guard import Guard
from stages.net.headers import Headers, content_type, retry_after
from stages.net.hosts import Hosts
from stages.net.pool import Pool
from stages.net.target import Target
from stages.settings import NetSettings

CONNECTIONS: Final = 256  # open at once, idle ones included; above what the stages fetch at once, so nobody waits
# Saves rarely meet the same host twice, and the pool asks the kernel about every idle connection at each request.
KEPT_ALIVE: Final = 8
KEEP_ALIVE_SECONDS: Final = 15.0
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_KEPT_ACROSS_HOSTS: Final = frozenset({"accept", "accept-language"})
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
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._hosts = Hosts(settings.per_host)
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
        self, url: str, *, headers: Mapping[str, str] | None = None, max_bytes: int | None = None, hops: int = 0
    ) -> Response:
        """GET `url`. `max_bytes` counts decoded bytes; `hops` are redirects that led here already.

        Raises FetchError (each cause its own code), BadUrl, and RateLimited when the host got too many of our requests.
        """
        target = Target.of(url)
        asked, extra, seen = target.text, dict(headers or {}), {target.key}
        self._check_hops(target, hops)
        with anyio.move_on_after(self._settings.total_seconds) as total:
            while True:
                async with self._answer(target, extra, total) as answer:
                    fields = Headers(answer.headers)
                    location = fields.get("location") if answer.status in _REDIRECTS else None
                    if answer.status not in _REDIRECTS:
                        content = await read_body(answer, fields, target.host, max_bytes or self._settings.max_bytes)
                        response = self._response(answer, fields, content, target)
                        return msgspec.structs.replace(response, url=asked, hops=hops)
                hops += 1
                following = self._follow(target, location, seen, hops)
                if following.origin != target.origin:
                    extra = {name: value for name, value in extra.items() if name.lower() in _KEPT_ACROSS_HOSTS}
                target = following
        raise FetchTimeout(f"{target.host} took longer than {self._settings.total_seconds:g} s in all", hint=_SLOW)

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

    @asynccontextmanager
    async def _answer(
        self, target: Target, extra: Mapping[str, str], total: anyio.CancelScope
    ) -> AsyncIterator[httpcore2.Response]:
        """The answer with its body still to be read. Waiting for a turn at the host does not count towards `total`."""
        left, total.deadline = total.deadline - anyio.current_time(), math.inf
        async with self._hosts.turn(target.host, target.port):
            total.deadline = anyio.current_time() + left
            with mapped(target.host):
                answer = await self._send(target, extra)
                try:
                    yield answer
                finally:
                    await answer.aclose()

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

    def _response(self, answer: httpcore2.Response, fields: Headers, content: bytes, target: Target) -> Response:
        media_type, charset = content_type(fields.get("content-type"))
        return Response(
            url=target.text,
            final_url=target.text,
            status=answer.status,
            media_type=media_type,
            charset=charset,
            content=content,
            etag=fields.short("etag"),
            last_modified=fields.short("last-modified"),
            retry_after=retry_after(fields.get("retry-after"), wall_ms=self._clock.wall_ms()),
            http_version=answer.extensions.get("http_version", b"HTTP/1.1").decode("ascii"),
        )
