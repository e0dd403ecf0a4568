"""F18: who answers 429 or 503 with Retry-After is asked by nobody before that, and no item pays for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.clock import Clock
from pipeline.errors import AtlasError
from pipeline.flow.actor import _outcome_of
from pipeline.lifecycle import State
from pipeline.work import Bury, Retry
from stages.acquire import Acquire
from stages.settings import AcquireSettings
from tests.store.hands import TestClock, claim_all, finish, page
from tests.test_reliability.sizes import figure
from tests.test_reliability.test_host_breaker import Worker, started
from tests.unit.stages.fake_context import FakeContext
from tests.unit.stages.net.site import Request, answering, listening, reply

DAY = 86_400.0


def http_date(clock: Clock, seconds: float) -> str:
    from email.utils import formatdate

    return formatdate(clock.wall_ms() / 1000 + seconds, usegmt=True)


# What the header says, and how long nobody may ask. None: it says nothing that could be meant.
SAID: dict[str, tuple[Callable[[Clock], str], float]] = {
    "seconds": (lambda _: "120", 120),
    "a date": (lambda clock: http_date(clock, 300), 300),
    "a century": (lambda _: "3155760000", DAY),
    "a number without end": (lambda _: "9" * 400, DAY),
    "a date in a hundred years": (lambda clock: http_date(clock, 100 * 365 * DAY), DAY),
    "zero": (lambda _: "0", 1),
    "a date that has passed": (lambda clock: http_date(clock, -3600), 1),
}
NONSENSE = ["-5", "soon", "1.5e9", "\u0661\u0662", "Thu, 99 Foo 2026 25:61:61 GMT", "", "12 seconds", "0x10"]


@pytest.mark.parametrize(("said", "status"), list(zip(SAID, [429, 503] * 4, strict=False)))
async def test_nobody_asks_before_the_time_that_the_server_named(said: str, status: int, tmp_path: Path) -> None:
    clock = TestClock()
    value, seconds = SAID[said][0](clock), SAID[said][1]
    answers = [reply(status=status, headers={"Retry-After": value})]

    def answer(_: Request) -> bytes:
        return answers.pop() if answers else reply(b"page")

    async with listening(answering(answer)) as site:
        async with started(tmp_path, clock) as worker:
            assert await worker.end_of(site.url("/a")) == str(status)
            clock.pass_seconds(seconds / 2)
            assert [await worker.end_of(site.url(f"/{number}")) for number in range(20)] == ["breaker_open"] * 20
        async with started(tmp_path, clock) as worker:  # nor after a restart
            clock.pass_seconds(seconds / 2 - 0.1)
            assert [await worker.end_of(site.url(f"/{number}")) for number in range(20)] == ["breaker_open"] * 20
            assert len(site.requests) == 1
            clock.pass_seconds(0.1 + 1)  # a date has no fractions of a second
            assert await worker.end_of(site.url("/a")) == "200"
    figure("F18", f"{status} with {said}: 0 of 40 asked within {seconds:g} s, with a restart in between")


@pytest.mark.parametrize("value", NONSENSE)
async def test_a_header_that_means_nothing_is_as_if_it_were_not_there(value: str, tmp_path: Path) -> None:
    clock, status = TestClock(), [429]

    def answer(_: Request) -> bytes:
        return reply(status=status[0], headers={"Retry-After": value})

    async with listening(answering(answer)) as site, started(tmp_path, clock) as worker:
        await worker.end_of(site.url())
        clock.pass_seconds(59)
        assert await worker.end_of(site.url()) == "breaker_open"  # 429 alone asks for a minute
        assert len(site.requests) == 1
    status[0] = 503
    async with listening(answering(answer)) as site, started(tmp_path, clock) as worker:
        assert [await worker.end_of(site.url()) for _ in range(6)] == ["503"] * 5 + ["breaker_open"]


async def _next_step(worker: Worker, now_ms: int) -> list[Retry]:
    """What acquire makes of all that is due, stored."""
    acquire, outcomes = Acquire(AcquireSettings(), worker.fetch), []
    for claim in await claim_all(worker.store):
        try:
            outcome = await acquire.handle(claim, FakeContext(now_ms=now_ms))
        except AtlasError as error:
            outcome = _outcome_of(error)
        assert isinstance(outcome, Retry | Bury)
        assert isinstance(outcome, Retry), outcome.reason
        outcomes.append(outcome)
        await finish(worker.store, claim, outcome)
    return outcomes


@pytest.mark.parametrize("status", [429, 503])
async def test_ten_postponements_in_a_row_cost_no_item_an_attempt(status: int, tmp_path: Path) -> None:
    clock = TestClock()
    refusal = reply(status=status, headers={"Retry-After": "60"})
    async with listening(answering(lambda _: refusal)) as site, started(tmp_path, clock) as worker:
        uids = [(await worker.store.items.accept(page(site.url(f"/{number}")))).uid for number in range(5)]
        for turn in range(1, 11):
            outcomes = await _next_step(worker, clock.wall_ms())
            assert len(outcomes) == 5
            assert not any(outcome.costs_attempt for outcome in outcomes)
            assert all(outcome.after is not None and outcome.after >= 60 for outcome in outcomes)
            assert len(site.requests) == turn  # one asked for all of them
            clock.pass_seconds(65)
        items = [await worker.store.items.get(uid) for uid in uids]
    assert {(item.state, item.attempts) for item in items} == {(State.WAITING, 0)}
    figure("F18", f"{status}: 50 postponements of 5 items with {len(site.requests)} requests cost 0 attempts")
