"""Clients for the tests that time every answer, and a site that counts who asked for what."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import itertools
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self

import msgspec

from supervisor.instance import Instance

_SENTENCE = "The mill at the river grinds the rye of the valley, and the miller counts the sacks of day {number}. "


@dataclass(frozen=True, kw_only=True)
class Timed:
    """An answer and how long it took; status 0 when none came."""

    begun: float  # time.monotonic()
    seconds: float
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""

    @property
    def was_kept(self) -> bool:
        return self.status in {200, 202}


def timed(atlas: Instance, method: str, path: str, body: object = None, *, seconds: float = 30.0) -> Timed:
    """One request on a connection of its own."""
    begun = time.monotonic()
    headers = {"Authorization": f"Bearer {atlas.token}", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", atlas.port, timeout=seconds)
    with contextlib.closing(connection):
        try:
            connection.request(method, path, None if body is None else msgspec.json.encode(body), headers)
            reply = connection.getresponse()
            content = reply.read()
        except (OSError, http.client.HTTPException):
            return Timed(begun=begun, seconds=time.monotonic() - begun, status=0)
    told = {name.lower(): value for name, value in reply.getheaders()}
    return Timed(begun=begun, seconds=time.monotonic() - begun, status=reply.status, headers=told, content=content)


def p99(seconds: Sequence[float]) -> float:
    """Nearest rank."""
    return sorted(seconds)[math.ceil(len(seconds) * 0.99) - 1]


class Busy:
    """Asks again and again, each time with the next number, until it is stopped; keeps all answers."""

    def __init__(self, ask: Callable[[int], Timed], *, threads: int = 1, pause: float = 0.0) -> None:
        self.answers: list[Timed] = []
        self._ask = ask
        self._pause = pause
        self._numbers = itertools.count()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]

    @property
    def kept(self) -> list[Timed]:
        return [answer for answer in self.answers if answer.was_kept]

    def kept_since(self, moment: float) -> list[Timed]:
        """Those whose answer came after `moment`."""
        return [answer for answer in self.kept if answer.begun + answer.seconds >= moment]

    def _run(self) -> None:
        while not self._stop.wait(self._pause):
            self.answers.append(self._ask(next(self._numbers)))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)


class CountingSite:
    """Each path is an article of its own; `asked` counts the requests for it."""

    def __init__(self, url: str, asked: Counter[str]) -> None:
        self.url = url
        self.asked = asked


@contextmanager
def counting_site() -> Iterator[CountingSite]:
    asked: Counter[str] = Counter()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked[self.path] += 1
            content = _article(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield CountingSite(f"http://127.0.0.1:{server.server_address[1]}", asked)
        finally:
            server.shutdown()
            thread.join(10)


def _article(path: str) -> bytes:
    text = "".join(f"<p>{path} {_SENTENCE.format(number=number) * 3}</p>" for number in range(12))
    head = f"<!doctype html><html lang=en><head><title>The mill at {path}</title></head>"
    return f"{head}<body><article><h1>The mill at {path}</h1>{text}</article></body></html>".encode()
