"""SIGTERM under load: soon over, status 0, nothing lost, nothing left running."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.test_reliability.roles import roles, sound, whole
from tests.test_reliability.sizes import figure
from tests.test_reliability.test_api_killed import Poster
from tools.bench import processes
from tools.bench.run import bench_site

pytestmark = pytest.mark.fault

WORKER_SECONDS = 20.0
API_SECONDS = 8.0


@pytest.mark.parametrize("times", [1, 5], ids=["once", "five times"])
def test_a_worker_told_to_stop_under_load_ends_in_time_and_the_next_one_finishes_the_rest(
    tmp_path: Path, times: int
) -> None:
    count = 300
    with bench_site(tmp_path / "site", pages=count) as site, roles(tmp_path) as running:
        running.start("api")
        worker = running.start("worker")
        urls = [f"{site}/p/{number}" for number in range(count)]
        running.atlas.command("add", "-", given="\n".join(urls))
        parsers = processes.children(worker.pid)
        assert parsers
        begun = time.monotonic()
        for _ in range(times - 1):
            worker.popen.terminate()
            worker.wait(0.02)
        assert worker.stop(seconds=WORKER_SECONDS) == 0
        figure("F19", f"the worker, told {times} times, ended with 0 after {time.monotonic() - begun:.1f} s")
        assert time.monotonic() - begun < WORKER_SECONDS
        assert [pid for pid in parsers if processes.is_alive(pid)] == []
        left = [item for item in running.atlas.items() if item["state"] != "done"]
        assert left, "the worker was stopped too late to have been under load"
        assert {item["state"] for item in left} <= {"ready", "deferred", "waiting"}
        assert {item["attempts"] for item in left} == {0}  # to be interrupted is no failure
        after = running.start("worker")
        after.wait_for(lambda: running.ended(count), seconds=120, what="finishing the rest")
        assert after.stop() == 0
    whole(tmp_path / "data", count)
    sound(tmp_path / "data")


def test_an_api_told_to_stop_while_items_are_posted_ends_in_time_and_keeps_what_it_answered(tmp_path: Path) -> None:
    with roles(tmp_path) as running, ThreadPoolExecutor(4) as threads:
        api = running.start("api")
        poster = Poster(running)
        try:
            for thread in range(4):
                threads.submit(poster.run, thread)
            api.wait_for(lambda: len(poster.answered) > 50, seconds=30, what="answering")
            # A client that has sent half of a request, and one that is connected and silent.
            half = _connected(running.atlas.port, b"POST /api/v1/items HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Le")
            silent = _connected(running.atlas.port, b"")
            with half, silent:
                begun = time.monotonic()
                for _ in range(4):  # and the fifth is that of stop()
                    api.popen.terminate()
                    api.wait(0.02)
                assert api.stop(seconds=API_SECONDS) == 0
                figure("F19", f"the api ended with 0 after {time.monotonic() - begun:.1f} s")
                assert time.monotonic() - begun < API_SECONDS
        finally:
            poster.stop()
        threads.shutdown(wait=True)
        running.start("api")
        found = {item["url"]: item["id"] for item in running.atlas.items()}
        assert {url: uid for url, uid in poster.answered.items() if found.get(url) != uid} == {}


def _connected(port: int, sent: bytes) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=10)
    client.sendall(sent)
    return client


def test_up_stops_everything_it_started_on_sigterm(tmp_path: Path) -> None:
    with roles(tmp_path) as running:
        up = running.atlas.start("up")
        up.wait_for(running.atlas.is_ready, seconds=30, what="becoming ready")
        below = processes.descendants(up.pid)
        assert any(processes.command(pid).endswith("worker") or " worker " in processes.command(pid) for pid in below)
        assert up.stop(seconds=WORKER_SECONDS + API_SECONDS) == 0
        assert [processes.command(pid) for pid in below if processes.is_alive(pid)] == []
