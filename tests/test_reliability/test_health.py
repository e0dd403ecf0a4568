"""What /health says is true soon after it has become so, and what ends a role stays known."""

from __future__ import annotations

import contextlib
import http.client
import time
from pathlib import Path

import pytest

from tests.test_reliability.roles import roles
from tests.test_reliability.sizes import figure

pytestmark = pytest.mark.fault

TRUE_WITHIN = 30.0


def test_health_is_true_within_30_s_of_the_start_and_of_the_death_of_the_worker(tmp_path: Path) -> None:
    with roles(tmp_path) as running:
        begun = time.monotonic()
        worker, api = running.start("worker"), running.start("api")

        def says(processor: str) -> bool:
            return bool(running.atlas.ask("GET", "/health").body["processor"] == processor)

        api.wait_for(lambda: says("up"), seconds=TRUE_WITHIN, what="telling that the worker is up")
        up = time.monotonic() - begun
        report = running.atlas.ask("GET", "/health").body
        assert report["status"] == "ok"
        assert {each["state"] for each in report["components"].values()} == {"ok"}
        running.kill(worker)
        died = time.monotonic()
        assert "atlas_worker_up 0.0" in metrics(running.atlas.port), "it is known at once that it does not answer"
        api.wait_for(lambda: says("down"), seconds=TRUE_WITHIN + 1, what="telling that the worker is down")
        down = time.monotonic() - died
        report = running.atlas.ask("GET", "/health").body
        assert (report["status"], report["components"]["worker"]["state"]) == ("degraded", "failing")
        assert report["components"]["worker"]["age_seconds"] >= 29
        running.start("worker")
        api.wait_for(lambda: says("up"), seconds=TRUE_WITHIN, what="telling that the worker is back")
        figure("health", f"true {up:.1f} s after the start, and {down:.1f} s after the death of the worker")


def metrics(port: int) -> str:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        assert answer.status == 200
        return answer.read().decode()


def test_what_ends_a_role_unexpectedly_is_kept_under_the_id_that_its_last_line_names(tmp_path: Path) -> None:
    with roles(tmp_path) as running:
        worker = running.start_faulty("breaks_at_start")
        assert worker.wait(60) == 70
        error_id = worker._err.read_text().rpartition('"error_id":"')[2][:8]
        told = running.atlas.command("errors", error_id)
        assert "a bug in the start" in told
        assert "breaks_at_start" in told, "with its traceback"
