"""The composition root: each role's parts are made and put together here, and nowhere else.

Every `run_…` returns the exit code of its process. A role imports what is its own when it starts: a worker without the
web server, and an api without the pipeline's network, start a second sooner and stay smaller.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import trio

from observability import log
from observability.names import Event
from pipeline import ids
from pipeline.clock import SystemClock
from pipeline.errors import AtlasError, StoreBusy, StoreFull
from pipeline.stage import StageActor
from pipeline.store.handle import Store, open_store
from pipeline.store.status import RoleReport
from supervisor.arguments import version
from supervisor.child import SupervisorGaveUp
from supervisor.children import die_with_parent
from supervisor.doorbell import Bell, Doorbell, door, listen
from supervisor.exits import Exit, exit_code, refused
from supervisor.lock import exclusive
from supervisor.notify import Notify
from supervisor.ownership import live_as_owner
from supervisor.port import listening_socket
from supervisor.rundir import run_dir_from
from supervisor.settings import Config
from supervisor.tree import supervise
from supervisor.until import alone, until_signal
from supervisor.up import PARENT_VARIABLE, Up

if TYPE_CHECKING:
    from gateway.news import News
    from supervisor.worker import Worker

STOP_GRACE_SECONDS = 4.0  # after `[worker] drain_seconds`, for cancelled slots and for closing
GIVE_BACK_SECONDS = 3.0
BELL_SECONDS = 3600.0  # the api's bell has no fallback to look at: whoever waits has a deadline of its own
UP_DEADLINE_SECONDS = 30.0  # for the roles to stop one after the other


def run_worker(config: Config) -> int:
    """The worker, until SIGTERM (0), a spent restart budget (70), a held lock (75) or a broken disk (69)."""
    return _role(config, "worker", lambda: trio.run(_worker, config))


def run_api(config: Config) -> int:
    """The api, until SIGTERM (0), a port that is taken (75) or a broken disk (69)."""
    return _role(config, "api", lambda: asyncio.run(_api(config, listening_socket(config.api))))


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
    log.configure(config.log, name, data=config.folder)
    try:
        run()
    except SupervisorGaveUp as gave_up:
        code = Exit.INTERNAL if gave_up.hopeless is None else Exit(gave_up.hopeless.exit_code)
        log.get_logger().critical(Event.ROLE_FAILED, detail=str(gave_up))
        return code
    except (AtlasError, OSError, BaseExceptionGroup) as error:
        return _failed(alone(error))
    if name != "scheduler":  # it ends every five minutes, as it should
        log.get_logger().info(Event.ROLE_STOPPED)
    return Exit.OK


def _failed(error: BaseException) -> int:
    if isinstance(error, OSError) and (code := refused(error)) is not None:
        hint = "make room on the disk"
        if code is Exit.UNAVAILABLE:
            hint = "the data folder and all in it must belong to the user that runs Atlas"
        log.get_logger().critical(Event.ROLE_FAILED, detail=str(error), hint=hint)
        return code
    if not isinstance(error, AtlasError):
        raise error
    log.get_logger().critical(Event.ROLE_FAILED, code=error.code, detail=error.message, hint=error.hint)
    return exit_code(error)


def _open(config: Config) -> AbstractAsyncContextManager[Store]:
    return open_store(config.database, config.queue, config.retry, folder=config.folder, clock=SystemClock())


def _door(config: Config, role: str) -> Doorbell:
    return Doorbell(door(run_dir_from(os.environ, config.folder), role))


def _bell(config: Config, role: str) -> AbstractAsyncContextManager[Bell]:
    return listen(door(run_dir_from(os.environ, config.folder), role))


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


def _stopping(notify: Notify, running: list[Worker]) -> None:
    notify.stopping()
    for worker in running:
        worker.stopping = True


async def _work(config: Config, notify: Notify, running: list[Worker]) -> None:
    from supervisor.worker import Worker

    boot, clock, logger = ids.new_token(), SystemClock(), log.get_logger()
    config.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(exclusive(config.folder / "worker.lock"))
        store = await stack.enter_async_context(_open(config))
        own_bell = await stack.enter_async_context(_bell(config, "worker"))
        stages = await stack.enter_async_context(_stages(config, store, clock))
        ready, buried = await store.queue.reclaim(boot=boot)
        if ready or buried:
            logger.warning(Event.LEASES_RECLAIMED, ready=ready, buried=buried)
        worker = Worker(
            config,
            store=store,
            stages=stages,
            clock=clock,
            boot=boot,
            api_bell=_door(config, "api"),
            own_bell=own_bell,
            notify=notify,
            log=logger,
        )
        running.append(worker)
        try:
            await supervise(worker.root, worker.hooks, started=lambda: _started(notify, "worker", store))
        finally:
            with trio.move_on_after(GIVE_BACK_SECONDS, shield=True):
                await worker.line.give_back()
                await _say(store, worker.report(stopped=True))


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


async def _say(store: Store, report: RoleReport) -> None:
    """Say how a role is, if the store takes it: a busy or full one keeps no role from starting or stopping."""
    with contextlib.suppress(StoreBusy, StoreFull):
        await store.status.report(report)


def _started(notify: Notify, role: str, store: Store) -> None:
    notify.ready()
    if store.bodies.fault is not None:
        fault = store.bodies.fault
        log.get_logger().error(Event.ARCHIVE_AWAY, detail=fault.message, hint=fault.hint)
    log.get_logger().info(Event.ROLE_STARTED, role=role, pid=os.getpid())


def _parse_environ() -> dict[str, str]:
    """What parse processes may see: how to find the interpreter's libraries and speak UTF-8, no secrets."""
    return {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TMPDIR", "HOME") if name in os.environ}


# The api


async def _api(config: Config, sock: socket.socket) -> None:
    from gateway.app import create_app
    from gateway.deps import Deps
    from gateway.news import News
    from supervisor.serve import serve, stop_on_signals

    notify = Notify.from_environment(os.environ, pid=os.getpid())
    news, clock = News(), SystemClock()

    def stopping() -> None:
        notify.stopping()
        news.close()

    async with (
        stop_on_signals(stopping) as stop,
        _open(config) as store,
        _bell(config, "api") as bell,
        asyncio.TaskGroup() as group,
    ):
        deps = Deps(
            store=store,
            settings=config.api,
            clock=clock,
            ring=_door(config, "worker").ring,
            version=version(),
            providers_off=config.fallback.off,
            news=news,
        )
        listener = group.create_task(_pass_on(bell, news))
        started_at = clock.wall_ms()
        await _say(store, _api_report(clock, started_at))
        _started(notify, "api", store)
        await serve(create_app(deps), sock, stop)
        listener.cancel()
        await _say(store, _api_report(clock, started_at, stopped=True))


async def _pass_on(bell: Bell, news: News) -> None:
    while True:
        if await bell.wait(BELL_SECONDS):
            news.ring()


def _api_report(clock: SystemClock, started_at: int, *, stopped: bool = False) -> RoleReport:
    now = clock.wall_ms()
    return RoleReport(
        role="api",
        boot=str(os.getpid()),
        pid=os.getpid(),
        started_at=started_at,
        seen_at=now,
        stopped_at=now if stopped else None,
    )


# The scheduler


async def _scheduler(config: Config) -> None:
    async with _open(config) as store:
        queued = await store.feeds.queue_due()
        if queued:
            _door(config, "worker").ring()
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
    async with _open(config) as store:  # creates or migrates once, before the roles open it
        link = await store.tokens.sign_in_link()
    up = Up(config, flags, environ=os.environ, link=link)
    await until_signal(
        lambda: supervise(up.root, up.hooks, started=lambda: None),
        on_stop=lambda: None,
        hurry=up.hurry,
        deadline=UP_DEADLINE_SECONDS,
    )
