"""Batches of spans on their way from the api to the worker: whatever comes, it is a batch or a DecodeError."""

from __future__ import annotations

import msgspec
import pytest

from observability.spans import SpanRecord, decode, encode

GOOD = SpanRecord(
    trace_id="a" * 32,
    span_id="b" * 16,
    parent_id="c" * 16,
    name="fetch",
    role="api",
    start=1,
    end=2,
    links=(("d" * 32, "e" * 16),),
    attributes={"atlas.code": "timeout"},
    error="timeout",
)


def test_a_batch_comes_through_as_it_was() -> None:
    assert decode(encode([GOOD])) == [GOOD]


@pytest.mark.parametrize(
    "wrong",
    [
        {"trace_id": "zz"},
        {"trace_id": "A" * 32},
        {"span_id": "b" * 15},
        {"parent_id": "x" * 16},
        {"links": (("d" * 32, "e"),)},
        {"links": (("d", "e" * 16),)},
        {"start": -1},
        {"start": 5, "end": 4},
        {"end": 2**63},
    ],
)
def test_what_no_collector_could_be_sent_is_no_batch(wrong: dict[str, object]) -> None:
    """It had ended the server that took it."""
    with pytest.raises(msgspec.DecodeError):
        decode(encode([GOOD, msgspec.structs.replace(GOOD, **wrong)]))


@pytest.mark.parametrize("content", [b"", b"nonsense", msgspec.msgpack.encode({"a": 1}), msgspec.msgpack.encode([1])])
def test_nonsense_is_no_batch(content: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(content)
