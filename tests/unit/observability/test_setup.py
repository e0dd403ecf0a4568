"""A role that is seen: what is kept, what is sent, what is dropped and counted, and how it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind
from prometheus_client.parser import text_string_to_metric_families

from observability import setup, spans, trace
from observability.names import Attribute, Span
from observability.settings import MetricsSettings, TraceSettings
from observability.setup import Observed, observe
from observability.spans import SpanRecord
from tests.unit.observability.conftest import NOWHERE

SECONDS = 10.0  # for what another thread does

Make = Callable[..., Observed]


@pytest.fixture
def make() -> Iterator[Make]:
    """A role with these settings of `[trace]`, ended at the end."""
    made: list[Observed] = []

    def role(name: str = "worker", *, has_network: bool = False, metrics: bool = True, **traces: Any) -> Observed:
        figures = MetricsSettings(enabled=metrics)
        one = observe(name, traces=TraceSettings(**traces), figures=figures, version="1.2", has_network=has_network)
        made.append(one)
        return one

    yield role
    for each in made:
        each.shutdown()


class Collector(SpanExporter):
    """Takes spans, or does not: `result` is what it says, while `open` is not set it does not answer."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []
        self.result = SpanExportResult.SUCCESS
        self.asked = threading.Event()
        self.open = threading.Event()
        self.open.set()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.asked.set()
        assert self.open.wait(SECONDS)
        self.spans += spans
        return self.result


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """In place of the one that the settings name. The queue for it has room for eight spans, a batch is of four."""
    made = Collector()
    monkeypatch.setattr(setup, "SENT_MOST", 8)
    monkeypatch.setattr(setup, "BATCH", 4)
    monkeypatch.setattr(setup, "_sender", lambda _traces, losses: setup._Sender(setup._Counting(made, losses), losses))
    yield made
    made.open.set()


def some(count: int, item: str | None = "A") -> None:
    for number in range(count):
        with trace.span(Span.COMMIT, {Attribute.ITEM: item, Attribute.BYTES: number}):
            pass


def dropped(observed: Observed) -> dict[str, float]:
    families = {family.name: family for family in text_string_to_metric_families(observed.scrape() or "")}
    if "atlas_spans_dropped" not in families:
        return {}
    return {each.labels["where"]: each.value for each in families["atlas_spans_dropped"].samples}


def numbers(found: Sequence[SpanRecord]) -> list[object]:
    return [each.attributes["atlas.bytes"] for each in found]


# What is made of the settings


def test_spans_of_items_are_kept_and_nothing_is_sent_where_nobody_is_named(make: Make) -> None:
    observed = make()
    some(1, item=None)
    some(2)
    assert [(each.item, each.role) for each in observed.take_kept()] == [("A", "worker")] * 2
    assert observed.take_kept() == observed.take_outgoing(10) == []


def test_a_role_without_a_way_to_the_collector_hands_on_all_its_spans(make: Make) -> None:
    observed = make("api", keep=0, otlp_endpoint=NOWHERE)
    some(1, item=None)
    some(2)
    assert observed.take_kept() == []
    assert len(observed.take_outgoing(2)) == 2
    assert len(observed.take_outgoing(2)) == 1


@pytest.mark.parametrize("traces", [{"sample": 0}, {"sample": 0, "otlp_endpoint": NOWHERE}, {"keep": 0}])
def test_where_no_span_is_wanted_none_is_made_and_figures_are_all_the_same(make: Make, traces: dict[str, Any]) -> None:
    observed = make(**traces)
    with trace.span(Span.COMMIT, {Attribute.ITEM: "A"}) as span:
        assert span.carrier() == {}
    assert observed.take_kept() == observed.take_outgoing(10) == []
    assert "process_cpu_seconds_total" in (observed.scrape() or "")


def test_figures_can_be_switched_off_alone(make: Make) -> None:
    observed = make(metrics=False)
    some(1)
    assert observed.scrape() is None
    assert len(observed.take_kept()) == 1


@pytest.mark.parametrize("endpoint", ["collector:4318", "ftp://collector/v1/traces", "http:///v1/traces", "/v1/traces"])
def test_an_endpoint_that_is_no_address_is_a_fault_of_the_settings(endpoint: str) -> None:
    with pytest.raises(ValueError, match="no http address"):
        TraceSettings(otlp_endpoint=endpoint)


# Bounds


def test_spans_that_nobody_stores_have_a_bound_and_those_past_it_are_counted(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "KEPT_MOST", 5)
    observed = make()
    some(12)
    assert dropped(observed) == {"kept": 7}
    assert observed.dropped == 7
    assert numbers(observed.take_kept()) == [0, 1, 2, 3, 4]
    some(2)
    assert numbers(observed.take_kept()) == [0, 1]


def test_spans_that_nobody_takes_to_the_worker_have_a_bound_and_those_past_it_are_counted(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "SENT_MOST", 5)
    observed = make("api", keep=0, otlp_endpoint=NOWHERE)
    some(12)
    assert dropped(observed) == {"worker": 7}
    assert numbers(observed.take_outgoing(100)) == [0, 1, 2, 3, 4]


def test_what_is_put_back_comes_first_again_and_no_more_of_it_than_there_is_room_for(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "SENT_MOST", 5)
    observed = make("api", keep=0, otlp_endpoint=NOWHERE)
    some(4)
    observed.put_back(observed.take_outgoing(2))
    assert numbers(observed.take_outgoing(5)) == [0, 1, 2, 3]
    some(4)
    batch = observed.take_outgoing(2)
    some(3)
    observed.put_back(batch)
    assert len(observed.take_outgoing(100)) == 5
    assert dropped(observed) == {"worker": 2}


def test_with_a_collector_that_hangs_ending_a_span_waits_for_nothing_and_memory_is_bounded(
    make: Make, collector: Collector
) -> None:
    collector.open.clear()
    observed = make(has_network=True, otlp_endpoint=NOWHERE)
    some(4)
    assert collector.asked.wait(SECONDS)
    begun = time.monotonic()
    some(500)
    assert time.monotonic() - begun < 2.0
    waiting = observed._sender._batch_processor._queue  # type: ignore[attr-defined]
    assert len(waiting) <= 8
    assert dropped(observed)["otlp"] >= 500 - 8 - 4
    collector.open.set()
    observed.shutdown()
    assert len(collector.spans) == 504 - observed.dropped


def test_what_a_collector_does_not_take_is_counted(make: Make, collector: Collector) -> None:
    collector.result = SpanExportResult.FAILURE
    observed = make(has_network=True, otlp_endpoint=NOWHERE)
    some(3)
    observed._sender.force_flush()  # type: ignore[attr-defined]
    assert dropped(observed) == {"otlp": 3}
    assert observed.dropped == 3


# The way to the collector


def test_what_waits_is_sent_at_the_end(make: Make, collector: Collector) -> None:
    observed = make(has_network=True, otlp_endpoint=NOWHERE)
    some(3)
    observed.shutdown()
    assert [each.name for each in collector.spans] == ["commit"] * 3
    some(1)
    assert len(collector.spans) == 3


def test_a_collector_that_hangs_holds_up_the_end_for_its_time_only(
    make: Make, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "SHUTDOWN_SECONDS", 0.05)
    collector.open.clear()
    observed = make(has_network=True, otlp_endpoint=NOWHERE)
    some(4)
    assert collector.asked.wait(SECONDS)
    begun = time.monotonic()
    observed.shutdown()
    observed.shutdown()
    assert time.monotonic() - begun < 2.0


def test_another_roles_spans_are_sent_as_its_own_in_one_trace(make: Make, collector: Collector) -> None:
    api = make("api", keep=0, otlp_endpoint=NOWHERE)
    with trace.span(Span.CLAIM) as before:
        pass
    led = before.carrier()["traceparent"]
    with trace.span(
        Span.REQUEST, {Attribute.HTTP_STATUS: 503}, parent={"traceparent": led, trace.LINK: led}, kind="server"
    ) as span:
        span.fail("HTTP 503")
    handed = spans.decode(spans.encode(api.take_outgoing(10)))
    api.shutdown()
    worker = make("worker", has_network=True, otlp_endpoint=NOWHERE)
    worker.pass_on(handed)
    worker.shutdown()
    claim, request = collector.spans
    assert request.parent is not None
    assert request.context is not None
    assert claim.context is not None
    assert (request.parent.span_id, request.context.trace_id) == (claim.context.span_id, claim.context.trace_id)
    assert [link.context.span_id for link in request.links] == [claim.context.span_id]
    assert (request.kind, request.status.description) == (SpanKind.SERVER, "HTTP 503")
    assert request.attributes == {"http.response.status_code": 503}
    assert request.resource.attributes == {"service.name": "atlas-api", "service.version": "1.2"}
    assert [each.start_time for each in collector.spans] == [each.start for each in handed]
    assert [each.end_time for each in collector.spans] == [each.end for each in handed]


def test_another_roles_spans_go_nowhere_where_no_collector_is_named(make: Make) -> None:
    observed = make("worker", has_network=True)
    some(1)
    observed.pass_on(observed.take_kept())
    assert observed.take_outgoing(10) == []


def test_what_is_no_batch_of_spans_is_refused() -> None:
    for content in (b"", b"nonsense", msgspec.msgpack.encode([{"name": "x"}]), msgspec.msgpack.encode({})):
        with pytest.raises(msgspec.DecodeError):
            spans.decode(content)


def test_the_environment_of_the_process_names_no_service_no_proxy_and_no_password(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OTEL_RESOURCE_ATTRIBUTES", "OTEL_SERVICE_NAME", "HTTP_PROXY", "ALL_PROXY", "NETRC"):
        monkeypatch.setenv(name, "service.name=forged")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    observed = make(has_network=True, otlp_endpoint=NOWHERE, otlp_authorization="Bearer ours")
    exporter = observed._sender._batch_processor._exporter._exporter  # type: ignore[attr-defined]
    assert not exporter._client._transport._session.trust_env
    assert exporter._client._headers["authorization"] == "Bearer ours"
    assert observed._resource.attributes["service.name"] == "atlas-worker"  # type: ignore[attr-defined]
    some(1)
    assert len(observed.take_kept()) == 1
    observed._sender._batch_processor._queue.clear()  # type: ignore[attr-defined]
