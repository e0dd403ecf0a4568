"""The only file that knows OpenTelemetry's SDK: makes tracer and meter of a role, and says where their findings go.

Nothing here holds up an item: spans wait in bounded queues, what does not fit is dropped and counted, and a collector
that does not answer is tried by a thread of its own, two seconds at a time.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol
from urllib.parse import urlsplit

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from prometheus_client import CollectorRegistry, ProcessCollector

from observability import exposition, metrics, trace
from observability.settings import MetricsSettings, TraceSettings
from observability.spans import SpanRecord

KEPT_MOST: Final = 8192  # spans that wait to be stored for the timelines: a second or two of a busy worker
SENT_MOST: Final = 4096  # spans that wait for the collector, or for the way there
BATCH: Final = 512
EXPORT_SECONDS: Final = 2.0  # for one batch, its retries included
SHUTDOWN_SECONDS: Final = 2.0


class Observed(Protocol):
    """A role that is seen."""

    def scrape(self) -> str | None:
        """The metrics of this process; None when they are switched off."""
        ...

    def take_kept(self) -> list[SpanRecord]:
        """Spans of items that ended since the last time, to be stored."""
        ...

    def take_outgoing(self, most: int) -> list[SpanRecord]:
        """Spans for the collector, of a role that has no way there itself."""
        ...

    def put_back(self, batch: list[SpanRecord]) -> None:
        """They could not be handed on: the next batch begins with them."""
        ...

    def pass_on(self, batch: list[SpanRecord]) -> None:
        """Send another role's spans to the collector."""
        ...

    @property
    def dropped(self) -> int:
        """Spans that were dropped so far, wherever."""
        ...

    def shutdown(self) -> None:
        """Send what waits, within SHUTDOWN_SECONDS, and report nothing more."""
        ...


class _Losses:
    """What did not fit or could not be sent, counted by where that was."""

    def __init__(self) -> None:
        self.spans = 0

    def add(self, count: int, where: str) -> None:
        self.spans += count
        metrics.SPANS_DROPPED.add(count, where=where)


def observe(role: str, *, traces: TraceSettings, figures: MetricsSettings, version: str, has_network: bool) -> Observed:
    """Begin to trace and to count in this process. `has_network`: spans for the collector are sent from here."""
    return _Observed(role, traces, figures, version, has_network=has_network)


class _Observed:
    def __init__(
        self, role: str, traces: TraceSettings, figures: MetricsSettings, version: str, *, has_network: bool
    ) -> None:
        self._role = role
        self._resource = _resource(role, version)
        self._registry: CollectorRegistry | None = None
        self._meters: MeterProvider | None = None
        self._losses = _Losses()
        sends = bool(traces.otlp_endpoint)
        self._sink = _Sink(self._losses, keeps=traces.keep > 0, sends=sends and not has_network)
        self._sender = _sender(traces, self._losses) if sends and has_network else None
        if figures.enabled:
            self._count()
        if traces.sample > 0 and (traces.keep or traces.otlp_endpoint):
            self._trace(traces.sample)

    def _count(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        reader = PrometheusMetricReader(disable_target_info=True, scope_info_enabled=False, registry=self._registry)
        self._meters = MeterProvider(
            metric_readers=[reader],
            resource=self._resource,
            exemplar_filter=AlwaysOffExemplarFilter(),
            shutdown_on_exit=False,
        )
        metrics.connect(self._meters.get_meter("atlas"))

    def _trace(self, share: float) -> None:
        sampler = TraceIdRatioBased(share)

        def sample(trace_id: str) -> bool:
            return sampler.should_sample(None, int(trace_id, 16), "").decision is Decision.RECORD_AND_SAMPLE

        trace.connect(sample, take=self._take, role=self._role)

    def _take(self, record: SpanRecord) -> None:
        self._sink.take(record)
        if self._sender is not None:
            self._sender.on_end(_readable(record, self._resource))

    @property
    def dropped(self) -> int:
        return self._losses.spans

    def scrape(self) -> str | None:
        return None if self._registry is None else exposition.render(self._registry, self._role)

    def take_kept(self) -> list[SpanRecord]:
        return _drain(self._sink.kept, KEPT_MOST)

    def take_outgoing(self, most: int) -> list[SpanRecord]:
        return _drain(self._sink.outgoing, most)

    def put_back(self, batch: list[SpanRecord]) -> None:
        for each in reversed(batch):
            if len(self._sink.outgoing) < SENT_MOST:
                self._sink.outgoing.appendleft(each)
            else:
                self._losses.add(1, "worker")

    def pass_on(self, batch: list[SpanRecord]) -> None:
        if self._sender is not None:
            for each in batch:
                self._sender.on_end(
                    _readable(each, _resource(each.role, str(self._resource.attributes["service.version"])))
                )

    def shutdown(self) -> None:
        trace.connect(None)
        metrics.connect(None)
        if self._sender is not None:
            # The SDK's own shutdown sends batch after batch for as long as that takes.
            ending = threading.Thread(target=self._sender.shutdown, name="otlp shutdown", daemon=True)
            ending.start()
            ending.join(SHUTDOWN_SECONDS)
        if self._meters is not None:
            self._meters.shutdown(500)
            self._meters = self._registry = None


class _Sink:
    """Takes every span that has ended."""

    def __init__(self, losses: _Losses, *, keeps: bool, sends: bool) -> None:
        self._losses = losses
        self._keeps, self._sends = keeps, sends
        self.kept: deque[SpanRecord] = deque()
        self.outgoing: deque[SpanRecord] = deque()

    def take(self, record: SpanRecord) -> None:
        if self._keeps and record.item is not None:
            self._add(self.kept, record, KEPT_MOST, "kept")
        if self._sends:
            self._add(self.outgoing, record, SENT_MOST, "worker")

    def _add(self, waiting: deque[SpanRecord], record: SpanRecord, most: int, where: str) -> None:
        if len(waiting) >= most:
            self._losses.add(1, where)
        else:
            waiting.append(record)


class _Sender(BatchSpanProcessor):
    """The SDK's batches, with what does not fit counted by us and not logged for each span."""

    def __init__(self, exporter: SpanExporter, losses: _Losses) -> None:
        super().__init__(exporter, max_queue_size=SENT_MOST, max_export_batch_size=BATCH, schedule_delay_millis=1000)
        self._losses = losses

    def on_end(self, span: ReadableSpan) -> None:
        if len(self._batch_processor._queue) >= SENT_MOST:  # noqa: SLF001 - it has no other word for how full it is
            self._losses.add(1, "otlp")
            return
        super().on_end(span)


class _Counting(SpanExporter):
    """Counts what the collector did not take: the SDK forgets a batch that has failed."""

    def __init__(self, exporter: SpanExporter, losses: _Losses) -> None:
        self._exporter = exporter
        self._losses = losses

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self._losses.add(len(spans), "otlp")
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


def _sender(traces: TraceSettings, losses: _Losses) -> _Sender:
    import requests  # noqa: TID251 - what the exporter sends with; a proxy or a .netrc of the environment is not for it
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    session = requests.Session()
    session.trust_env = False
    exporter = OTLPSpanExporter(
        endpoint=traces.otlp_endpoint,
        headers={"Authorization": traces.otlp_authorization} if traces.otlp_authorization else None,
        timeout=EXPORT_SECONDS,
        compression=Compression.NoCompression if _is_here(traces.otlp_endpoint) else Compression.Gzip,
        session=session,
    )
    return _Sender(_Counting(exporter, losses), losses)


def _is_here(endpoint: str) -> bool:
    """Whether it is on this machine: packing costs more there than sending."""
    return urlsplit(endpoint).hostname in ("127.0.0.1", "::1", "localhost")


def _resource(role: str, version: str) -> Resource:
    # Not Resource.create: it would ask the environment.
    return Resource({"service.name": f"atlas-{role}", "service.version": version})


def _drain(waiting: deque[SpanRecord], most: int) -> list[SpanRecord]:
    return [waiting.popleft() for _ in range(min(most, len(waiting)))]


_KINDS: Final = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "consumer": SpanKind.CONSUMER,
}


def _readable(record: SpanRecord, resource: Resource) -> ReadableSpan:
    """Another process's span, as the SDK's exporter wants it."""

    def context(trace_id: str, span_id: str) -> SpanContext:
        return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=TraceFlags(1))

    return ReadableSpan(
        name=record.name,
        context=context(record.trace_id, record.span_id),
        parent=None if record.parent_id is None else context(record.trace_id, record.parent_id),
        resource=resource,
        attributes=record.attributes,
        links=tuple(Link(context(*each)) for each in record.links),
        kind=_KINDS.get(record.kind, SpanKind.INTERNAL),
        status=Status(StatusCode.ERROR, record.error) if record.error is not None else Status(StatusCode.UNSET),
        start_time=record.start,
        end_time=record.end,
    )
