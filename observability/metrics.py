"""Instruments, declared once. They cost next to nothing until `connect()` gives them a meter to report to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from opentelemetry import metrics as otel

from observability import names
from observability.names import Metric

Sample = tuple[Mapping[str, str], float]
Read = Callable[[], Iterable[Sample]]

# Seconds: from a commit on a fast disk to the longest deadline of a step.
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 150.0)


class Counter:
    """Only ever grows while the process lives."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.target: otel.Counter | None = None

    def add(self, count: int = 1, **labels: str) -> None:
        """Count `count` more. With 0 the series is there before anything has happened."""
        if self.target is not None:
            self.target.add(count, labels)


class Histogram:
    """Durations in seconds."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.target: otel.Histogram | None = None

    def record(self, seconds: float, **labels: str) -> None:
        """One more that took so long."""
        if self.target is not None:
            self.target.record(max(0.0, seconds), labels)


class Gauge:
    """Read when somebody looks: `read` gives every series there is at that moment."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.read: Read = tuple

    def follow(self, read: Read) -> None:
        """From now on `read` tells. It is called on the event loop and must neither wait nor fail."""
        self.read = read


REQUESTS: Final = Counter(names.REQUESTS)
REQUEST_SECONDS: Final = Histogram(names.REQUEST_SECONDS)
SAVES: Final = Counter(names.ACCEPTED)
PROCESSING_SECONDS: Final = Histogram(names.PROCESSING_SECONDS)
OUTCOMES: Final = Counter(names.OUTCOMES)
RETRIES: Final = Counter(names.RETRIES)
FEED_POLLS: Final = Counter(names.FEED_POLLS)
ACTOR_RESTARTS: Final = Counter(names.ACTOR_RESTARTS)
ACTOR_STALLS: Final = Counter(names.ACTOR_STALLS)
FETCHES: Final = Counter(names.FETCHES)
FETCH_SECONDS: Final = Histogram(names.FETCH_SECONDS)
PARSE_SECONDS: Final = Histogram(names.PARSE_SECONDS)
ERRORS: Final = Counter(names.ERRORS)
COMMIT_SECONDS: Final = Histogram(names.COMMIT_SECONDS)
LOOP_LAG: Final = Histogram(names.LOOP_LAG)
SPANS_DROPPED: Final = Counter(names.SPANS_DROPPED)

GAUGES: Final[Mapping[str, Gauge]] = {each.name: Gauge(each) for each in names.METRICS if each.kind == "gauge"}
# Kept elsewhere, where no meter may be called: read when somebody looks.
LOG_DROPPED: Final = Gauge(names.LOG_DROPPED)

_ADDED: Final = (
    REQUESTS, SAVES, OUTCOMES, RETRIES, FEED_POLLS, ACTOR_RESTARTS, ACTOR_STALLS, FETCHES, ERRORS, SPANS_DROPPED,
)  # fmt: skip
_RECORDED: Final = (
    REQUEST_SECONDS, PROCESSING_SECONDS, FETCH_SECONDS, PARSE_SECONDS, COMMIT_SECONDS, LOOP_LAG,
)  # fmt: skip


def connect(meter: otel.Meter | None) -> None:
    """Report to `meter` from now on, or to nobody. The last call counts."""
    for counter in _ADDED:
        counter.target = (
            None if meter is None else meter.create_counter(counter.metric.name, description=_said(counter))
        )
    for histogram in _RECORDED:
        histogram.target = (
            None
            if meter is None
            else meter.create_histogram(
                histogram.metric.name, description=_said(histogram), explicit_bucket_boundaries_advisory=SECONDS
            )
        )
    if meter is None:
        for gauge in GAUGES.values():
            gauge.read = tuple
        return
    for gauge in GAUGES.values():
        meter.create_observable_gauge(gauge.metric.name, [_callback(gauge)], description=_said(gauge))
    meter.create_observable_counter(LOG_DROPPED.metric.name, [_callback(LOG_DROPPED)], description=_said(LOG_DROPPED))


def _said(instrument: Counter | Histogram | Gauge) -> str:
    return instrument.metric.meaning


def _callback(gauge: Gauge) -> Callable[[otel.CallbackOptions], Iterable[otel.Observation]]:
    def observe(_options: otel.CallbackOptions) -> Iterable[otel.Observation]:
        return [otel.Observation(value, dict(labels)) for labels, value in gauge.read()]

    return observe
