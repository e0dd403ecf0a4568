"""A real listener on loopback that answers as a test says and counts who connects."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio

from pipeline.clock import SystemClock
from stages.net.client import Fetcher
from stages.settings import NetSettings

_TLS = ssl.create_default_context()  # once: loading the authorities takes 30 ms

Handler = Callable[[trio.SocketStream, "Request"], Awaitable[None]]


class Request:
    def __init__(self, head: bytes) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.path, _ = first.split(" ")
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


class Site:
    def __init__(self, port: int) -> None:
        self.port = port
        self.connects = 0
        self.open = 0
        self.most_open = 0
        self.requests: list[Request] = []

    def url(self, path: str = "/", host: str = "site.test", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


@asynccontextmanager
async def listening(handler: Handler, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Site]:
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(port, host=host)
        site = Site(listeners[0].socket.getsockname()[1])

        async def serve(stream: trio.SocketStream) -> None:
            site.connects += 1
            site.open += 1
            site.most_open = max(site.most_open, site.open)
            try:
                await _requests(stream, site, handler)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass
            finally:
                site.open -= 1

        nursery.start_soon(trio.serve_listeners, serve, listeners)
        yield site
        nursery.cancel_scope.cancel()


async def _requests(stream: trio.SocketStream, site: Site, handler: Handler) -> None:
    data = b""
    async with stream:
        while True:
            while b"\r\n\r\n" not in data:
                more = await stream.receive_some(65536)
                if not more:
                    return
                data += more
            head, _, data = data.partition(b"\r\n\r\n")
            request = Request(head)
            site.requests.append(request)
            await handler(stream, request)


def reply(
    body: bytes = b"", *, status: int = 200, headers: Mapping[str, str] | Sequence[tuple[str, str]] = ()
) -> bytes:
    fields = list(headers.items() if isinstance(headers, Mapping) else headers)
    names = {name.lower() for name, _ in fields}
    if "content-length" not in names:
        fields.append(("Content-Length", str(len(body))))
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode() + body


def answering(answers: Mapping[str, bytes] | Callable[[Request], bytes]) -> Handler:
    async def handler(stream: trio.SocketStream, request: Request) -> None:
        await stream.send_all(answers(request) if callable(answers) else answers[request.path])

    return handler


async def to_loopback(host: str, port: int) -> Sequence[str]:
    return ("127.0.0.1",)


def fetcher(resolver: Any = to_loopback, *, allow: tuple[str, ...] = ("127.0.0.0/8",), **options: Any) -> Fetcher:
    """A fetcher that finds every name on loopback and may go there."""
    connections = options.pop("connections", 32)
    tls, clock = options.pop("tls", _TLS), options.pop("clock", SystemClock())
    breakers = options.pop("breakers", None)
    settings = NetSettings(allow_networks=allow, **({"per_host_per_second": 1e6} | options))
    return Fetcher(settings, clock=clock, resolver=resolver, tls=tls, connections=connections, breakers=breakers)
