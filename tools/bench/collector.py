"""A collector for the benches, as a process: takes OTLP over HTTP, looks at nothing, and says at the end what came."""

from __future__ import annotations

import argparse
import asyncio
import re
import signal
import sys
from typing import Final

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n"


class Taken:
    """What came, over all connections."""

    batches = 0
    bytes = 0


class Connection(asyncio.Protocol):
    """One keep-alive connection; every request has a body of a known length."""

    def __init__(self, taken: Taken) -> None:
        self._taken = taken
        self._seen = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._seen += data
        while (end := self._seen.find(b"\r\n\r\n")) >= 0:
            found = _LENGTH.search(self._seen, 0, end)
            length = int(found[1]) if found else 0
            if len(self._seen) < end + 4 + length:
                return
            self._seen = self._seen[end + 4 + length :]
            self._taken.batches += 1
            self._taken.bytes += length
            self._transport.write(_ANSWER)


async def collect() -> Taken:
    """Until SIGTERM; prints the address first."""
    loop, stop, taken = asyncio.get_running_loop(), asyncio.Event(), Taken()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = await loop.create_server(lambda: Connection(taken), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await stop.wait()
    server.close()
    return taken


def main() -> int:
    argparse.ArgumentParser(description=__doc__).parse_args()
    taken = asyncio.run(collect())
    print(f"took {taken.batches} batches, {taken.bytes} bytes", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
