"""A gateway that is seen: its spans, and its figures beside those of a worker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from gateway.app import create_app
from observability.settings import MetricsSettings, TraceSettings
from observability.setup import Observed, observe
from observability.spans import SpanRecord
from tests.gateway.site import Site


@contextmanager
def watched(*, metrics: bool = True) -> Iterator[Observed]:
    """What makes spans and figures of this process; all its spans can be had by `take_outgoing()`."""
    traces = TraceSettings(otlp_endpoint="http://127.0.0.1:9/v1/traces")  # an api only hands on: nobody connects
    figures = MetricsSettings(enabled=metrics)
    made = observe("api", traces=traces, figures=figures, version="test", has_network=False)
    try:
        yield made
    finally:
        made.shutdown()


def spans(observed: Observed, name: str = "request") -> list[SpanRecord]:
    """Those of this name that have ended since the last look."""
    return [each for each in observed.take_outgoing(1000) if each.name == name]


def scraped(site: Site, observed: Observed, worker: str | None = None) -> Site:
    """The same site, whose /metrics tells of `observed` and of a worker that answers with this text, or not at all."""

    async def theirs() -> str | None:
        return worker

    deps = replace(site.deps, scrape=observed.scrape, worker_metrics=theirs)
    return replace(site, deps=deps, app=create_app(deps))
