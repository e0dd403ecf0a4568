"""tools/health_check.sh as a monitor calls it: its exit code and its one line, with curl and with Python alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.settings import QueueSettings
from pipeline.store.disk import Space
from pipeline.store.status import RoleReport
from tests.gateway.served import served
from tests.gateway.site import Site

# All that it may need of the system, beside what asks.
TOOLS = ("awk", "cat", "date", "sed", "tail", "tr")
Check = Callable[..., tuple[int, str]]
OK, WARNING, CRITICAL, UNKNOWN = range(4)


def path_with(folder: Path, *programs: str) -> str:
    folder.mkdir()
    for program in (*TOOLS, *programs):
        found = shutil.which(program)
        assert found is not None, program
        (folder / program).symlink_to(found)
    return str(folder)


@pytest.fixture(params=["curl", "python3"])
def check(request: pytest.FixtureRequest, tmp_path: Path, root: Path) -> Check:
    """Run it with one of the two programs by which it can ask."""
    if request.param == "curl" and shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    programs = path_with(tmp_path / "bin", *(["curl"] if request.param == "curl" else []))
    if request.param == "python3":
        (tmp_path / "bin" / "python3").symlink_to(os.path.realpath(sys.executable))

    def run(*arguments: str) -> tuple[int, str]:
        ran = subprocess.run(
            ["/bin/sh", str(root / "tools/health_check.sh"), *arguments],
            env={"PATH": programs, "http_proxy": "http://127.0.0.1:9"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert ran.stderr == ""
        return ran.returncode, ran.stdout

    return run


async def ask(check: Check, site: Site) -> tuple[int, str]:
    async with served(site) as port:
        return await asyncio.to_thread(check, "-p", str(port), "--timeout=20")


async def worker_reports(site: Site) -> None:
    now = site.clock.wall_ms()
    await site.store.status.report(RoleReport(role="worker", boot="b", pid=1, started_at=now, seen_at=now))


def test_when_all_works_it_is_0_with_the_figures_of_the_queue(gateway, check: Check) -> None:
    async def story(site: Site) -> None:
        await worker_reports(site)
        await site.save(url="https://example.com/1")
        code, told = await ask(check, site)
        text, _, figures = told.partition(" | ")
        assert (code, text) == (OK, "ATLAS OK - all works, queue 1 of 1000")
        assert figures.split()[1:] == ["queue=1;;1000;0;1000"]
        assert figures.startswith("time=")

    gateway(story)


def test_without_a_worker_it_is_1_and_names_the_part(gateway, check: Check) -> None:
    async def story(site: Site) -> None:
        code, told = await ask(check, site)
        assert (code, told.count("\n")) == (WARNING, 1)
        assert told.startswith("ATLAS WARNING - saves are accepted, but worker: No worker has reported for 30 s")

    gateway(story)


def test_a_full_queue_is_1(gateway, check: Check) -> None:
    async def story(site: Site) -> None:
        await worker_reports(site)
        for number in range(2):
            await site.save(url=f"https://example.com/{number}")
        code, told = await ask(check, site)
        assert (code, "ATLAS WARNING" in told, "queue=2;;2;0;2" in told) == (WARNING, True, True)

    gateway(story, queue=QueueSettings(max_size=2))


def test_when_no_save_is_accepted_it_is_2_with_the_reason(gateway, check: Check, monkeypatch) -> None:
    monkeypatch.setattr("pipeline.store.handle.space_of", lambda _folder: Space(total=10**11, free=10**9))

    async def story(site: Site) -> None:
        await worker_reports(site)
        site.clock.pass_seconds(1)
        code, told = await ask(check, site)
        assert (code, "no save is accepted: disk: The disk is nearly full" in told) == (CRITICAL, True), told

    gateway(story)


@contextmanager
def server(answer: bytes) -> Iterator[str]:
    """Answers every request with these bytes and closes; with none it takes the request and stays silent."""
    over = threading.Event()

    def serve(listener: socket.socket) -> None:
        with contextlib.ExitStack() as silent:
            while not over.is_set():
                connection = silent.enter_context(listener.accept()[0])
                if not over.is_set():
                    connection.recv(4096)
                    if answer:
                        connection.sendall(answer)
                        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            socket.create_connection(listener.getsockname()).close()
            thread.join(10)


def http(status: str, body: bytes) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (b"", CRITICAL, "gave no answer within 1 s"),
        (http("503 Service Unavailable", b"<html>Bad gateway</html>"), CRITICAL, "/health answers 503"),
        (http("500 Internal Server Error", b"{}"), CRITICAL, "/health answers 500"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", CRITICAL, "broke off its answer"),
        (http("200 OK", b"\0\xff garbage | ; \n\n\x1b[31m"), UNKNOWN, "what answers 200"),
        (http("200 OK", b'{"status":"ok"}'), UNKNOWN, "/ready is not an Atlas"),
        (http("404 Not Found", b""), UNKNOWN, "what answers 404"),
        (http("302 Found\r\nLocation: http://127.0.0.1:1/", b""), UNKNOWN, "what answers 302"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", CRITICAL, "broke off its answer"),
    ],
)
def test_a_broken_server_is_told_from_no_atlas_at_all(check: Check, answer: bytes, code: int, words: str) -> None:
    with server(answer) as url:
        got, told = check("--url", f"{url}/", "-t", "1" if not answer else "20")
    assert (got, told.count("\n"), told.isascii(), words in told) == (code, 1, True, True), told


def test_where_nobody_listens_it_is_2(check: Check, free_port: int) -> None:
    code, told = check("--host", "127.0.0.1", "--port", str(free_port))
    assert (code, "refuses connections" in told) == (CRITICAL, True), told


@pytest.mark.parametrize(
    "arguments",
    [
        ("--wat",),
        ("--wat=1",),
        ("--url",),
        ("--url", "ftp://example.org"),
        ("--url", "http://a b"),
        ("-p", "7444; id"),
        ("-H", "$(id)"),
        ("-t", "0"),
        ("-t", "1.5"),
        ("--timeout=",),
        ("extra",),
    ],
)
def test_a_wrong_call_is_3_in_one_line(root: Path, arguments: tuple[str, ...]) -> None:
    command = [str(root / "tools/health_check.sh"), *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    assert (ran.returncode, ran.stdout.count("\n"), ran.stderr) == (UNKNOWN, 1, "")
    assert ran.stdout.startswith("ATLAS UNKNOWN - ")


def test_with_nothing_to_ask_by_it_is_3(root: Path, tmp_path: Path) -> None:
    command = ["/bin/sh", str(root / "tools/health_check.sh")]
    path = path_with(tmp_path / "bin")
    ran = subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, timeout=10, check=False)
    assert (ran.returncode, ran.stdout) == (UNKNOWN, "ATLAS UNKNOWN - neither curl nor python3 is on PATH\n")


def test_its_help_names_every_option_and_exit_code(root: Path) -> None:
    command = [str(root / "tools/health_check.sh"), "--help"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    for word in ("-H", "-p", "-u", "-t", "-h", "0 OK", "1 WARNING", "2 CRITICAL", "3 UNKNOWN"):
        assert word in told
