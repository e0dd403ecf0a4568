"""A collector that hangs, refuses, hangs up or wants another token: no item is slower, no role ends later."""

from __future__ import annotations

import contextlib
import statistics
import time
from pathlib import Path

import apsw
import pytest

from tests.test_integration.at_work import AtWork, at_work
from tests.test_integration.otlp import Collector, Mode, collector
from tests.test_reliability.sizes import figure
from tools.bench.run import bench_site

pytestmark = pytest.mark.slow

COUNT = 20
SECRET = "Bearer collector-secret-0123456789"
WORKER_SECONDS, API_SECONDS = 20.0, 8.0


def saved(running: AtWork, site: str, first: int) -> None:
    """Save so many pages at once, and wait until all are in the library."""
    for uid in [running.post(f"{site}/p/{number}") for number in range(first, first + COUNT)]:
        running.end(uid)


def seconds(data: Path) -> tuple[float, float]:
    """From the save to the end, for the middle one of the first half and of the second."""
    with contextlib.closing(apsw.Connection(str(data / "atlas.db"), flags=apsw.SQLITE_OPEN_READONLY)) as database:
        took = [ms / 1000 for (ms,) in database.execute("SELECT changed_at - created_at FROM items ORDER BY id")]
    assert len(took) == 2 * COUNT
    return statistics.median(took[:COUNT]), statistics.median(took[COUNT:])


def dropped(running: AtWork) -> float:
    samples = running.metrics()["atlas_spans_dropped"].samples
    return sum(each.value for each in samples if each.labels == {"where": "otlp", "role": "worker"})


def ends_in_time(running: AtWork) -> None:
    for role, most in (("worker", WORKER_SECONDS), ("api", API_SECONDS)):
        begun = time.monotonic()
        assert running.stop(role, seconds=most) == 0
        assert time.monotonic() - begun < most


def says_no_secret_and_does_not_go_on_about_it(running: AtWork) -> None:
    for role in ("api", "worker"):
        log = running.log(role)
        assert "collector-secret" not in log
        assert "opentelemetry" not in log
        assert log.count("telemetry.dropped") <= 1


def knows_the_secret(otlp: Collector) -> None:
    assert {headers["authorization"] for headers in otlp.headers} == {SECRET}


@pytest.mark.parametrize("mode", [Mode.HANG, Mode.REFUSE, Mode.DROP, Mode.DENY], ids=lambda mode: mode.name.lower())
def test_while_the_collector_fails_items_end_as_fast_losses_are_counted_and_both_roles_end_in_time(
    tmp_path: Path, mode: Mode
) -> None:
    settings = {"ATLAS_TRACE_OTLP_AUTHORIZATION": SECRET, "ATLAS_LOG_LEVEL": "debug"}
    with (
        collector() as otlp,
        bench_site(tmp_path / "site", pages=3 * COUNT) as site,
        at_work(tmp_path, ATLAS_TRACE_OTLP_ENDPOINT=otlp.endpoint, **settings) as running,
    ):
        saved(running, site, 0)
        assert otlp.wait_for(lambda one: bool(one.spans), seconds=10)
        assert dropped(running) == 0
        otlp.mode = mode
        saved(running, site, COUNT)
        well, badly = seconds(running.atlas.data)
        figure("collector", f"{mode.name}: {well:.2f} s from save to end with it, {badly:.2f} s without")
        assert badly < 3 * well + 2.0
        running.until(lambda: dropped(running) > 0, "counting what was lost")
        for number in range(2 * COUNT, 3 * COUNT):
            running.post(f"{site}/p/{number}")
        ends_in_time(running)
        says_no_secret_and_does_not_go_on_about_it(running)
        knows_the_secret(otlp)
