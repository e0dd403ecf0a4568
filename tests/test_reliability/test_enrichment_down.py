"""F30: enrichment is down for an hour; everything before it goes on, nothing dies of it, and the backlog drains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from pipeline import errors
from pipeline.documents import Enriched, Extracted
from pipeline.effects import KeepDocument
from pipeline.items import Submission
from pipeline.lifecycle import State
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.stage import StageContext
from pipeline.store.handle import Store, open_store
from pipeline.work import Advance, Claim, Outcome
from stages.enrich import Enrich
from supervisor.worker import Worker
from tests.flow.conftest import FakeClock, Handler, advance
from tests.flow.test_worker import working
from tests.test_reliability.sizes import figure

pytestmark = pytest.mark.fault

DOWN_SECONDS = 3600.0
EVERY_SECONDS = 10.0  # a save
RETRY_AFTER = 300.0
SAVES = int(DOWN_SECONDS / EVERY_SECONDS)


class Parser:
    """The parse pool's part that enriches; while it is down each call raises."""

    def __init__(self, failure: Callable[[], Exception]) -> None:
        self.up = False
        self.asked = 0
        self._failure = failure

    async def enrich(self, text: str, *, title: str | None = None, declared: str | None = None) -> Enriched:
        self.asked += 1
        if not self.up:
            raise self._failure()
        return Enriched(language="en", word_count=1, reading_minutes=1, summary="", phrases=())


class Times:
    """When each item had been fetched, and when it was extracted."""

    def __init__(self) -> None:
        self.fetched: list[float] = []
        self.extracted: list[float] = []

    async def fetch(self, claim: Claim, ctx: StageContext) -> Outcome:
        await trio.sleep(0.5)
        self.fetched.append(trio.current_time())
        return await advance(claim, ctx)

    async def extract(self, claim: Claim, _ctx: StageContext) -> Outcome:
        await trio.sleep(0.5)
        self.extracted.append(trio.current_time())
        text = f"text of {claim.subject}"
        return Advance(effects=(KeepDocument(document=Extracted(text=text, markdown=text, html=text, method="test")),))


async def an_hour_of_saves(store: Store, worker: Worker) -> None:
    for number in range(SAVES):
        await store.items.accept(
            Submission(url=f"https://example.org/{number}", url_key=f"https://example.org/{number}")
        )
        worker.line.dispatcher.ring()
        await trio.sleep(EVERY_SECONDS)


async def states(store: Store) -> dict[str, int]:
    found: dict[str, int] = {}
    for count in await store.status.counts():
        found[count.state] = found.get(count.state, 0) + count.n
    return found


def handlers(times: Times, enrich: Handler) -> dict[int, Handler]:
    return {100: times.fetch, 300: times.extract, 400: enrich, 500: advance}


@pytest.mark.parametrize(
    "failure", [lambda: errors.ParseCrashed("it died"), lambda: errors.ParseTimeout("it hung")], ids=["dies", "hangs"]
)
async def test_an_item_whose_enrichment_fails_goes_on_without_it(
    tmp_path: Path, autojump_clock: MockClock, failure: Callable[[], Exception]
) -> None:
    times, parser = Times(), Parser(failure)
    stage = Enrich(parser, slots=2, deadline=30.0)
    async with (
        open_store(
            DatabaseSettings(), QueueSettings(), RetrySettings(), folder=tmp_path, clock=FakeClock(), inline=True
        ) as store,
        working(store, tmp_path, handlers(times, stage.handle)) as worker,
    ):
        await an_hour_of_saves(store, worker)
        await trio.sleep(EVERY_SECONDS)
        assert await states(store) == {State.DONE: SAVES}
        assert len(times.extracted) == parser.asked == SAVES
    figure("F30", f"the parser down for an hour: {SAVES} of {SAVES} fetched, extracted and done, counted only")


async def test_a_service_that_is_down_parks_what_asks_it_at_no_attempt_and_holds_up_no_other_stage(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """What a stage that asks a service behind a breaker does: BreakerOpen says when it may be asked again."""
    times, parser = (
        Times(),
        Parser(lambda: errors.BreakerOpen("it is left alone", name="provider:enrich", retry_after=RETRY_AFTER)),
    )
    stage = Enrich(parser, slots=2, deadline=30.0)
    async with (
        open_store(
            DatabaseSettings(), QueueSettings(), RetrySettings(), folder=tmp_path, clock=FakeClock(), inline=True
        ) as store,
        working(store, tmp_path, handlers(times, stage.handle)) as worker,
    ):
        await an_hour_of_saves(store, worker)
        assert len(times.fetched) == len(times.extracted) == SAVES
        parked = await states(store)
        assert sum(parked.values()) == SAVES
        assert parked.keys() <= {State.WAITING, State.READY, State.LEASED}
        parser.up = True
        begun = trio.current_time()
        while (await states(store)).get(State.DONE, 0) < SAVES:
            assert trio.current_time() - begun < 600, "the backlog does not drain"
            await trio.sleep(1)
        assert await states(store) == {State.DONE: SAVES}
        waited = trio.current_time() - begun
        failed = await store.queue._db.read(lambda conn: conn.execute("SELECT sum(attempts) FROM items").get)
        assert failed == 0
    figure(
        "F30",
        f"the service down for an hour: {SAVES} extracted meanwhile, 0 attempts, 0 dead, drained in {waited:.0f} s",
    )
