"""F33: nobody reads the log, or its disk is full: nothing waits for it, no item is lost, what is missing is told."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from supervisor.instance import environment
from tests.test_reliability.clients import Busy, p99, timed
from tests.test_reliability.roles import Roles, roles
from tests.test_reliability.sizes import figure, size
from tests.test_reliability.small_disk import MIB, small_disk
from tools.bench.run import bench_site

pytestmark = pytest.mark.fault

PAGES = size("LOG_PAGES", small=60, full=2000)
STALL_SECONDS = 0.05
SLOW_SECONDS = 0.25  # seen from outside, where all that runs beside it counts as well
STOP_SECONDS = {"api": 8.0, "worker": 20.0}
PIPE_BYTES = 4096  # the least that a pipe may hold: twenty lines
DEBUG = {"ATLAS_LOG_LEVEL": "debug"}
FIONREAD = 0x541B


class Unread:
    """A role whose standard error is a pipe that nobody reads until `read()`. Closing it kills what still runs."""

    def __init__(self, running: Roles, role: str, *, is_buffered: bool = False) -> None:
        self.role = role
        self._running = running
        self._pipe, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._seen = b""
        self._waiting, self._since = b"", 0.0
        self._reader = threading.Thread(target=self._read)
        told = environment(running.atlas.settings)
        if is_buffered:
            del told["PYTHONUNBUFFERED"]
        command = [sys.executable, "-P", "-m", "supervisor", role]
        self.popen = subprocess.Popen(command, env=told, stderr=writing, stdout=subprocess.DEVNULL)
        os.close(writing)

    def wait_for(self, done: Callable[[], bool], *, seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(0.05)
                raise AssertionError(f"{what}: the {self.role} ended with status {self.popen.returncode}")

    def is_stuck(self) -> bool:
        """Whether the pipe has held the same for a second: the next lines do not fit into it."""
        waiting = bytearray(4)
        fcntl.ioctl(self._pipe, FIONREAD, waiting)
        if bytes(waiting) != self._waiting:
            self._waiting, self._since = bytes(waiting), time.monotonic()
        return any(waiting) and time.monotonic() - self._since > 1.0

    def read(self) -> None:
        """From now on."""
        self._reader.start()

    def _read(self) -> None:
        while piece := os.read(self._pipe, 65_536):
            self._seen += piece

    def lines(self) -> list[dict[str, Any]]:
        """All that was read."""
        return objects(self._seen)

    def says(self, **fields: object) -> bool:
        return any(line | fields == line for line in self.lines())

    def dropped(self) -> int:
        return int(metric(self._running, "atlas_log_dropped_total", self.role))

    def stop(self) -> float:
        """SIGTERM; how long it took to end with 0."""
        begun = time.monotonic()
        self.popen.send_signal(signal.SIGTERM)
        assert self.popen.wait(STOP_SECONDS[self.role]) == 0
        return time.monotonic() - begun

    def close(self) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait(10)
        if self._reader.ident is not None:
            self._reader.join(10)
        os.close(self._pipe)


def objects(content: bytes) -> list[dict[str, Any]]:
    """Its whole lines, each of which must be one JSON object."""
    found = [json.loads(line) for line in content.split(b"\n")[:-1]]
    assert all(isinstance(each, dict) for each in found)
    return found


def metric(running: Roles, name: str, role: str) -> float:
    """A figure of one role, by the beginning of its series; 0 where there is none yet."""
    return _series(running.atlas.ask("GET", "/metrics").body, name, role)


def _series(text: str, name: str, role: str) -> float:
    found = re.search(rf'^{re.escape(name)}[^\n]*role="{role}"[^\n]* (\S+)$', text, re.MULTILINE)
    return float(found[1]) if found else 0.0


class Lag:
    """How late the event loop of a role was at each look since this was made."""

    def __init__(self, running: Roles, role: str) -> None:
        self._running, self._role = running, role
        self._before = self._now()

    def _now(self) -> list[float]:
        text = self._running.atlas.ask("GET", "/metrics").body
        return [
            _series(text, f'atlas_loop_lag_seconds_bucket{{le="{le}"', self._role) for le in ("+Inf", "0.05", "1.0")
        ]

    def looks(self) -> tuple[int, int, int]:
        """How many looks there were; at how many of them it was at most 50 ms late, at most 1 s."""
        every, within, late = (int(now - before) for now, before in zip(self._now(), self._before, strict=True))
        return every, within, late


def flood(port: int, stop: threading.Event) -> None:
    """Ask the api as often as it can answer: each request is a line of the log."""
    request = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    while not stop.is_set():
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            for _ in range(10):
                connection.sendall(request * 50)
                answers = b""
                while answers.count(b"HTTP/1.1 200") < 50 or not answers.endswith(b"ok\n"):
                    answers += connection.recv(65_536)


def flooded(running: Roles, done: Callable[[], bool]) -> None:
    """Until `done`."""
    stop = threading.Event()
    threads = [threading.Thread(target=flood, args=(running.atlas.port, stop)) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        deadline = time.monotonic() + 120
        while not done():
            assert time.monotonic() < deadline
            stop.wait(0.2)
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)


def is_up(running: Roles) -> bool:
    with contextlib.suppress(OSError):
        return bool(running.atlas.ask("GET", "/livez").status == 200)
    return False


def test_an_unread_log_delays_nothing_and_loses_no_item_and_tells_later_how_many_lines_are_missing(
    tmp_path: Path,
) -> None:
    with (
        bench_site(tmp_path / "site", pages=PAGES) as site,
        roles(tmp_path, DEBUG) as running,
        contextlib.closing(Unread(running, "api")) as api,
    ):
        api.wait_for(lambda: is_up(running), seconds=60, what="starting")
        with contextlib.closing(Unread(running, "worker")) as worker:
            worker.wait_for(running.atlas.is_ready, seconds=60, what="starting")
            flooded(running, lambda: api.dropped() > 0)
            lags = [Lag(running, role) for role in STOP_SECONDS]
            with Busy(lambda _: timed(running.atlas, "GET", "/livez"), pause=0.02) as alive:
                for number in range(PAGES):
                    running.save(f"{site}/p/{number}")
                worker.wait_for(lambda: running.ended(PAGES), seconds=30 + PAGES, what="finishing all")
                api.wait_for(lambda: lags[0].looks()[0] >= 5, seconds=30, what="looking at the loop")
            api.wait_for(api.is_stuck, seconds=10, what="being stuck")
            worker.wait_for(worker.is_stuck, seconds=10, what="being stuck")
            assert {item["state"] for item in running.atlas.items()} == {"done"}
            dropped, looks = api.dropped(), [lag.looks() for lag in lags]
            for role in (api, worker):
                role.read()
            api.wait_for(lambda: api.says(event="log.dropped"), seconds=30, what="telling how many are missing")
            running.atlas.ask("GET", "/health")
            api.wait_for(lambda: api.says(endpoint="/health"), seconds=10, what="logging again")
            told = sum(line["lines"] for line in api.lines() if line["event"] == "log.dropped")
            assert told == api.dropped() >= dropped > 0
            assert worker.stop() + api.stop() < sum(STOP_SECONDS.values())
        assert worker.says(event="role.stopped")
    answers = [answer.seconds for answer in alive.answers]
    figure(
        "F33",
        f"{len(answers)} requests beside full pipes: p99 {p99(answers) * 1000:.1f} ms, at most"
        f" {max(answers) * 1000:.0f} ms; loops of api and worker at most 50 ms late at"
        f" {looks[0][1]} of {looks[0][0]} and {looks[1][1]} of {looks[1][0]} looks; {dropped} lines dropped and told,"
        f" 0 of {PAGES} items lost",
    )
    assert statistics.median(answers) <= STALL_SECONDS
    assert p99(answers) <= SLOW_SECONDS
    assert all(2 * within >= every > 0 and late == every for every, within, late in looks)  # others run here, too


@pytest.mark.parametrize("is_buffered", [False, True], ids=["unbuffered", "buffered"])
@pytest.mark.parametrize("role", ["api", "worker"])
def test_a_role_ends_in_time_although_nobody_reads_its_log(tmp_path: Path, role: str, is_buffered: bool) -> None:
    with roles(tmp_path, DEBUG) as running, contextlib.closing(Unread(running, role, is_buffered=is_buffered)) as it:
        if role == "api":
            it.wait_for(lambda: is_up(running), seconds=60, what="starting")
            flooded(running, it.is_stuck)
        it.wait_for(it.is_stuck, seconds=60, what="filling the pipe")
        took = it.stop()
    figure("F33", f"{role}, {'buffered' if is_buffered else 'unbuffered'}: ended {took:.1f} s after SIGTERM")
    assert took <= STOP_SECONDS[role] / 2  # without its hard deadline


def test_the_log_file_goes_on_while_nobody_reads_the_other_log(tmp_path: Path) -> None:
    file = tmp_path / "atlas.log"
    with (
        roles(tmp_path, DEBUG | {"ATLAS_LOG_FILE": str(file)}) as running,
        contextlib.closing(Unread(running, "api")) as api,
    ):
        api.wait_for(lambda: is_up(running), seconds=60, what="starting")
        flooded(running, api.is_stuck)
        running.atlas.ask("GET", "/health")
        api.wait_for(lambda: b'"/health"' in file.read_bytes(), seconds=10, what="logging to the file")
        assert api.stop() <= STOP_SECONDS["api"] / 2
    assert objects(file.read_bytes())[-1]["event"] == "role.stopped"


def test_a_full_disk_under_the_log_file_delays_nothing_and_tears_no_line(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", mib=4) as disk:
        file = disk.path / "logs" / "atlas.log"
        with roles(tmp_path, DEBUG | {"ATLAS_LOG_FILE": str(file)}) as running:
            api = running.start("api")
            disk.fill(leave=MIB // 4)
            flooded(running, lambda: disk.free == 0 and metric(running, "atlas_log_dropped_total", "api") > 0)
            with Busy(lambda _: timed(running.atlas, "GET", "/livez"), pause=0.02) as alive:
                assert api.wait(3.0) is None
            stuck = file.stat().st_size
            disk.empty()
            running.atlas.ask("GET", "/health")
            api.wait_for(lambda: b'"/health"' in file.read_bytes(), seconds=10, what="logging again")
            dropped = metric(running, "atlas_log_dropped_total", "api")
            assert api.stop() == 0
        lines = objects(file.read_bytes())
        assert lines[-1]["event"] == "role.stopped"
        assert sum(line["lines"] for line in lines if line["event"] == "log.dropped") == dropped
    answers = [answer.seconds for answer in alive.answers]
    figure("F33", f"log on a full disk: {stuck} bytes, {dropped:.0f} lines dropped, p99 {p99(answers) * 1000:.1f} ms")
    assert {answer.status for answer in alive.answers} == {200}
    assert statistics.median(answers) <= STALL_SECONDS
    assert p99(answers) <= SLOW_SECONDS
