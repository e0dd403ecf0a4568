"""What `just bench observed` reports, and the collector that it sends spans to."""

from __future__ import annotations

import asyncio
import gzip
from typing import cast

import pytest

from observability.settings import LogSettings, MetricsSettings, TraceSettings
from tools.bench.collector import Connection, Taken
from tools.bench.observed import OFF, ON, Pair, Side, order, shortfalls, summary


def pair(on: float, off: float, on_ms: float = 2.0, off_ms: float = 2.0) -> Pair:
    return Pair(
        on=Side(pages_per_second=on, post_ms=on_ms),
        off=Side(pages_per_second=off, post_ms=off_ms),
    )


class Transport(asyncio.WriteTransport):
    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: object) -> None:
        self.written += cast(bytes, data)


def test_each_side_goes_first_as_often_as_the_other() -> None:
    assert [order(number)[0] for number in range(4)] == ["on", "off", "on", "off"]
    assert {frozenset(order(number)) for number in range(4)} == {frozenset({"on", "off"})}


def test_a_ratio_is_that_of_a_pair_and_the_figure_is_the_median_of_the_ratios() -> None:
    total = summary([pair(9.0, 10.0, 2.5, 2.0), pair(100.0, 100.0, 2.0, 1.9), pair(4.0, 8.0, 9.0, 1.0)])
    assert total["ratio"] == 0.9
    assert total["added_ms"] == pytest.approx(0.5)
    assert (total["on_pages_per_second"], total["off_pages_per_second"]) == (9.0, 10.0)
    assert total["pairs"] == 3


def test_what_is_not_met_is_named() -> None:
    assert shortfalls(summary([pair(9.3, 10.0, 2.3, 2.0)])) == []
    assert len(shortfalls(summary([pair(9.2, 10.0, 2.31, 2.0)]))) == 2


def test_both_sides_say_what_they_want_of_the_same_settings_and_all_of_them_are_settings() -> None:
    sections = {"LOG": LogSettings, "TRACE": TraceSettings, "METRICS": MetricsSettings}
    known = {f"ATLAS_{name}_{field}".upper() for name, kind in sections.items() for field in kind.__struct_fields__}
    assert set(ON) == set(OFF) <= known
    assert all(ON[name] != OFF[name] for name in ON)


def test_the_collector_counts_and_answers_each_batch_however_it_comes_in() -> None:
    taken, transport = Taken(), Transport()
    connection = Connection(taken)
    connection.connection_made(transport)
    body = gzip.compress(b"spans" * 100)
    request = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    for at in range(len(request)):
        connection.data_received(request[at : at + 1])
    connection.data_received(request * 2)
    assert (taken.batches, taken.bytes) == (3, 3 * len(body))
    assert transport.written.count(b"HTTP/1.1 200 OK\r\n") == 3
