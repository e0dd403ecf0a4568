"""The roles of the world, from the product's own parts: an api that takes saves, a worker that dies and comes back."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random

import msgspec
import trio

from observability.unexpected import Ledger
from pipeline import ids
from pipeline.clock import Clock
from pipeline.errors import StoreBusy, StoreError
from pipeline.settings import DatabaseSettings, QueueSettings
from pipeline.store.handle import Store, open_store
from stages.catalog import StageSettings, catalog
from stages.net.breakers import Breakers
from stages.net.client import Fetcher
from stages.settings import AcquireSettings, DiscoverSettings, FallbackSettings
from supervisor.child import SupervisorGaveUp
from supervisor.notify import Notify
from supervisor.settings import Config, WorkerSettings
from supervisor.tree import supervise
from supervisor.until import alone
from supervisor.wiring import GIVE_BACK_SECONDS
from supervisor.worker import Worker
from tests.simulation.clock import SteadyClock, WorldClock
from tests.simulation.hosts import ARCHIVE, POISON
from tests.simulation.journal import Journal
from tests.simulation.mortal import PROCESS, Machine, Process
from tests.simulation.network import Network
from tests.simulation.parser import InlineParser
from tests.simulation.trace import Trace

FALLBACK_SECONDS = 300.0  # for which a dispatcher sleeps when nobody rings (30 s in life, where time costs nothing)

CONFIG = Config(
    # Nobody cuts the power here, and a lock that is waited for would stop the whole world.
    database=DatabaseSettings(synchronous="normal", busy_timeout_ms=1, pool_size=1),
    queue=QueueSettings(max_size=200, max_backlog=5000, lease_seconds=900.0),
    acquire=AcquireSettings(slots=8),
    discover=DiscoverSettings(slots=1),
    fallback=FallbackSettings(
        providers=("browser", "wayback"),
        wayback_url=f"http://{ARCHIVE}/wayback/available",
        wayback_cdx_url=f"http://{ARCHIVE}/cdx",
        wayback_web_url=f"http://{ARCHIVE}/web",
    ),
    worker=WorkerSettings(concurrency=2),
)


class Bell:
    """supervisor.doorbell without a socket, both ends."""

    def __init__(self) -> None:
        self._rung = trio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def wait(self, _seconds: float) -> bool:
        await self._rung.wait()
        self._rung = trio.Event()
        return True


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What all roles of a world share."""

    folder: Path
    clock: WorldClock
    machine: Machine
    network: Network
    trace: Trace
    journal: Journal
    dice: Random

    def open(self, clock: Clock | None = None) -> contextlib.AbstractAsyncContextManager[Store]:
        return open_store(
            CONFIG.database, CONFIG.queue, CONFIG.retry,
            folder=self.folder, clock=clock or self.clock, random=self.dice.randbytes,
            inline=True, measure=self.machine.measure,
        )  # fmt: skip


class Api:
    """What of the api persons reach: its store."""

    def __init__(self, around: Surroundings, store: Store) -> None:
        self.trace = around.trace
        self.is_down = False
        self._store = store

    @property
    def store(self) -> Store:
        if self.is_down:
            raise StoreBusy("nobody answers at the port")
        return self._store


@contextlib.asynccontextmanager
async def api(around: Surroundings) -> AsyncIterator[Api]:
    PROCESS.set(Process("api", around.machine, lambda _name: None))
    async with around.open(SteadyClock(around.clock)) as store:
        yield Api(around, store)


class Service:
    """The worker as systemd keeps it: whenever it ends, it is started again."""

    def __init__(self, around: Surroundings, dice: Random) -> None:
        self._around = around
        self._dice = dice
        self._bell = Bell()
        self.worker: Worker | None = None  # that is up
        self.process: Process | None = None
        self.boot = ""
        self.up_since: float | None = None
        self.ends: list[str] = []
        self.downs: list[tuple[float, float]] = []
        self.commits = 0
        self.pause: float | None = None  # until the next start, when it is a special one
        self.after_end: Callable[[str], None] = lambda _why: None

    def ring(self) -> None:
        self._bell.ring()

    async def run(self) -> None:
        down_since = trio.current_time()
        while True:
            why = await self._live(down_since)
            died_at = trio.current_time()
            if self.up_since is not None:
                down_since = died_at
            self.worker, self.process, self.up_since = None, None, None
            self.ends.append(why)
            self._around.trace.note(died_at, "end", why)
            self.after_end(why)
            await trio.sleep(self._dice.uniform(0.2, 5.0) if self.pause is None else self.pause)
            self.pause = None

    async def _live(self, down_since: float) -> str:
        process = Process("worker", self._around.machine, self._count)
        self.process = process
        PROCESS.set(process)
        with trio.CancelScope() as scope:
            process.on_death = scope.cancel
            try:
                await self._work(down_since)
            except (StoreError, SupervisorGaveUp, BaseExceptionGroup) as error:
                if process.dead:
                    return "killed"
                found = alone(error)
                if not isinstance(found, StoreError | SupervisorGaveUp):
                    raise
                return f"{type(found).__name__}: {found}"
        return "killed"

    def _count(self, _name: str) -> None:
        self.commits += 1

    async def _work(self, down_since: float) -> None:
        around = self._around
        self.boot = ids.new_token(self._dice.randbytes)
        async with contextlib.AsyncExitStack() as stack:
            store = await stack.enter_async_context(around.open())
            breakers = Breakers(store.breakers, CONFIG.breaker, clock=around.clock)
            await breakers.load()
            around.network.breakers = breakers
            fetcher = await stack.enter_async_context(
                Fetcher(CONFIG.net, clock=around.clock, resolver=around.network.resolve, breakers=breakers)
            )
            await store.queue.reclaim(boot=self.boot)
            worker = self._worker(store, fetcher, breakers)

            def started() -> None:
                self.worker, self.up_since = worker, trio.current_time()
                self.downs.append((down_since, self.up_since))

            try:
                await supervise(worker.root, worker.hooks, started=started)
            finally:
                with trio.move_on_after(GIVE_BACK_SECONDS, shield=True):
                    await worker.line.give_back()

    def _worker(self, store: Store, fetcher: Fetcher, breakers: Breakers) -> Worker:
        around, bell = self._around, self._bell
        stages = catalog(
            StageSettings(
                acquire=CONFIG.acquire,
                parse=CONFIG.parse,
                discover=CONFIG.discover,
                fallback=CONFIG.fallback,
                net=CONFIG.net,
            ),
            fetcher=fetcher,
            pool=InlineParser(POISON),  # type: ignore[arg-type]
            processes=2,
            breakers=breakers,
            quotas=store.breakers,
            clock=around.clock,
        )
        worker = Worker(
            CONFIG,
            store=store,
            stages=stages,
            clock=around.clock,
            boot=self.boot,
            api_bell=Bell(),  # type: ignore[arg-type]
            own_bell=bell,  # type: ignore[arg-type]
            notify=Notify(None),
            log=around.journal,  # type: ignore[arg-type]
            mishaps=Ledger(around.clock.wall_ms),
        )
        worker.line.dispatcher._fallback = FALLBACK_SECONDS
        process = self.process
        assert process is not None
        # In life the process ends there and then, whatever its tasks do.
        worker.hooks = msgspec.structs.replace(worker.hooks, stuck=lambda _path: process.die())
        return worker
