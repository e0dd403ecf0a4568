"""Settings of logs, traces and metrics."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

NotNegative = Annotated[int, msgspec.Meta(ge=0)]


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[log]"""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "text"] = "auto"  # auto: text on a terminal, else JSON
    file: str = ""  # also append JSON lines to this file, relative to the data folder; "" for none


class TraceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[trace]"""

    sample: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0  # share of traces that are taken; 0 takes none
    keep: NotNegative = 20_000  # rows of spans kept for the timeline pages: those of the last few thousand saves
    otlp_endpoint: str = ""  # where spans are sent as OTLP over HTTP: the full address of a collector; "" for nowhere
    otlp_authorization: str = ""  # the collector's Authorization header; a secret

    def __post_init__(self) -> None:
        if self.otlp_endpoint:
            parts = urlsplit(self.otlp_endpoint)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError("otlp_endpoint is no http address, such as http://127.0.0.1:4318/v1/traces")


class MetricsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[metrics]"""

    enabled: bool = True  # without it /metrics answers 404 and nothing is counted
