"""What Prometheus reads: each process with its role, and several processes as one text."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Metric
from prometheus_client.parser import text_string_to_metric_families

from observability import metrics, names
from observability.exposition import merge, render
from observability.names import METRICS
from observability.setup import Observed

OURS = (
    "# HELP atlas_items Items.\n# TYPE atlas_items gauge\n"
    'atlas_items{stage="acquire",state="ready"} 2.0\n'
    "# HELP atlas_errors_total Errors.\n# TYPE atlas_errors_total counter\n"
    'atlas_errors_total{role="api"} 1.0\n'
)
THEIRS = (
    "# HELP atlas_errors_total Errors.\n# TYPE atlas_errors_total counter\n"
    'atlas_errors_total{role="worker"} 4.0\n'
    "# HELP atlas_fetches_total Fetches.\n# TYPE atlas_fetches_total counter\n"
    'atlas_fetches_total{result="2xx"} 9.0\n'
)


def read(text: str) -> dict[str, Metric]:
    """Strictly: a family that stands in two places fails."""
    found: dict[str, Metric] = {}
    for family in text_string_to_metric_families(text):
        assert family.name not in found
        found[family.name] = family
    return found


def figures(family: Metric) -> dict[tuple[tuple[str, str], ...], float]:
    return {tuple(sorted(each.labels.items())): each.value for each in family.samples}


# One process


def test_metrics_of_a_process_say_which_role_that_is_and_those_of_the_system_do_not(observed: Observed) -> None:
    metrics.ERRORS.add()
    metrics.COMMIT_SECONDS.record(0.1, database="atlas")
    metrics.REQUESTS.add(method="GET", endpoint="/health", status="200")
    metrics.REQUEST_SECONDS.record(0.1, method="GET", endpoint="/health")
    metrics.GAUGES[names.QUEUE_DEPTH.name].follow(lambda: [({}, 3)])
    metrics.GAUGES[names.UPTIME.name].follow(lambda: [({}, 3)])
    found = read(observed.scrape() or "")
    ours = {metric.name.removesuffix("_total"): metric for metric in METRICS}
    assert {name for name in found if name not in ours} >= {"process_cpu_seconds", "process_resident_memory_bytes"}
    for name, family in found.items():
        roles = {sample.labels.get("role") for sample in family.samples}
        assert roles == ({"api"} if name not in ours or ours[name].process else {None}), name
    for name in ("errors", "commit_seconds", "requests", "request_seconds", "queue_depth", "uptime_seconds"):
        assert found[f"atlas_{name}"].samples, name


def test_a_look_at_one_process_changes_nothing_for_the_next_look() -> None:
    registry = CollectorRegistry()
    Gauge("other", "Of a library.", ["kind"], registry=registry).labels(kind="a").set(1)
    assert render(registry, "api") == render(registry, "api")
    assert 'other{kind="a",role="worker"} 1.0' in render(registry, "worker")


def test_a_process_that_counts_nothing_has_an_empty_text() -> None:
    assert render(CollectorRegistry(), "api") == ""


# Several


def test_a_family_of_two_processes_stands_in_one_place_with_its_help_and_type_once() -> None:
    text = merge([OURS, THEIRS])
    assert text.count("# HELP atlas_errors_total ") == text.count("# TYPE atlas_errors_total ") == 1
    found = read(text)
    assert list(found) == ["atlas_items", "atlas_errors", "atlas_fetches"]
    assert figures(found["atlas_errors"]) == {(("role", "api"),): 1.0, (("role", "worker"),): 4.0}
    assert figures(found["atlas_items"]) == {(("stage", "acquire"), ("state", "ready")): 2.0}
    assert {family.type for family in found.values()} == {"gauge", "counter"}


def test_one_text_stays_as_it_is_and_no_text_is_empty() -> None:
    assert merge([OURS]) == OURS
    assert merge([]) == ""
    assert merge([OURS, ""]) == OURS


def test_buckets_of_two_processes_stay_with_their_histogram(observed: Observed) -> None:
    metrics.LOOP_LAG.record(0.2)
    one = observed.scrape() or ""
    other = one.replace('role="api"', 'role="worker"')
    family = read(merge([one, other]))["atlas_loop_lag_seconds"]
    counts = [each for each in family.samples if each.name.endswith("_count")]
    assert {each.labels["role"]: each.value for each in counts} == {"api": 1.0, "worker": 1.0}
    assert len(family.samples) == 2 * (len(metrics.SECONDS) + 3)


def test_what_labels_hold_is_not_taken_for_a_line_of_the_format() -> None:
    registry = CollectorRegistry()
    odd = '# HELP x\nforged{a="b"} 1 \\ "quoted"'
    Counter("atlas_odd", "Odd.", ["word"], registry=registry).labels(word=odd).inc()
    text = render(registry, "api")
    found = read(merge([text, text.replace('role="api"', 'role="worker"')]))
    assert {sample.labels["word"] for sample in found["atlas_odd"].samples} == {odd}
