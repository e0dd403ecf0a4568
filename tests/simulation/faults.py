"""What befalls the machine and the worker, each at times of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random

import apsw
import trio

from pipeline.flow.notebook import Notebook
from pipeline.stage import StageContext
from pipeline.work import Claim, Outcome
from supervisor.worker import Worker
from tests.simulation.clock import DAY, HOUR, MINUTE
from tests.simulation.journal import Meant
from tests.simulation.roles import Api, Service, Surroundings

BUSY_SECONDS = 30.0
FULL_SECONDS = 600.0  # in which saves are refused by design: a quarter of what a month may be unavailable
LEAST_SHARE = 0.5  # of the mean lies between two full disks, lest several make a month bad that nothing is wrong with


class Faults:
    def __init__(
        self, around: Surroundings, api: Api, service: Service, dice: Random, *, burst: Callable[[], Awaitable[None]]
    ) -> None:
        self._around = around
        self._api = api
        self._service = service
        self._dice = dice
        self._burst = burst
        self.happened: list[str] = []

    def calendar(self) -> tuple[tuple[Callable[[], Awaitable[None]], float], ...]:
        """Every fault, and how many seconds lie between two of it on average; within so many the first one comes."""
        return (
            (self.kill_at_a_commit, 0.6 * DAY),
            (self.actor_raises, 1.5 * DAY),
            (self.stage_raises, 1 * DAY),
            (self.step_is_deaf, 4 * DAY),
            (self.kills_in_a_burst, 7 * DAY),
            (self.reboot, 15 * DAY),
            (self.wall_clock_jumps, 5 * DAY),
            (self.network_is_down, 15 * DAY),
            (self.database_is_locked, 10 * DAY),
            (self.disk_is_full, 28 * DAY),
        )

    async def befall(self, fault: Callable[[], Awaitable[None]], every: float, seconds: float) -> None:
        """Let one fault happen again and again for so many seconds, and repair the last of it."""
        dice = Random(self._dice.random())
        end = trio.current_time() + seconds - HOUR
        at = trio.current_time() + (dice.uniform(0, every) if every <= seconds - HOUR else dice.expovariate(1 / every))
        while at < end:
            await trio.sleep_until(at)
            name = getattr(fault, "__name__", "")
            self.happened.append(name)
            self._around.trace.note(at, name)
            await fault()
            least = LEAST_SHARE * every if fault == self.disk_is_full else 0.0
            at = trio.current_time() + max(dice.expovariate(1 / every), least)

    async def kill_at_a_commit(self) -> None:
        await self._worker_that_is_up()
        if self._service.process is not None:
            self._service.process.dies_at_commit(self._dice.randint(1, 12), after=self._dice.random() < 0.5)

    async def kills_in_a_burst(self) -> None:
        """As many saves come at once as a worker takes long for, and it dies three times meanwhile."""
        await self._burst()
        for _ in range(3):
            await trio.sleep(self._dice.uniform(2, 30))
            await self.kill_at_a_commit()

    async def actor_raises(self) -> None:
        worker = await self._worker_that_is_up()
        actor = self._dice.choice(worker.line.actors)
        judge = actor._judge

        async def raises(claim: Claim, notes: Notebook) -> Outcome:
            actor._judge = judge  # type: ignore[method-assign]
            raise Meant("a bug in the actor's own loop")

        actor._judge = raises  # type: ignore[method-assign]

    async def stage_raises(self) -> None:
        async def fails(claim: Claim, ctx: StageContext) -> Outcome:
            await trio.lowlevel.checkpoint()
            raise Meant("a bug in a stage")

        await self._instead_once(fails)

    async def step_is_deaf(self) -> None:
        shut = self._dice.uniform(40, 400)

        async def hears_nothing(claim: Claim, ctx: StageContext) -> Outcome:
            with trio.CancelScope(shield=True):
                await trio.sleep(shut)
            await trio.sleep_forever()
            raise AssertionError

        await self._instead_once(hears_nothing)

    async def _worker_that_is_up(self) -> Worker:
        """What befalls nobody would be counted all the same; a worker that is down comes back within a minute."""
        while self._service.worker is None:  # noqa: ASYNC110 - seconds of a clock that jumps
            await trio.sleep(1)
        return self._service.worker

    async def _instead_once(self, handle: Callable[[Claim, StageContext], Awaitable[Outcome]]) -> None:
        stage = self._dice.choice((await self._worker_that_is_up()).line.actors).stage

        async def once(claim: Claim, ctx: StageContext) -> Outcome:
            del stage.handle  # type: ignore[attr-defined]
            return await handle(claim, ctx)

        stage.handle = once  # type: ignore[method-assign]

    async def reboot(self) -> None:
        self._service.pause = self._dice.uniform(20, 60)
        if self._service.process is not None:
            self._service.process.die()
        self._api.is_down = True
        self._around.clock.reboot()
        await trio.sleep(self._service.pause or 60.0)
        self._api.is_down = False

    async def wall_clock_jumps(self) -> None:
        self._around.clock.wrong_ms = 0 if self._around.clock.wrong_ms else self._dice.choice([3_600_000, -3_600_000])

    async def network_is_down(self) -> None:
        self._around.network.is_down = True
        await trio.sleep(30 * MINUTE)
        self._around.network.is_down = False

    async def database_is_locked(self) -> None:
        foreign = apsw.Connection(str(self._around.folder / "atlas.db"))
        foreign.execute("BEGIN IMMEDIATE")
        await trio.sleep(BUSY_SECONDS)
        foreign.execute("ROLLBACK")
        foreign.close()

    async def disk_is_full(self) -> None:
        machine = self._around.machine
        machine.is_low = True
        await trio.sleep(FULL_SECONDS / 3)
        machine.is_full = True
        await trio.sleep(FULL_SECONDS / 3)
        machine.is_full = False
        await trio.sleep(FULL_SECONDS / 3)
        machine.is_low = False
