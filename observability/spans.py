"""A span that has ended, as a plain value: what is kept for the timeline, and what goes from the api to the worker."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

Scalar = str | bool | int | float
LATEST: Final = 2**63  # nanoseconds: as much as the wire holds
_TRACE_ID: Final = re.compile("[0-9a-f]{32}")
_SPAN_ID: Final = re.compile("[0-9a-f]{16}")


class SpanRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Ids as hex, times as wall nanoseconds since 1970."""

    trace_id: str
    span_id: str
    name: str
    role: str
    start: int
    end: int
    parent_id: str | None = None
    kind: str = "internal"  # internal, server, client, consumer
    error: str | None = None  # what it failed with
    attributes: dict[str, Scalar] = {}
    links: tuple[tuple[str, str], ...] = ()  # trace and span ids of what led to it
    item: str | None = None  # the uid of the item that it is about


_batches = msgspec.msgpack.Decoder(list[SpanRecord])


def encode(batch: list[SpanRecord]) -> bytes:
    """A batch for the way from the api to the worker."""
    return msgspec.msgpack.encode(batch)


def decode(content: bytes) -> list[SpanRecord]:
    """Raises msgspec.DecodeError for what is no batch, or one that no collector could be sent."""
    batch = _batches.decode(content)
    for each in batch:
        if not all(_TRACE_ID.fullmatch(found) for found in (each.trace_id, *(link[0] for link in each.links))):
            raise msgspec.ValidationError("a trace id is none")
        if not all(_SPAN_ID.fullmatch(found) for found in _span_ids(each)):
            raise msgspec.ValidationError("a span id is none")
        if not 0 <= each.start <= each.end < LATEST:
            raise msgspec.ValidationError("a time is none")
    return batch


def _span_ids(record: SpanRecord) -> Iterator[str]:
    yield record.span_id
    if record.parent_id is not None:
        yield record.parent_id
    yield from (link[1] for link in record.links)
