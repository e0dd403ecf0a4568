"""A span that has ended, as a plain value: what is kept for the timeline, and what goes from the api to the worker."""

from __future__ import annotations

import msgspec

Scalar = str | bool | int | float


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
    """Raises msgspec.DecodeError for what is no batch."""
    return _batches.decode(content)
