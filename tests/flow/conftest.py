"""A line of fake stages over the real store, without threads, under a clock that jumps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import trio

from observability.log import get_logger
from observability.unexpected import Ledger
from pipeline.flow.line import Line
from pipeline.flow.pulse import Pulse
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.stage import StageContext, StageSpec
from pipeline.store.handle import Store, open_store
from pipeline.work import Advance, Claim, Outcome

Handler = Callable[[Claim, StageContext], Awaitable[Outcome]]


class FakeClock:
    """Wall and monotonic time that follow trio's clock, so that a jump of that is a jump of all."""

    def wall_ms(self) -> int:
        return 1_790_000_000_000 + round(trio.current_time() * 1000)

    def monotonic(self) -> float:
        return trio.current_time()


class FakeStage:
    """A stage that does what the test says."""

    def __init__(self, spec: StageSpec, handler: Handler) -> None:
        self.spec = spec
        self.handler = handler
        self.handled: list[str] = []

    async def handle(self, claim: Claim, ctx: StageContext) -> Outcome:
        self.handled.append(claim.subject)
        return await self.handler(claim, ctx)


async def advance(_claim: Claim, _ctx: StageContext) -> Outcome:
    return Advance()


class Bench:
    """A store and a line of stages, run as the supervisor would run them."""

    def __init__(self, store: Store, queue: QueueSettings, retry: RetrySettings) -> None:
        self.store = store
        self.queue = queue
        self.retry = retry
        self.news = 0
        self.mishaps = Ledger(lambda: 0)
        self.line: Line | None = None

    def build(self, handlers: dict[int, Handler], *, slots: int = 2, deadline: float = 5.0) -> dict[int, FakeStage]:
        hundreds = sorted(handlers)
        stages = {
            h: FakeStage(
                StageSpec(name=f"s{h}", hundred=h, slots=slots, deadline=deadline, following=after), handlers[h]
            )
            for h, after in zip(hundreds, [*hundreds[1:], None], strict=True)
        }
        self.line = Line(
            list(stages.values()),
            store=self.store,
            clock=FakeClock(),
            boot="boot",
            queue=self.queue,
            retry=self.retry,
            random=lambda: 1.0,
            mishaps=self.mishaps,
            news=self._count,
            log=get_logger(),
        )
        return stages

    def _count(self) -> None:
        self.news += 1

    async def run(self, seconds: float) -> None:
        """Let the whole line run for some (jumped) seconds, then cancel it."""
        assert self.line is not None
        with trio.move_on_after(seconds):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.line.keeper.run, Pulse())
                for actor in self.line.actors:
                    for _ in range(actor.spec.slots):
                        nursery.start_soon(actor.run_slot, Pulse())
                nursery.start_soon(self.line.dispatcher.run, Pulse())


@pytest.fixture
def queue_settings() -> QueueSettings:
    return QueueSettings()


@pytest.fixture
async def bench(tmp_path: Path, queue_settings: QueueSettings) -> AsyncIterator[Bench]:
    retry = RetrySettings(attempts=3, base_seconds=10)
    async with open_store(
        DatabaseSettings(), queue_settings, retry, folder=tmp_path, clock=FakeClock(), inline=True
    ) as store:
        made = Bench(store, queue_settings, retry)
        yield made
        if made.line is not None:
            made.line.close()
