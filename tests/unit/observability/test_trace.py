"""Spans: who is inside whom, what led to what, what they say, and what they never say."""

from __future__ import annotations

import time

import pytest
import structlog
import trio

from observability import carrier, spans, trace
from observability.names import Attribute, Span
from observability.setup import Observed
from observability.spans import SpanRecord

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = {"traceparent": f"00-{TRACE}-{PARENT}-01", "correlation_id": "order-7"}


def ended(observed: Observed) -> dict[str, SpanRecord]:
    return {span.name: span for span in observed.take_outgoing(100)}


# Without a tracer


def test_without_a_tracer_everything_is_allowed_and_nothing_comes_of_it() -> None:
    with trace.span(Span.REQUEST, {Attribute.BYTES: 1}, parent=GIVEN, kind="server") as span:
        span.set({Attribute.CODE: "x"})
        span.fail("broken")
        assert span.carrier() == {}
        assert trace.ids() is None
        assert trace.current().carrier() == {}
    assert trace.ended(Span.CLAIM, 1.0, {Attribute.CODE: "x"}, parent=GIVEN) == {}


def test_without_a_tracer_what_a_block_raises_goes_on_as_it_is() -> None:
    with pytest.raises(KeyError, match="missing"), trace.span(Span.COMMIT):
        raise KeyError("missing")


# Inside what, and caused by what


def test_a_span_inside_another_is_its_child(observed: Observed) -> None:
    with trace.span(Span.STAGE + "acquire") as outer:
        with trace.span(Span.FETCH):
            assert trace.ids() is not None
        assert trace.current().carrier() == outer.carrier()
    found = ended(observed)
    assert found["fetch"].parent_id == found["stage.acquire"].span_id
    assert found["fetch"].trace_id == found["stage.acquire"].trace_id
    assert found["stage.acquire"].parent_id is None


async def test_the_current_span_goes_along_into_tasks_and_threads_that_are_started_in_it(observed: Observed) -> None:
    async def task() -> None:
        with trace.span(Span.FETCH):
            await trio.lowlevel.checkpoint()

    def in_a_thread() -> None:
        with trace.span(Span.COMMIT):
            pass

    with trace.span(Span.STAGE + "acquire"):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(task)
        await trio.to_thread.run_sync(in_a_thread)
    found = ended(observed)
    assert {found["fetch"].parent_id, found["commit"].parent_id} == {found["stage.acquire"].span_id}


def test_with_a_carrier_a_span_is_inside_that_of_the_carrier_and_names_what_led_to_it(observed: Observed) -> None:
    with trace.span(Span.CLAIM) as before:
        pass
    led = before.carrier()["traceparent"]
    with trace.span(Span.STAGE + "acquire", parent={**GIVEN, trace.LINK: led}) as span:
        assert carrier.trace_id(span.carrier()) == TRACE
    found = ended(observed)["stage.acquire"]
    assert (found.trace_id, found.parent_id) == (TRACE, PARENT)
    _version, trace_id, span_id, _flags = led.split("-")
    assert found.links == ((trace_id, span_id),)


@pytest.mark.parametrize("broken", [{}, {"traceparent": "nonsense"}, {"traceparent": "", "link": "00-1-2-3"}])
def test_a_carrier_that_is_empty_or_broken_begins_a_trace_even_inside_a_span(
    observed: Observed, broken: dict[str, str]
) -> None:
    with trace.span(Span.CLAIM) as around, trace.span(Span.REQUEST, parent=broken) as span:
        assert carrier.trace_id(span.carrier()) not in (None, carrier.trace_id(around.carrier()))
    found = ended(observed)["request"]
    assert (found.parent_id, found.links) == (None, ())


def test_whoever_asked_not_to_be_traced_is_not_and_is_told_so_on(observed: Observed) -> None:
    quiet = {"traceparent": f"00-{TRACE}-{PARENT}-00"}
    with trace.span(Span.REQUEST, parent=quiet) as span:
        assert carrier.trace_id(span.carrier()) == TRACE
        assert span.carrier()["traceparent"].endswith("-00")
        with trace.span(Span.ACCEPT):
            pass
    assert ended(observed) == {}


def test_a_span_that_is_over_lies_that_long_in_the_past_and_leads_on(observed: Observed) -> None:
    before = time.time_ns()
    told = trace.ended(Span.CLAIM, 2.5, {Attribute.STAGE: 100}, parent={**GIVEN, trace.LINK: GIVEN["traceparent"]})
    found = ended(observed)["claim"]
    assert found.end - found.start == 2_500_000_000
    assert before <= found.end <= time.time_ns()
    assert (found.parent_id, found.links, found.error) == (PARENT, ((TRACE, PARENT),), None)
    assert told["traceparent"] == f"00-{TRACE}-{found.span_id}-01"


def test_a_span_that_is_over_with_a_code_has_failed_with_it(observed: Observed) -> None:
    trace.ended(Span.STEP + "failed", 0.0, {Attribute.CODE: "timeout"})
    assert ended(observed)["step.failed"].error == "timeout"


# What they say


def test_what_a_block_raises_marks_its_span_and_goes_on_as_it_is(observed: Observed) -> None:
    with pytest.raises(ValueError, match="secret"), trace.span(Span.FETCH):
        raise ValueError("no way to https://me:secret@example.org/?api_key=secret&x=1")
    assert ended(observed)["fetch"].error == "ValueError: no way to https://***@example.org/?api_key=***&x=1"


def test_to_be_cancelled_is_no_failure(observed: Observed) -> None:
    async def cancelled() -> None:
        with trio.CancelScope() as scope, trace.span(Span.FETCH):
            scope.cancel()
            await trio.lowlevel.checkpoint()

    trio.run(cancelled)
    assert ended(observed)["fetch"].error is None


def test_what_is_not_known_is_left_out_and_figures_stay_figures(observed: Observed) -> None:
    with trace.span(Span.FETCH, {Attribute.BYTES: 0, Attribute.CODE: None}) as span:
        span.set({Attribute.HTTP_STATUS: 200, Attribute.DETAIL: None, Attribute.WAITED: 0.5})
    assert ended(observed)["fetch"].attributes == {
        "atlas.bytes": 0,
        "http.response.status_code": 200,
        "atlas.waited_seconds": 0.5,
    }


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("https://me:pass@example.org/a?token=abc&page=2", "https://***@example.org/a?token=***&page=2"),
        ("Authorization: Bearer abcdefgh12345", "Authorization: Bearer ***"),
        ("atlas_AbCdEf0123456789_-xAbCdEf0123456789xx", "atlas_***"),
        ("line\nforged\x1b[31m", "line\\nforged\\x1b[31m"),
    ],
)
def test_no_secret_and_no_control_character_is_in_an_attribute_a_failure_or_an_error(
    observed: Observed, said: str, shown: str
) -> None:
    with trace.span(Span.FETCH, {Attribute.URL: said}) as span:
        span.set({Attribute.DETAIL: said})
        span.fail(said)
    found = ended(observed)["fetch"]
    assert found.attributes == {"url.full": shown, "atlas.detail": shown}
    assert found.error == shown


def test_an_attribute_that_cannot_be_written_as_it_is_can_be_kept(observed: Observed) -> None:
    with trace.span(Span.FETCH, {Attribute.DETAIL: "a \udc80 letter alone"}) as span:
        span.fail("and \ud800")
    spans.encode([ended(observed)["fetch"]])


def test_texts_have_an_end(observed: Observed) -> None:
    with trace.span(Span.FETCH, {Attribute.URL: "https://example.org/" + "a" * 5000}) as span:
        span.fail("b " * 5000)
    found = ended(observed)["fetch"]
    assert len(str(found.attributes["url.full"])) <= 2000
    assert len(found.error or "") <= 500


# What a block is about


def bound() -> dict[str, object]:
    return dict(structlog.contextvars.get_contextvars())


def test_lines_and_spans_of_a_block_name_what_it_is_about_and_those_after_it_do_not(observed: Observed) -> None:
    with trace.about(GIVEN, item_id="OUTER", stage="acquire"):
        assert bound() == {
            "correlation_id": "order-7",
            "trace_id": TRACE,
            "item_id": "OUTER",
            "stage": "acquire",
        }
        with trace.about({"correlation_id": "other"}, item_id="INNER"), trace.span(Span.FETCH):
            assert (bound()["item_id"], bound()["correlation_id"]) == ("INNER", "other")
        with trace.span(Span.COMMIT):
            assert (bound()["item_id"], bound()["correlation_id"]) == ("OUTER", "order-7")
    assert bound() == {}
    with trace.span(Span.CLAIM):
        pass
    assert {name: span.item for name, span in ended(observed).items()} == {
        "fetch": "INNER",
        "commit": "OUTER",
        "claim": None,
    }


def test_a_block_about_something_ends_as_well_when_it_raises(observed: Observed) -> None:
    with pytest.raises(ValueError, match="no"), trace.about(GIVEN, item_id="A"):
        raise ValueError("no")
    assert bound() == {}
    with trace.span(Span.CLAIM):
        pass
    assert ended(observed)["claim"].item is None


def test_a_block_about_no_item_is_not_about_the_one_around_it(observed: Observed) -> None:
    with trace.about(GIVEN, item_id="A"), trace.about(GIVEN, feed_id="F"), trace.span(Span.FETCH):
        pass
    assert ended(observed)["fetch"].item is None


async def test_two_tasks_that_are_about_two_things_do_not_mix(observed: Observed) -> None:
    async def work(uid: str, name: str) -> None:
        with trace.about({"correlation_id": uid}, item_id=uid):
            for _ in range(3):
                await trio.lowlevel.checkpoint()
            assert bound() == {"correlation_id": uid, "item_id": uid}
            with trace.span(Span.STEP + name):
                await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(work, "A", "a")
        nursery.start_soon(work, "B", "b")
    assert {name: span.item for name, span in ended(observed).items()} == {"step.a": "A", "step.b": "B"}


def test_an_attribute_named_for_the_item_wins_over_the_block_around(observed: Observed) -> None:
    with trace.about(GIVEN, item_id="A"), trace.span(Span.CLAIM, {Attribute.ITEM: "B"}):
        pass
    assert ended(observed)["claim"].item == "B"
