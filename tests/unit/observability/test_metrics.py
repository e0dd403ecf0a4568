"""Instruments: the catalogue says what they are called and how they are labelled, and the code does so."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio
from prometheus_client import Metric as Family
from prometheus_client.parser import text_string_to_metric_families

from gateway import figures
from gateway.deps import Deps
from observability import metrics, names
from observability.metrics import Counter, Gauge, Histogram
from observability.names import METRICS
from observability.setup import Observed
from pipeline.flow.actor import Actor
from pipeline.store.counts import Count, QueueDepth
from pipeline.store.disk import Room
from pipeline.store.figures import Figures, FileSize
from pipeline.store.handle import Store
from supervisor.gauges import follow_actors, follow_gateway, follow_process
from tests.architecture.source import name, product_files, tree

INSTRUMENTS = {
    word: each for word, each in vars(metrics).items() if isinstance(each, Counter | Histogram) and word.isupper()
}
OPEN_SETS = ("host", "url", "domain", "site", "address", "path", "item", "uid", "feed", "user", "token", "query", "id")


def families(observed: Observed) -> dict[str, Family]:
    text = observed.scrape()
    assert text is not None
    return {family.name: family for family in text_string_to_metric_families(text)}


def value(observed: Observed, family: str, **labels: str) -> float:
    (found,) = [each.value for each in families(observed)[family].samples if each.labels == labels | {"role": "api"}]
    return found


# The catalogue


def test_no_label_is_of_a_set_that_has_no_end() -> None:
    labels = {label for metric in METRICS for label in metric.labels}
    assert [label for label in labels if set(label.split("_")) & set(OPEN_SETS)] == []


def test_every_metric_of_the_catalogue_has_one_instrument_and_no_other_name() -> None:
    instruments = [*INSTRUMENTS.values(), *metrics.GAUGES.values(), metrics.LOG_DROPPED]
    assert sorted(each.metric.name for each in instruments) == sorted(metric.name for metric in METRICS)
    kinds = {each.metric.name: type(each).__name__.lower() for each in instruments if each is not metrics.LOG_DROPPED}
    assert kinds == {metric.name: metric.kind for metric in METRICS if metric.name != names.LOG_DROPPED.name}


def used() -> Iterator[tuple[str, str, frozenset[str | None]]]:
    """Every call `metrics.X.add(…)` and `metrics.X.record(…)`: where, of what, with which labels."""
    for path in product_files():
        for node in ast.walk(tree(path)):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Attribute(value=ast.Name(id="metrics"), attr=word), attr=verb),
                    keywords=keywords,
                ) if verb in {"add", "record"}:
                    yield name(path), word, frozenset(each.arg for each in keywords)


def test_counters_and_histograms_are_labelled_as_the_catalogue_says_wherever_they_are_used() -> None:
    calls = list(used())
    wrong = [(where, word, labels) for where, word, labels in calls if labels != set(INSTRUMENTS[word].metric.labels)]
    assert wrong == []
    assert {word for _where, word, _labels in calls} == set(INSTRUMENTS)


ACTOR = SimpleNamespace(spec=SimpleNamespace(name="acquire", slots=4), inbox=SimpleNamespace(depth=2), busy=3)
FIGURES = Figures(
    counts=(Count(stage=100, state="ready", n=2, oldest_at=5_000), Count(stage=180, state="dead", n=1)),
    depth=QueueDepth(queue_size=2, max_queue_size=10, backlog=2, max_backlog=100),
    breakers={("host", "open"): 3},
    drift=0,
    swept_at=4_000,
    backup_at=None,
    backup_verified_at=None,
    first_item_at=1_000,
    poll_due_at=None,
)


async def _figures() -> Figures:
    return FIGURES


def follow_everything() -> None:
    status = SimpleNamespace(
        engine=lambda: "3",
        damage=lambda: None,
        writes_waiting=lambda: {"atlas": 1, "archive": 0},
        figures=_figures,
        disk=lambda: Room(total=100, free=50, reserve=10),
        file_sizes=lambda: (FileSize(name="atlas", database=8, wal=4),),
    )
    store = cast(Store, SimpleNamespace(status=status, bodies=SimpleNamespace(fault=None)))
    follow_process(store, "1.0")
    follow_actors([cast(Actor, ACTOR)], ["keeper"])
    follow_gateway()
    clock: Any = SimpleNamespace(wall_ms=lambda: 10_000)
    trio.run(lambda: figures.take(cast(Deps, SimpleNamespace(store=store, clock=clock)), worker_up=True))


def test_gauges_are_labelled_as_the_catalogue_says_and_all_of_them_are_told(observed: Observed) -> None:
    follow_everything()
    told = {each: [set(labels) for labels, _value in gauge.read()] for each, gauge in metrics.GAUGES.items()}
    assert [each for each, samples in told.items() if not samples] == []
    wanted = {metric.name: set(metric.labels) for metric in METRICS}
    assert [each for each, samples in told.items() if any(labels != wanted[each] for labels in samples)] == []


def test_what_alarms_ask_about_is_there_before_anything_has_happened(observed: Observed) -> None:
    follow_everything()
    found = families(observed)
    for counter in ("errors", "spans_dropped", "actor_restarts", "actor_stalls", "outcomes", "retries", "fetches"):
        samples = found[f"atlas_{counter}"].samples
        assert samples, counter
        assert {each.value for each in samples} == {0.0}, counter


def test_the_oldest_item_is_told_for_every_stage_and_only_for_what_can_be_worked_on(observed: Observed) -> None:
    follow_everything()
    ages = {each.labels["stage"]: each.value for each in families(observed)["atlas_oldest_item_age_seconds"].samples}
    assert ages == dict.fromkeys(figures.STAGES.values(), 0.0) | {"acquire": 5.0}
    assert families(observed)["atlas_dead_letters"].samples[0].value == 1
    assert families(observed)["atlas_backup_age_seconds"].samples[0].value == 9.0


# The instruments


def test_without_a_meter_nothing_is_counted_and_nothing_fails() -> None:
    metrics.connect(None)
    for each in INSTRUMENTS.values():
        labels = dict.fromkeys(each.metric.labels, "x")
        each.add(3, **labels) if isinstance(each, Counter) else each.record(1.0, **labels)
        assert each.target is None


def test_what_is_counted_is_told_with_help_and_type(observed: Observed) -> None:
    metrics.SPANS_DROPPED.add(2, where="kept")
    metrics.SPANS_DROPPED.add(where="kept")
    metrics.COMMIT_SECONDS.record(0.3, database="atlas")
    assert value(observed, "atlas_spans_dropped", where="kept") == 3
    found = families(observed)
    assert (found["atlas_spans_dropped"].type, found["atlas_commit_seconds"].type) == ("counter", "histogram")
    assert found["atlas_commit_seconds"].documentation == names.COMMIT_SECONDS.meaning


def test_a_histogram_takes_no_time_below_nothing_and_has_bounds_up_to_the_longest_step(observed: Observed) -> None:
    metrics.LOOP_LAG.record(-0.5)
    metrics.LOOP_LAG.record(149.0)
    buckets = {
        each.labels["le"]: each.value
        for each in families(observed)["atlas_loop_lag_seconds"].samples
        if each.name.endswith("_bucket")
    }
    assert (buckets["0.001"], buckets["60.0"], buckets["150.0"], buckets["+Inf"]) == (1, 1, 2, 2)
    assert len(buckets) == len(metrics.SECONDS) + 1


def test_a_gauge_is_read_when_somebody_looks(observed: Observed) -> None:
    depth = [1.0]
    metrics.GAUGES[names.WRITER_QUEUE.name].follow(lambda: [({"database": "atlas"}, depth[0])])
    assert value(observed, "atlas_writer_queue", database="atlas") == 1
    depth[0] = 7
    assert value(observed, "atlas_writer_queue", database="atlas") == 7


def test_after_the_last_look_nothing_is_followed_any_more(observed: Observed) -> None:
    gauge: Gauge = metrics.GAUGES[names.UPTIME.name]
    gauge.follow(lambda: [({}, 1)])
    observed.shutdown()
    assert list(gauge.read()) == []
    assert observed.scrape() is None
    metrics.ERRORS.add()


@pytest.mark.parametrize("word", sorted(INSTRUMENTS))
def test_every_instrument_reports(observed: Observed, word: str) -> None:
    each = INSTRUMENTS[word]
    labels = dict.fromkeys(each.metric.labels, "x")
    each.add(**labels) if isinstance(each, Counter) else each.record(1.0, **labels)
    (family,) = [
        found for found in families(observed).values() if found.name == each.metric.name.removesuffix("_total")
    ]
    assert set(family.samples[0].labels) - {"le", "role"} == set(each.metric.labels)
