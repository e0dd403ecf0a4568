"""The composition root: each role's parts are made and put together here, and nowhere else.

Every `run_…` returns the exit code of its process. A role imports what is its own when it starts: a worker without the
web server, and an api without the pipeline's network, start a second sooner and stay smaller.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import trio

from observability import log, spans
from observability.names import Event
from observability.unexpected import Ledger
from pipeline import ids
from pipeline.clock import SystemClock
from pipeline.errors import AtlasError
from pipeline.stage import StageActor
from pipeline.store.handle import Store
from supervisor.arguments import version
from supervisor.child import ChildSpec, SupervisorGaveUp, at_once
from supervisor.children import die_with_parent
from supervisor.control import Control, control_path
from supervisor.exits import Exit, exit_code, refused
from supervisor.gauges import follow_actors, follow_process
from supervisor.lock import exclusive
from supervisor.notify import Notify
from supervisor.ownership import live_as_owner
from supervisor.parts import bell_of, door_of, opened, say, started, watched
from supervisor.port import listening_socket, passed_socket
from supervisor.recorder import Recorder
from supervisor.rundir import run_dir_from
from supervisor.safe_mode import rest
from supervisor.settings import Config
from supervisor.tree import supervise
from supervisor.until import alone, until_signal
from supervisor.up import PARENT_VARIABLE, Up

if TYPE_CHECKING:
    from observability.setup import Observed
    from supervisor.worker import Worker

STOP_GRACE_SECONDS = 4.0  # after `[worker] drain_seconds`, for cancelled slots and for closing
GIVE_BACK_SECONDS = 3.0
UP_DEADLINE_SECONDS = 30.0  # for the roles to stop one after the other


def run_worker(config: Config) -> int:
    """The worker, until SIGTERM (0), a spent restart budget (70), a held lock (75) or a broken disk (69)."""
    return _role(config, "worker", lambda: trio.run(_worker, config))


def run_api(config: Config) -> int:
    """The api, until SIGTERM (0), a port that is taken (75), a wrong socket from systemd (78) or a broken disk (69)."""
    from supervisor.api import serve_api

    def run() -> None:
        passed = passed_socket(os.environ, pid=os.getpid())
        sock = listening_socket(config.api) if passed is None else passed
        asyncio.run(serve_api(config, sock, is_passed=passed is not None))

    return _role(config, "api", run)


def run_scheduler(config: Config) -> int:
    """One round of the scheduler: database work only."""
    return _role(config, "scheduler", lambda: trio.run(_scheduler, config))


def run_up(config: Config, *, flags: Sequence[str] = ()) -> int:
    """Everything in the foreground, until Ctrl-C or SIGTERM. `flags`: this call's options, for the child processes."""
    return _role(config, "up", lambda: trio.run(_up, config, tuple(flags)))


def _role(config: Config, name: str, run: Callable[[], None]) -> int:
    """What every role does first, and the exit code it ends with."""
    live_as_owner(config.folder)
    parent = os.environ.get(PARENT_VARIABLE)
    if parent is not None:
        die_with_parent(int(parent))
    for variable in [each for each in os.environ if each.startswith("OTEL_")]:
        del os.environ[variable]  # the SDK would heed them; our settings are the only ones
    log.configure(config.log, name, data=config.folder)
    faulthandler.enable(2)  # all stacks to standard error when a C library crashes, or the watchdog sends SIGABRT
    try:
        run()
    except SupervisorGaveUp as gave_up:
        code = Exit.INTERNAL if gave_up.hopeless is None else Exit(gave_up.hopeless.exit_code)
        log.get_logger().critical(Event.ROLE_FAILED, detail=str(gave_up))
        return code
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - the edge of the process: told, kept, and its end
        return _failed(config, name, alone(error))
    if name != "scheduler":  # it ends every five minutes, as it should
        log.get_logger().info(Event.ROLE_STOPPED)
    return Exit.OK


def _failed(config: Config, role: str, error: BaseException) -> int:
    if isinstance(error, OSError) and (code := refused(error)) is not None:
        hint = "make room on the disk"
        if code is Exit.UNAVAILABLE:
            hint = "the data folder and all in it must belong to the user that runs Atlas"
        log.get_logger().critical(Event.ROLE_FAILED, detail=str(error), hint=hint)
        return code
    if not isinstance(error, Exception):
        raise error
    if not isinstance(error, AtlasError):
        log.get_logger().critical(Event.ROLE_FAILED, error_id=_keep(config, role, error), exc_info=error)
        return Exit.INTERNAL
    log.get_logger().critical(Event.ROLE_FAILED, code=error.code, detail=error.message, hint=error.hint)
    return exit_code(error)


def _keep(config: Config, role: str, error: Exception) -> str:
    """What ended the role is kept under its id, if the store can be opened once more."""
    mishaps = Ledger(SystemClock().wall_ms)
    found = mishaps.note(error, place="role")

    async def keep() -> None:
        async with opened(config) as store:
            await store.mishaps.keep(mishaps.take(), role=role)

    with contextlib.suppress(AtlasError, OSError):
        trio.run(keep)
    return found


# The worker


async def _worker(config: Config) -> None:
    notify = Notify.from_environment(os.environ, pid=os.getpid())
    running: list[Worker] = []

    def hurry() -> None:
        for worker in running:
            worker.root.hurry()

    await until_signal(
        lambda: _work(config, notify, running),
        on_stop=lambda: _stopping(notify, running),
        hurry=hurry,
        deadline=config.worker.drain_seconds + STOP_GRACE_SECONDS,
    )


def _take_spans(observed: Observed, content: bytes) -> bool:
    """The api's spans, on their way to the collector; False for what is no batch of them."""
    try:
        observed.pass_on(spans.decode(content))
    except msgspec.DecodeError:
        return False
    return True


def _stopping(notify: Notify, running: list[Worker]) -> None:
    notify.stopping()
    for worker in running:
        worker.stopping = True


async def _work(config: Config, notify: Notify, running: list[Worker]) -> None:
    from supervisor.worker import SERVICES, Worker

    boot, clock, logger = ids.new_token(), SystemClock(), log.get_logger()
    config.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(exclusive(config.folder / "worker.lock"))
        store = await stack.enter_async_context(opened(config))
        if store.status.damage() is not None:
            await rest(config, notify, store)
            return
        own_bell = await stack.enter_async_context(bell_of(config, "worker"))
        stages = await stack.enter_async_context(_stages(config, store, clock))
        observed, mishaps = watched(config, "worker", has_network=True), Ledger(clock.wall_ms)
        stack.callback(observed.shutdown)
        recorder = Recorder("worker", observed, mishaps, store, keep=config.trace.keep, log=logger, send=None)
        control = Control(
            control_path(run_dir_from(os.environ, config.folder)),
            scrape=observed.scrape,
            take=partial(_take_spans, observed),
        )
        ready, buried = await store.queue.reclaim(boot=boot)
        if ready or buried:
            logger.warning(Event.LEASES_RECLAIMED, ready=ready, buried=buried)
        worker = Worker(
            config,
            store=store,
            stages=stages,
            clock=clock,
            boot=boot,
            api_bell=door_of(config, "api"),
            own_bell=own_bell,
            notify=notify,
            log=logger,
            mishaps=mishaps,
            telemetry=[
                ChildSpec(name="recorder", start=at_once(recorder.run)),
                ChildSpec(name="control", start=at_once(control.run)),
            ],
        )
        follow_process(store, version())
        follow_actors(worker.line.actors, SERVICES)
        running.append(worker)
        try:
            await supervise(worker.root, worker.hooks, started=lambda: started(notify, "worker", store))
        finally:
            with trio.move_on_after(GIVE_BACK_SECONDS, shield=True):
                await worker.line.give_back()
                await recorder.last()
                await say(store, worker.report(stopped=True))


@asynccontextmanager
async def _stages(config: Config, store: Store, clock: SystemClock) -> AsyncIterator[tuple[StageActor, ...]]:
    """The stages, with the network and the parse processes that they share."""
    from stages.catalog import StageSettings, catalog
    from stages.net.breakers import Breakers
    from stages.net.client import Fetcher
    from stages.parse.pool import ParsePool

    if "google" in config.fallback.providers and "google" not in config.fallback.off:
        log.get_logger().warning(Event.PROVIDER_ENDS, provider="google", ends="2027-01-01")
    breakers = Breakers(store.breakers, config.breaker, clock=clock)
    await breakers.load()
    async with (
        Fetcher(config.net, clock=clock, breakers=breakers) as fetcher,
        ParsePool(config.parse, config.worker.processes, environ=_parse_environ()) as pool,
    ):
        settings = StageSettings(
            acquire=config.acquire,
            parse=config.parse,
            discover=config.discover,
            fallback=config.fallback,
            net=config.net,
        )
        yield catalog(
            settings,
            fetcher=fetcher,
            pool=pool,
            processes=config.worker.processes,
            breakers=breakers,
            quotas=store.breakers,
            clock=clock,
        )


def _parse_environ() -> dict[str, str]:
    """What parse processes may see: how to find the interpreter's libraries and speak UTF-8, no secrets."""
    return {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TMPDIR", "HOME") if name in os.environ}


# The scheduler


async def _scheduler(config: Config) -> None:
    async with opened(config) as store:
        if store.status.damage() is not None:
            return  # it is in the log, and nothing may be written
        queued = await store.feeds.queue_due()
        if queued:
            door_of(config, "worker").ring()
        swept = await store.status.sweep()
        if swept.drift:
            log.get_logger().error(Event.QUEUE_DRIFT, drift=swept.drift)


# Everything


async def _up(config: Config, flags: tuple[str, ...]) -> None:
    # A taken port and another worker are said here, once, in one line, before anything is promised.
    listening_socket(config.api).close()
    config.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with exclusive(config.folder / "worker.lock"):
        pass
    async with opened(config) as store:  # creates or migrates once, before the roles open it
        link = "" if store.status.damage() else await store.tokens.sign_in_link()
    up = Up(config, flags, environ=os.environ, link=link)
    await until_signal(
        lambda: supervise(up.root, up.hooks, started=lambda: None),
        on_stop=lambda: None,
        hurry=up.hurry,
        deadline=UP_DEADLINE_SECONDS,
    )
