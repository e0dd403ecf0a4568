"""GET /metrics of a real Atlas: both roles in one text, in time also when the worker hangs, is dead, or is back."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from prometheus_client import Metric

from observability.names import METRICS
from supervisor.instance import fetch
from tests.test_integration.at_work import AtWork, at_work, sample_site

pytestmark = pytest.mark.slow

LATE = 3.0  # seconds; the worker is waited for half a second, the rest is for a busy machine
NEVER_YET = {"atlas_scheduler_age_seconds"}  # nobody has started the scheduler here
BOTH = {"api", "worker"}


def roles_of(family: Metric | None) -> set[str | None]:
    return set() if family is None else {each.labels.get("role") for each in family.samples}


def value(found: dict[str, Metric], name: str, *labels: str) -> float:
    """Of the one series with this name and these values of labels."""
    samples = [each for family in found.values() for each in family.samples if each.name == name]
    (sample,) = [each for each in samples if sorted(each.labels.values()) == sorted(labels)]
    return sample.value


def sound(found: dict[str, Metric]) -> None:
    """Everything of the catalogue is there, and is as the catalogue says; nothing else but what the processes use."""
    known = {metric.name.removesuffix("_total"): metric for metric in METRICS}
    assert set(known) - set(found) == NEVER_YET
    assert {name for name in found if name not in known and not name.startswith("process_")} == set()
    for name, metric in known.items():
        if name in NEVER_YET:
            continue
        family = found[name]
        assert (family.type, family.documentation) == (metric.kind, metric.meaning), name
        labels = {frozenset(each.labels) - {"le"} for each in family.samples}
        assert labels == {frozenset(metric.labels) | ({"role"} if metric.process else set())}, name
        assert roles_of(family) == (BOTH if metric.process else {None}), name


def worker_up(running: AtWork) -> float:
    begun = time.monotonic()
    found = running.metrics()
    assert time.monotonic() - begun < LATE
    assert {each.labels["role"] for each in found["process_cpu_seconds"].samples} >= {"api"}
    (sample,) = found["atlas_worker_up"].samples
    return sample.value


def test_the_text_holds_the_whole_catalogue_of_both_roles_with_what_has_happened(tmp_path: Path) -> None:
    with sample_site() as site, at_work(tmp_path) as running:
        running.save(f"{site}/articles/rain-gauges")
        running.until(lambda: roles_of(running.metrics().get("atlas_loop_lag_seconds")) == BOTH, "looking at the loops")
        found = running.metrics()
        sound(found)
        assert value(found, "atlas_worker_up") == 1
        assert value(found, "atlas_saves_total", "api", "created") == 1
        assert value(found, "atlas_items", "done", "finalise") == 1
        assert value(found, "atlas_queue_depth") == 0
        assert [value(found, "atlas_errors_total", role) for role in sorted(BOTH)] == [0, 0]
        for stage in ("acquire", "validate", "extract", "enrich", "finalise"):
            assert value(found, "atlas_outcomes_total", stage, "advance", "") == 1
            assert value(found, "atlas_processing_seconds_count", stage) == 1
        assert value(found, "atlas_fetches_total", "2xx") >= 1
        assert value(found, "atlas_requests_total", "POST", "/api/v1/items", "202") == 1


def test_a_worker_that_hangs_or_is_dead_is_told_in_time_and_one_that_is_back_as_well(tmp_path: Path) -> None:
    with at_work(tmp_path) as running:
        worker = running.roles["worker"]
        assert worker_up(running) == 1
        os.kill(worker.pid, signal.SIGSTOP)
        assert worker_up(running) == 0
        os.kill(worker.pid, signal.SIGCONT)
        running.until(lambda: worker_up(running) == 1, "answering again")
        worker.kill()
        assert worker_up(running) == 0
        running.roles["worker"] = running.start("worker")
        running.until(lambda: worker_up(running) == 1, "being back")


def test_over_a_real_socket_only_a_program_on_this_machine_is_told_without_a_token(tmp_path: Path) -> None:
    with at_work(tmp_path) as running:
        for headers, status in (
            ({}, 200),
            ({"Host": f"localhost:{running.atlas.port}"}, 200),
            ({"X-Forwarded-For": "127.0.0.1"}, 401),
            ({"Via": "1.1 proxy"}, 401),
            ({"X-Forwarded-For": "127.0.0.1", "Authorization": f"Bearer {running.atlas.token}"}, 200),
            ({"Host": "evil.example"}, 421),
        ):
            reply = fetch(running.base, "GET", "/metrics", headers=headers)
            assert reply.status == status, headers
