"""S20: requests that are too large in every direction are refused at once, with an answer, and cost no memory."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from supervisor.instance import Instance
from tests.test_reliability.roles import roles
from tests.test_reliability.sizes import figure

pytestmark = pytest.mark.fault

LIMIT = 1_048_576  # [api] max_body_bytes
MIB = 1_048_576
MOST_SECONDS = 1.0
CHUNK = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
TEN_GB = 10 * 1024 * MIB // 65_536  # chunks


def head(atlas: Instance, method: str, target: str, *fields: str) -> bytes:
    told = [f"Host: 127.0.0.1:{atlas.port}", f"Authorization: Bearer {atlas.token}", *fields]
    return "\r\n".join([f"{method} {target} HTTP/1.1", *told, "", ""]).encode()


def body_over_the_limit(atlas: Instance) -> Iterator[bytes]:
    body = b'{"text":"' + b"x" * (LIMIT - 10) + b'"}'
    assert len(body) == LIMIT + 1
    yield head(atlas, "POST", "/api/v1/items", "Content-Type: application/json", f"Content-Length: {len(body)}")
    yield body


def body_without_end(atlas: Instance) -> Iterator[bytes]:
    yield head(atlas, "POST", "/api/v1/items", "Content-Type: application/json", "Transfer-Encoding: chunked")
    for _ in range(TEN_GB):
        yield CHUNK


def large_header(atlas: Instance) -> Iterator[bytes]:
    yield head(atlas, "GET", "/api/v1/items", f"X-Large: {'x' * 65_536}")


def many_headers(atlas: Instance) -> Iterator[bytes]:
    yield head(atlas, "GET", "/api/v1/items", *(f"X-{number}: {'x' * 50}" for number in range(1100)))


def deep_json(atlas: Instance) -> Iterator[bytes]:
    body = b'{"url":' + b"[" * 1000 + b"]" * 1000 + b"}"
    yield head(atlas, "POST", "/api/v1/items", "Content-Type: application/json", f"Content-Length: {len(body)}")
    yield body


def long_url(atlas: Instance) -> Iterator[bytes]:
    yield head(atlas, "GET", f"/api/v1/items?tag={'x' * 8192}")


def many_form_fields(atlas: Instance) -> Iterator[bytes]:
    body = "&".join(f"f{number}=x" for number in range(1000)).encode()
    kind = "Content-Type: application/x-www-form-urlencoded"
    yield head(atlas, "POST", "/add", kind, f"Content-Length: {len(body)}")
    yield body


def many_form_parts(atlas: Instance) -> Iterator[bytes]:
    part = '--b\r\nContent-Disposition: form-data; name="f{}"\r\n\r\nx\r\n'
    body = ("".join(part.format(number) for number in range(1000)) + "--b--\r\n").encode()
    kind = "Content-Type: multipart/form-data; boundary=b"
    yield head(atlas, "POST", "/add", kind, f"Content-Length: {len(body)}")
    yield body


ATTACKS: dict[Callable[[Instance], Iterator[bytes]], set[int]] = {
    body_over_the_limit: {413},
    body_without_end: {413},
    large_header: {431},
    many_headers: {431},
    deep_json: {400},
    long_url: {400, 414},
    many_form_fields: {413},
    many_form_parts: {413, 415},
}


def attack(atlas: Instance, parts: Iterator[bytes]) -> tuple[int, float]:
    """The status of the answer (0: none) and when it came; sends on until it does."""
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", atlas.port), timeout=10) as connection:
        with contextlib.suppress(OSError):  # the server has said enough; what it said is read below
            for part in parts:
                if select.select([connection], [], [], 0)[0]:
                    break
                connection.sendall(part)
        try:
            answer = connection.recv(65_536)
        except OSError:
            answer = b""
    status = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    return int(status[1]) if status else 0, time.monotonic() - begun


def peak_bytes(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text("ascii"))
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_what_is_too_large_is_refused_within_a_second_and_costs_no_memory(tmp_path: Path) -> None:
    right = {kind.__name__: statuses for kind, statuses in ATTACKS.items()}
    with roles(tmp_path) as running:
        api = running.start("api")
        for _ in range(20):  # what is imported and allocated once is not what an attack costs
            assert running.atlas.ask("GET", "/api/v1/items").status == 200
            assert running.atlas.ask("POST", "/api/v1/items", {"text": "x" * 500_000}).status == 202
        answers: dict[str, set[int]] = {}
        grown: dict[str, int] = {}
        slowest = 0.0
        for kind in ATTACKS:
            before = peak_bytes(api.pid)
            for _ in range(3):
                status, seconds = attack(running.atlas, kind(running.atlas))
                answers.setdefault(kind.__name__, set()).add(status)
                slowest = max(slowest, seconds)
            grown[kind.__name__] = peak_bytes(api.pid) - before
        assert running.atlas.ask("GET", "/health").status == 200
        assert {kind: given for kind, given in answers.items() if given - right[kind]} == {}
        assert slowest <= MOST_SECONDS
        assert max(grown.values()) <= LIMIT + MIB, grown
        assert api.stop() == 0
    most = max(grown.values()) / MIB
    figure("S20", f"{len(ATTACKS)} attacks 3 times each: {answers}; slowest {slowest:.2f} s; + {most:.1f} MiB")
