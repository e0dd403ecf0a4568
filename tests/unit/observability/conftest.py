"""A process that is seen: traced and counted, with every span that ended at hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from observability.settings import MetricsSettings, TraceSettings
from observability.setup import Observed, observe

NOWHERE = "http://127.0.0.1:9/v1/traces"  # an api only hands spans on: nobody ever connects there


@pytest.fixture
def observed() -> Iterator[Observed]:
    """An api that hands on all its spans: `take_outgoing()` gives them."""
    made = observe(
        "api",
        traces=TraceSettings(otlp_endpoint=NOWHERE),
        figures=MetricsSettings(),
        version="test",
        has_network=False,
    )
    yield made
    made.shutdown()
