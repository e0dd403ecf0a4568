"""The worker's own small server, on a Unix socket in the run folder: it gives the api its metrics, and takes its spans.

HTTP/1.1, so that `curl --unix-socket …/worker.sock http://worker/metrics` works at three in the morning. Nothing else
listens in the worker. The client half serves the api; both work on either event loop.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Final

import anyio
import h11
from anyio.abc import ByteStream, SocketStream

from observability.exposition import CONTENT_TYPE
from supervisor.rundir import socket_path

NAME: Final = "worker.sock"
SECONDS: Final = 2.0  # for one exchange, whoever is slow
BODY_MOST: Final = 4 * 1024 * 1024
AT_ONCE: Final = 8
WAIT_SECONDS: Final = 10.0  # for its turn
WAITING_MOST: Final = 100  # for their turn; past it a connection is closed at once
_PIECE: Final = 65_536


def control_path(run_dir: Path) -> Path:
    """Where the worker listens. Raises ConfigError when the path is too long for a socket."""
    return socket_path(run_dir, NAME)


class Control:
    """Answers GET /metrics with `scrape()`, and POST /spans by giving the body to `take` (False: it is no batch)."""

    def __init__(self, path: Path, *, scrape: Callable[[], str | None], take: Callable[[bytes], bool]) -> None:
        self._path = path
        self._scrape = scrape
        self._take = take
        self._room = anyio.CapacityLimiter(AT_ONCE)

    async def run(self) -> None:
        """Serve until cancelled; the socket (0600) takes the place of one left by a dead process."""
        if self._path.exists() and not self._path.is_socket():
            self._path.unlink()  # the folder is ours alone: nobody else has put it there
        listener = await anyio.create_unix_listener(os.fspath(self._path), mode=0o600)
        try:
            async with listener:
                await listener.serve(self._serve)
        finally:
            self._path.unlink(missing_ok=True)

    async def _serve(self, stream: SocketStream) -> None:
        async with stream:
            if self._room.statistics().tasks_waiting >= WAITING_MOST:  # each holds a descriptor of ours
                return
            # A peer that says nonsense or goes away is its own affair.
            with contextlib.suppress(h11.ProtocolError, anyio.BrokenResourceError, anyio.ClosedResourceError):
                with anyio.move_on_after(WAIT_SECONDS) as waiting:
                    async with self._room:
                        waiting.deadline = anyio.current_time() + SECONDS
                        await self._exchange(stream)

    async def _exchange(self, stream: ByteStream) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=16_384)
        request = await _next(connection, stream)
        if not isinstance(request, h11.Request):
            return
        body = await _body(connection, stream)
        status, content = self._answer(request.method, request.target, body)
        headers = [("Content-Type", CONTENT_TYPE), ("Content-Length", str(len(content))), ("Connection", "close")]
        response = h11.Response(status_code=status, headers=headers, reason=status.phrase)
        for event in (response, h11.Data(data=content), h11.EndOfMessage()):
            await stream.send(connection.send(event) or b"")

    def _answer(self, method: bytes, target: bytes, body: bytes | None) -> tuple[HTTPStatus, bytes]:
        if body is None:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b""
        match method, target:
            case b"GET", b"/metrics":
                text = self._scrape()
                return (HTTPStatus.NOT_FOUND, b"") if text is None else (HTTPStatus.OK, text.encode())
            case b"POST", b"/spans":
                return (HTTPStatus.ACCEPTED, b"") if self._take(body) else (HTTPStatus.BAD_REQUEST, b"")
            case _:
                return HTTPStatus.NOT_FOUND, b""


async def ask_worker(path: Path, method: str, target: str, body: bytes = b"", *, seconds: float) -> bytes | None:
    """The worker's answer to one request, within `seconds`; None for any other than 2xx, or when nobody answers."""
    failures = (OSError, h11.ProtocolError, anyio.BrokenResourceError, anyio.ClosedResourceError)
    with contextlib.suppress(*failures), anyio.move_on_after(seconds):
        async with _connected(path) as stream:
            connection = h11.Connection(h11.CLIENT)
            headers = [("Host", "worker"), ("Content-Length", str(len(body)))]
            request = h11.Request(method=method, target=target, headers=headers)
            for event in (request, h11.Data(data=body), h11.EndOfMessage()):
                await stream.send(connection.send(event) or b"")
            response = await _next(connection, stream)
            if isinstance(response, h11.Response) and 200 <= response.status_code < 300:
                return await _body(connection, stream)
    return None


@asynccontextmanager
async def _connected(path: Path) -> AsyncIterator[ByteStream]:
    stream = await anyio.connect_unix(os.fspath(path))
    try:
        yield stream
    finally:
        await anyio.aclose_forcefully(stream)


async def _next(connection: h11.Connection, stream: ByteStream) -> object:
    while True:
        event = connection.next_event()
        if event is not h11.NEED_DATA:
            return event
        try:
            connection.receive_data(await stream.receive(_PIECE))
        except anyio.EndOfStream:
            connection.receive_data(b"")


async def _body(connection: h11.Connection, stream: ByteStream) -> bytes | None:
    """To its end; None for one that is larger than BODY_MOST."""
    content = bytearray()
    while isinstance(event := await _next(connection, stream), h11.Data):
        content += event.data
        if len(content) > BODY_MOST:
            return None
    return bytes(content)
