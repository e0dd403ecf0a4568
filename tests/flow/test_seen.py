"""How the line is seen: spans that lead to one another over the queue, and an error id that is the same everywhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog
import trio
from trio.testing import MockClock

from observability.names import Event
from observability.settings import MetricsSettings, TraceSettings
from observability.setup import Observed, observe
from observability.spans import SpanRecord
from pipeline import errors
from pipeline.lifecycle import Stage, State
from pipeline.stage import StageContext
from pipeline.work import Advance, Claim, Outcome
from tests.flow.conftest import Bench, advance
from tests.store.hands import page

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = {"traceparent": f"00-{TRACE}-{PARENT}-01", "correlation_id": "my-phone:42"}


@pytest.fixture
def observed() -> Iterator[Observed]:
    traces = TraceSettings(otlp_endpoint="http://127.0.0.1:9/v1/traces")  # only handed on: nobody connects
    made = observe("worker", traces=traces, figures=MetricsSettings(), version="test", has_network=False)
    yield made
    made.shutdown()


async def save(bench: Bench) -> str:
    return (await bench.store.items.accept(page("https://example.org/1", trace=GIVEN))).uid


def spans(observed: Observed) -> list[SpanRecord]:
    """Those of the trace, by their end."""
    return [each for each in observed.take_outgoing(1000) if each.trace_id == TRACE]


def led_to(found: list[SpanRecord]) -> list[tuple[str, str]]:
    """Each link: the name of the span, and what it names as having led to it."""
    names = {each.span_id: each.name for each in found} | {PARENT: "the request"}
    return [(each.name, names[span_id]) for each in found for _trace, span_id in each.links]


async def second_time_lucky(claim: Claim, ctx: StageContext) -> Outcome:
    if claim.attempts == 0:
        raise errors.FetchTimeout("slow", hint="wait")
    return await advance(claim, ctx)


async def test_each_stage_names_the_one_before_and_the_claim_what_had_put_the_item_on_the_queue(
    bench: Bench, observed: Observed, autojump_clock: MockClock
) -> None:
    bench.build({100: advance, 200: advance, 300: advance})
    uid = await save(bench)
    await bench.run(5)
    found = spans(observed)
    assert led_to(found) == [
        ("claim", "the request"),
        ("stage.s100", "claim"),
        ("stage.s200", "stage.s100"),
        ("stage.s300", "stage.s200"),
    ]
    outer = [each for each in found if each.name != "commit"]
    assert {each.parent_id for each in outer} == {PARENT}
    assert {each.item for each in found} == {uid}
    assert {each.attributes["atlas.outcome"] for each in outer if each.kind == "consumer"} == {"advance"}


async def test_a_second_try_is_in_the_same_trace_behind_a_claim_of_its_own(
    bench: Bench, observed: Observed, autojump_clock: MockClock
) -> None:
    bench.build({100: second_time_lucky, 200: advance})
    await save(bench)
    await bench.run(60)
    found = spans(observed)
    assert led_to(found) == [
        ("claim", "the request"),
        ("stage.s100", "claim"),
        ("claim", "the request"),
        ("stage.s100", "claim"),
        ("stage.s200", "stage.s100"),
    ]
    tries = [each for each in found if each.name == "stage.s100"]
    assert [each.attributes["atlas.attempt"] for each in tries] == [1, 2]
    assert [each.attributes["atlas.outcome"] for each in tries] == ["retry", "advance"]
    assert [each.error for each in tries] == ["timeout", None]
    claims = [each for each in found if each.name == "claim"]
    assert claims[1].span_id == tries[1].links[0][1]


async def test_the_steps_of_a_stage_and_its_commit_are_inside_it(
    bench: Bench, observed: Observed, autojump_clock: MockClock
) -> None:
    async def steps(_claim: Claim, ctx: StageContext) -> Outcome:
        await trio.sleep(0.5)
        ctx.step(Stage.FETCHING, method="direct", bytes=7)
        ctx.step(Stage.FETCH_FAILED, error="timeout", detail="of https://me:secret@example.org/")
        return Advance()

    bench.build({100: steps})
    await save(bench)
    await bench.run(5)
    found = {each.name: each for each in spans(observed)}
    stage = found["stage.s100"]
    assert {name for name, each in found.items() if each.parent_id == stage.span_id} == {
        "step.fetching",
        "step.fetch_failed",
        "commit",
    }
    fetching, failed = found["step.fetching"], found["step.fetch_failed"]
    assert (fetching.end - fetching.start) / 1e9 == pytest.approx(0.5)
    assert fetching.attributes.items() >= {"atlas.method": "direct", "atlas.bytes": 7, "atlas.stage": 120}.items()
    assert (failed.error, failed.attributes["atlas.detail"]) == ("timeout", "of https://***@example.org/")


async def test_a_step_that_takes_too_long_has_failed_with_that(
    bench: Bench, observed: Observed, autojump_clock: MockClock
) -> None:
    async def hangs(_claim: Claim, _ctx: StageContext) -> Outcome:
        await trio.sleep_forever()
        raise AssertionError

    bench.build({100: hangs}, deadline=5)
    await save(bench)
    await bench.run(7)
    (stage,) = [each for each in spans(observed) if each.name == "stage.s100"]
    assert (stage.error, stage.attributes["atlas.code"], stage.attributes["atlas.outcome"]) == (
        "deadline",
        "deadline",
        "retry",
    )


async def test_a_bug_of_a_stage_has_one_id_in_reason_line_span_and_ledger(
    bench: Bench, observed: Observed, autojump_clock: MockClock
) -> None:
    async def buggy(_claim: Claim, _ctx: StageContext) -> Outcome:
        raise KeyError("missing")

    bench.build({100: buggy})
    uid = await save(bench)
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as lines:
        await bench.run(600)
    item = await bench.store.items.get(uid)
    assert item.state is State.DEAD
    assert item.reason is not None
    error_id = item.reason.error_id
    assert error_id is not None
    told = [each for each in lines if each["event"] == Event.STAGE_FAILED]
    assert {(each["error_id"], each["item_id"], each["correlation_id"]) for each in told} == {
        (error_id, uid, "my-phone:42")
    }
    tries = [each for each in spans(observed) if each.name == "stage.s100"]
    assert {each.attributes["atlas.error_id"] for each in tries} == {error_id}
    (met,) = bench.mishaps.take()
    assert (met.id, met.kind, met.place, met.count) == (error_id, "KeyError", "stage.s100", bench.retry.attempts)
    assert (met.item, met.correlation_id) == (uid, "my-phone:42")
    assert len(told) == len(tries) == bench.retry.attempts


class Mute(Exception):
    """Of a library that fails even at that."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


async def test_a_bug_that_cannot_say_what_it_is_fails_its_item_and_not_its_slot(
    bench: Bench, observed: Observed, autojump_clock: MockClock
) -> None:
    async def buggy(_claim: Claim, _ctx: StageContext) -> Outcome:
        raise Mute

    bench.build({100: buggy})
    uid = await save(bench)
    await bench.run(600)
    item = await bench.store.items.get(uid)
    assert (item.state, item.reason and item.reason.code) == (State.DEAD, "internal")


async def test_every_line_of_an_item_names_it_and_the_request_that_brought_it(
    bench: Bench, autojump_clock: MockClock
) -> None:
    """Without a tracer too."""
    bench.build({100: second_time_lucky, 200: advance})
    uid = await save(bench)
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as lines:
        await bench.run(60)
    assert [each["event"] for each in lines] == [
        Event.ITEM_CLAIMED,
        Event.ITEM_RETRIED,
        Event.ITEM_CLAIMED,
        Event.STAGE_FINISHED,
        Event.STAGE_FINISHED,
    ]
    assert {(each["correlation_id"], each["trace_id"], each["item_id"]) for each in lines} == {
        ("my-phone:42", TRACE, uid)
    }


async def test_a_poll_begins_a_trace_and_is_about_its_feed(
    bench: Bench, observed: Observed, autojump_clock: MockClock
) -> None:
    async def gone(_claim: Claim, _ctx: StageContext) -> Outcome:
        raise errors.AddressDenied("10.0.0.1 is private", hint="allow it")

    bench.build({0: gone})
    feed = await bench.store.feeds.add("https://example.org/feed.xml")
    await bench.run(5)
    found = {each.name: each for each in observed.take_outgoing(10)}
    claim, stage = found["claim"], found["stage.s0"]
    assert (claim.parent_id, claim.links) == (None, ())
    assert (stage.trace_id, stage.parent_id) == (claim.trace_id, claim.span_id)
    assert stage.links == ((claim.trace_id, claim.span_id),)
    assert stage.attributes["atlas.feed_id"] == feed.uid
    assert stage.item is None
