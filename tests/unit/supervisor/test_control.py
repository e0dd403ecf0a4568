"""The worker's own server on its Unix socket, and the api's way to ask it: real sockets, both event loops."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
import trio
from anyio.abc import SocketStream

from pipeline.errors import ConfigError
from supervisor import control
from supervisor.control import AT_ONCE, BODY_MOST, Control, ask_worker, control_path

ON_BOTH_LOOPS = pytest.mark.parametrize("on", [trio.run, lambda job: asyncio.run(job())], ids=["trio", "asyncio"])
On = Callable[[Callable[[], Awaitable[None]]], None]
LONG = 10.0  # a deadline that nobody should need
METRICS = "# HELP atlas_x X é.\natlas_x 1\n"


@pytest.fixture
def path() -> Iterator[Path]:
    """Shorter than tmp_path: socket paths end at 107 bytes."""
    with tempfile.TemporaryDirectory() as name:
        yield control_path(Path(name))


class Worker:
    """What the server asks: gives METRICS, takes every body but b"no batch"."""

    def __init__(self) -> None:
        self.metrics: str | None = METRICS
        self.taken: list[bytes] = []

    def take(self, body: bytes) -> bool:
        self.taken.append(body)
        return body != b"no batch"


@asynccontextmanager
async def listening(path: Path) -> AsyncIterator[Worker]:
    """A worker that listens on `path`, from the moment at which it answers."""
    worker = Worker()
    server = Control(path, scrape=lambda: worker.metrics, take=worker.take)
    async with anyio.create_task_group() as group:
        group.start_soon(server.run)
        with anyio.fail_after(LONG):
            while await ask_worker(path, "GET", "/metrics", seconds=LONG) is None:  # noqa: ASYNC110 - it tells nobody
                await anyio.sleep(0.001)
        yield worker
        group.cancel_scope.cancel()


async def said(stream: SocketStream) -> bytes:
    """All that the other end says until it closes, also by force."""
    heard = b""
    with anyio.fail_after(LONG):
        try:
            while True:
                heard += await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return heard


async def exchange(path: Path, *pieces: bytes, ends: bool = False) -> bytes:
    """Send this as it stands; what comes back."""
    async with await anyio.connect_unix(os.fspath(path)) as stream:
        try:
            for piece in pieces:
                await stream.send(piece)
            if ends:
                await stream.send_eof()
        except anyio.BrokenResourceError:
            pass  # it had heard enough
        return await said(stream)


@asynccontextmanager
async def answering(path: Path, answer: bytes | None) -> AsyncIterator[None]:
    """A server that hears a request, says `answer` and closes; with None it says nothing and stays."""

    async def serve(stream: SocketStream) -> None:
        async with stream:
            await stream.receive()
            if answer is None:
                await anyio.sleep(LONG)
            else:
                await stream.send(answer)

    async with await anyio.create_unix_listener(os.fspath(path)) as listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        yield
        group.cancel_scope.cancel()


# Answers


@ON_BOTH_LOOPS
def test_it_gives_the_metrics_and_takes_the_spans_of_the_other_role(on: On, path: Path) -> None:
    async def run() -> None:
        async with listening(path) as worker:
            assert await ask_worker(path, "GET", "/metrics", seconds=LONG) == METRICS.encode()
            assert await ask_worker(path, "POST", "/spans", b"\0batch\xff", seconds=LONG) == b""
            assert worker.taken == [b"\0batch\xff"]

    on(run)


@ON_BOTH_LOOPS
def test_what_it_refuses_is_no_answer(on: On, path: Path) -> None:
    async def run() -> None:
        async with listening(path) as worker:
            assert await ask_worker(path, "POST", "/spans", b"no batch", seconds=LONG) is None
            assert await ask_worker(path, "GET", "/spans", seconds=LONG) is None
            assert await ask_worker(path, "POST", "/metrics", b"x", seconds=LONG) is None
            assert await ask_worker(path, "GET", "/", seconds=LONG) is None
            worker.metrics = None
            assert await ask_worker(path, "GET", "/metrics", seconds=LONG) is None
            assert worker.taken == [b"no batch"]

    on(run)


@ON_BOTH_LOOPS
def test_any_http_client_can_ask_it(on: On, path: Path) -> None:
    async def run() -> None:
        async with listening(path):
            plain = await exchange(path, b"GET /metrics HTTP/1.1\r\nHost: worker\r\n", b"User-Agent: curl\r\n\r\n")
            head, _, body = plain.partition(b"\r\n\r\n")
            lines = head.decode().lower().split("\r\n")
            assert lines[0] == "http/1.1 200 ok"
            assert "content-type: text/plain; version=0.0.4; charset=utf-8" in lines
            assert f"content-length: {len(body)}" in lines
            assert "connection: close" in lines
            assert body == METRICS.encode()
            chunked = b"POST /spans HTTP/1.1\r\nHost: worker\r\nTransfer-Encoding: chunked\r\n\r\n"
            assert (await exchange(path, chunked, b"3\r\nabc\r\n0\r\n\r\n")).startswith(b"HTTP/1.1 202 ")
            assert (await exchange(path, b"GET /nothing HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 404 ")

    on(run)


# Requests that are none


@ON_BOTH_LOOPS
@pytest.mark.parametrize(
    "nonsense",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET /metrics HTTP/1.1\r\n\r\n",  # without a host
        b"POST /spans HTTP/1.1\r\nHost: w\r\nContent-Length: 10\r\n\r\nabc",  # and no more
        b"POST /spans HTTP/1.1\r\nHost: w\r\nContent-Length: -1\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: w\r\nX: " + b"a" * 20_000,
        b"",
    ],
    ids=["no http", "tls", "no host", "cut off", "negative", "endless head", "nothing"],
)
def test_whoever_talks_nonsense_or_goes_away_is_let_go_and_the_next_one_is_served(
    on: On, path: Path, nonsense: bytes
) -> None:
    async def run() -> None:
        async with listening(path) as worker:
            assert await exchange(path, nonsense, ends=True) == b""
            assert await ask_worker(path, "GET", "/metrics", seconds=LONG) == METRICS.encode()
            assert worker.taken == []

    on(run)


@ON_BOTH_LOOPS
def test_a_body_may_be_as_large_as_the_limit_and_no_larger(on: On, path: Path) -> None:
    async def run() -> None:
        async with listening(path) as worker:
            assert await ask_worker(path, "POST", "/spans", b"a" * BODY_MOST, seconds=LONG) == b""
            assert await ask_worker(path, "POST", "/spans", b"a" * (BODY_MOST + 1), seconds=LONG) is None
            assert [len(body) for body in worker.taken] == [BODY_MOST]
            head = b"POST /spans HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n"
            piece = b"100000\r\n" + b"a" * 0x100000 + b"\r\n"
            heard = await exchange(path, head, *[piece] * 5)
            assert heard == b"" or heard.startswith(b"HTTP/1.1 413 ")
            assert len(worker.taken) == 1

    on(run)


@ON_BOTH_LOOPS
def test_peers_that_hang_are_let_go_at_the_deadline_and_hold_up_the_others_no_longer(
    on: On, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "SECONDS", 0.1)

    async def run() -> None:
        async with listening(path), anyio.create_task_group() as group:

            async def hang(begin: bytes) -> None:
                assert await exchange(path, begin) == b""

            for number in range(2 * AT_ONCE):
                group.start_soon(hang, b"GET /metrics HTTP/1.1\r\nHo" if number % 2 else b"")
            await anyio.wait_all_tasks_blocked()
            assert await ask_worker(path, "GET", "/metrics", seconds=LONG) == METRICS.encode()

    begun = time.monotonic()
    on(run)
    assert time.monotonic() - begun < LONG


# Asking


@ON_BOTH_LOOPS
def test_where_nobody_listens_there_is_no_answer_at_once(on: On, path: Path) -> None:
    other = path.with_name("no socket")
    other.write_text("precious")

    async def run() -> None:
        assert await ask_worker(path, "GET", "/metrics", seconds=LONG) is None
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(os.fspath(path))
        assert await ask_worker(path, "GET", "/metrics", seconds=LONG) is None
        assert await ask_worker(other, "GET", "/metrics", seconds=LONG) is None
        assert await ask_worker(Path("/" + "x" * 200), "GET", "/metrics", seconds=LONG) is None

    begun = time.monotonic()
    on(run)
    assert time.monotonic() - begun < LONG / 2


@ON_BOTH_LOOPS
def test_a_worker_that_hangs_is_waited_for_no_longer_than_one_says(on: On, path: Path) -> None:
    async def run() -> None:
        async with answering(path, None):
            begun = anyio.current_time()
            assert await ask_worker(path, "GET", "/metrics", seconds=0.05) is None
            # A body that nobody reads does not fit into the socket.
            assert await ask_worker(path, "POST", "/spans", b"a" * BODY_MOST, seconds=0.05) is None
            assert anyio.current_time() - begun < LONG / 2

    on(run)


@ON_BOTH_LOOPS
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (BODY_MOST + 1) + b"a" * (BODY_MOST + 1),
    ],
    ids=["nothing", "no http", "cut off", "500", "302", "too large"],
)
def test_an_answer_that_is_not_a_whole_good_one_is_none(on: On, path: Path, answer: bytes) -> None:
    async def run() -> None:
        async with answering(path, answer):
            assert await ask_worker(path, "GET", "/metrics", seconds=LONG) is None

    on(run)


# The socket


def in_folder(folder: Path) -> dict[str, int]:
    """What is in it, with its mode."""
    return {each.name: stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()}


@ON_BOTH_LOOPS
def test_the_socket_is_private_and_removed_at_the_end(on: On, path: Path) -> None:
    async def run() -> None:
        async with listening(path):
            assert in_folder(path.parent) == {"worker.sock": 0o600}
        assert in_folder(path.parent) == {}

    on(run)


@ON_BOTH_LOOPS
def test_the_socket_of_a_dead_process_is_replaced(on: On, path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(path))
        dead.listen()

    async def run() -> None:
        async with listening(path) as worker:
            worker.metrics = "mine"
            assert await ask_worker(path, "GET", "/metrics", seconds=LONG) == b"mine"
        async with listening(path):
            pass

    on(run)


def test_a_folder_that_is_too_deep_for_a_socket_is_a_fault_of_the_settings() -> None:
    with pytest.raises(ConfigError, match="too long"):
        control_path(Path("/" + "x" * 100))
