"""A fast web site for the benches, as a process: bodies are made before the first request, answers are one write."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Mapping

from tools.bench.pages import corpus_pages, maker

_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nnone\n"


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests have no body."""

    def __init__(self, answers: Mapping[bytes, bytes]) -> None:
        self._answers = answers
        self._seen = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._seen += data
        while b"\r\n\r\n" in self._seen:
            request, _, self._seen = self._seen.partition(b"\r\n\r\n")
            self._transport.write(self._answers.get(request.split(b" ", 2)[1], _NOT_FOUND))


def answers(kind: str, pages: int, seed: int) -> dict[bytes, bytes]:
    """Whole HTTP answers by path: /p/NUMBER for made pages, /corpus/NAME for the real ones as they are."""
    make = maker(kind, seed)
    made = {b"/p/%d" % number: _answer(make(number)) for number in range(pages)}
    real = {f"/corpus/{name}".encode(): _answer(body) for name, body in corpus_pages().items()}
    return made | real


def _answer(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n\r\n" % len(body)
    return head + body


async def serve(made: Mapping[bytes, bytes], port: int) -> None:
    """Serve until SIGTERM; prints the address first."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = await loop.create_server(lambda: Connection(made), "127.0.0.1", port, backlog=512)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await stop.wait()
    server.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--pages", type=int, default=0, help="how many made pages, /p/0 and up")
    parser.add_argument("--kind", choices=("corpus", "small"), default="small")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    asyncio.run(serve(answers(options.kind, options.pages, options.seed), options.port))
    return 0


if __name__ == "__main__":
    sys.exit(main())
