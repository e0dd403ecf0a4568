"""Trace context as a plain dict, so that it survives the queue: W3C traceparent and a correlation id. Pure.

https://www.w3.org/TR/trace-context/#traceparent-header
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

Random = Callable[[int], bytes]

_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_CORRELATION: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")


def new_trace(random: Random, *, correlation_id: str | None = None) -> dict[str, str]:
    """A trace that begins here. `random(n)` gives n random bytes."""
    trace_id = _nonzero(random, 16)
    return _carrier(trace_id, _nonzero(random, 8), "01", correlation_id)


def parse(traceparent: str | None, *, correlation_id: str | None = None) -> dict[str, str] | None:
    """The context that a caller sent, or None when the header is missing or not valid (then begin a new trace)."""
    found = parts(traceparent)
    return None if found is None else _carrier(*found, correlation_id)


def parts(traceparent: str | None) -> tuple[str, str, str] | None:
    """Trace id, span id and flags of a header; None when it is missing or not valid."""
    match = _TRACEPARENT.fullmatch((traceparent or "").strip())
    if match is None:
        return None
    version, trace_id, span_id, flags, rest = match.groups()
    if version == "ff" or (version == "00" and rest) or not trace_id.strip("0") or not span_id.strip("0"):
        return None
    # Of a version that we do not know only the first four fields are taken over, as version 00.
    return trace_id, span_id, flags if version == "00" else f"{int(flags, 16) & 1:02x}"


def child(trace: Mapping[str, str], random: Random) -> dict[str, str]:
    """The context for the next span of the same trace; a broken or empty one begins anew."""
    parent = parse(trace.get("traceparent"), correlation_id=trace.get("correlation_id"))
    if parent is None:
        return new_trace(random, correlation_id=trace.get("correlation_id"))
    _version, trace_id, _span, flags = parent["traceparent"].split("-")
    return _carrier(trace_id, _nonzero(random, 8), flags, parent["correlation_id"])


def trace_id(trace: Mapping[str, str]) -> str | None:
    """The 32 hex digits that all spans of the trace share."""
    parsed = parse(trace.get("traceparent"))
    return None if parsed is None else parsed["traceparent"].split("-")[1]


def _carrier(trace_id: str, span_id: str, flags: str, correlation_id: str | None) -> dict[str, str]:
    known = correlation_id if correlation_id and _CORRELATION.fullmatch(correlation_id) else trace_id
    return {"traceparent": f"00-{trace_id}-{span_id}-{flags}", "correlation_id": known}


def _nonzero(random: Random, count: int) -> str:
    """`count` random bytes as hex; all zeroes mean "no id" and are never given out."""
    digits = random(count).hex()
    return digits if digits.strip("0") else "0" * (2 * count - 1) + "1"
