"""Trace context in a dict."""

from __future__ import annotations

import pytest

from observability.carrier import child, new_trace, parse, trace_id

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def zeroes(count: int) -> bytes:
    return bytes(count)


def ones(count: int) -> bytes:
    return b"\x11" * count


def test_a_new_trace_is_valid_and_its_id_correlates() -> None:
    trace = new_trace(ones)
    assert trace == {"traceparent": f"00-{'11' * 16}-{'11' * 8}-01", "correlation_id": "11" * 16}
    assert parse(trace["traceparent"], correlation_id=trace["correlation_id"]) == trace


def test_ids_of_zeroes_are_never_given_out() -> None:
    assert parse(new_trace(zeroes)["traceparent"]) is not None


def test_a_child_keeps_trace_flags_and_correlation_and_has_a_span_of_its_own() -> None:
    parent = parse(PARENT, correlation_id="order-7")
    assert parent is not None
    assert child(parent, ones) == {
        "traceparent": f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'11' * 8}-01",
        "correlation_id": "order-7",
    }
    assert trace_id(child(parent, ones)) == trace_id(parent)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        PARENT.upper(),
        PARENT[:-1],
        PARENT + "-more",
        PARENT.replace("00-4b", "ff-4b"),
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
    ],
)
def test_a_header_that_is_not_valid_is_no_context_and_a_child_of_it_begins_anew(header: str | None) -> None:
    assert parse(header) is None
    assert trace_id(child({} if header is None else {"traceparent": header}, ones)) == "11" * 16


def test_of_a_later_version_only_what_is_known_is_taken_over() -> None:
    assert parse("01" + PARENT[2:-2] + "ff-more") == {
        "traceparent": PARENT,
        "correlation_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    }


def test_a_correlation_id_that_could_break_a_log_is_replaced_by_the_trace_id() -> None:
    parsed = parse(PARENT, correlation_id="a b\n")
    assert parsed is not None
    assert parsed["correlation_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
