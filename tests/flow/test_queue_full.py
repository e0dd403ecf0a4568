"""A queue smaller than the pipeline: what waits at stage 50 goes on as soon as an item leaves, not at the fallback."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from pipeline.settings import QueueSettings
from pipeline.stage import StageContext
from pipeline.work import Claim, Outcome
from tests.flow.conftest import Bench, advance
from tests.flow.test_line import save, states


@pytest.fixture(params=[1, 2])
def queue_settings(request: pytest.FixtureRequest) -> QueueSettings:
    return QueueSettings(max_size=request.param)


async def test_deferred_items_follow_at_once_when_the_ones_before_them_are_done(
    bench: Bench, autojump_clock: MockClock
) -> None:
    async def takes_a_second(claim: Claim, ctx: StageContext) -> Outcome:
        await trio.sleep(1)
        return await advance(claim, ctx)

    bench.build({100: takes_a_second, 300: advance}, slots=4)
    await save(bench, 20)
    await bench.run(25)
    assert await states(bench) == {"done": 20}


async def test_an_item_that_is_done_before_the_dispatcher_has_looked_lets_the_next_one_in(
    bench: Bench, autojump_clock: MockClock
) -> None:
    bench.build({100: advance, 300: advance}, slots=4)
    await save(bench, 20)
    await bench.run(5)
    assert await states(bench) == {"done": 20}
