"""The api role, put together: the gateway on its socket, and what tells of it."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from gateway.app import create_app
from gateway.deps import Deps
from gateway.news import News
from observability import log
from observability.names import Event
from observability.unexpected import Ledger
from pipeline.clock import SystemClock
from pipeline.errors import StoreBroken
from pipeline.store.handle import Store
from pipeline.store.status import RoleReport
from supervisor.arguments import version
from supervisor.control import ask_worker, control_path
from supervisor.doorbell import Bell
from supervisor.gauges import follow_gateway, follow_process
from supervisor.notify import Notify, watchdog
from supervisor.parts import bell_of, door_of, opened, say, started, tell_status, watched, writer_works
from supervisor.recorder import Recorder
from supervisor.rundir import run_dir_from
from supervisor.serve import serve, stop_on_signals
from supervisor.settings import Config

BELL_SECONDS = 3600.0  # the api's bell has no fallback to look at: whoever waits has a deadline of its own
SCRAPE_SECONDS = 0.5  # for the worker's metrics: Prometheus waits for 10 s, a person does not
SPANS_SECONDS = 1.0
REPORT_SECONDS = 10.0
AGAIN_SECONDS = 5.0


async def serve_api(config: Config, sock: socket.socket, *, is_passed: bool = False) -> None:
    """Serve until SIGTERM. `is_passed`: systemd holds the socket, too."""
    notify = Notify.from_environment(os.environ, pid=os.getpid())
    news, clock, logger = News(), SystemClock(), log.get_logger()
    observed, mishaps = watched(config, "api", has_network=False), Ledger(clock.wall_ms)
    worker = _Worker(control_path(run_dir_from(os.environ, config.folder)))

    def stopping() -> None:
        notify.stopping()
        news.close()

    async with (
        stop_on_signals(stopping) as stop,
        opened(config) as store,
        bell_of(config, "api") as bell,
        asyncio.TaskGroup() as group,
    ):
        deps = Deps(
            store=store,
            settings=config.api,
            clock=clock,
            ring=door_of(config, "worker").ring,
            version=version(),
            providers_off=config.fallback.off,
            news=news,
            mishaps=mishaps,
            worker_metrics=worker.metrics,
            scrape=observed.scrape,
        )
        follow_process(store, version())
        follow_gateway()
        recorder = Recorder("api", observed, mishaps, store, keep=config.trace.keep, log=logger, send=worker.take)
        report = partial(_report, clock, clock.wall_ms())
        await say(store, report())
        reporter = partial(_report_after_a_while, store, report, notify)
        jobs = (
            _pass_on(bell, news),
            _feed_watchdog(notify, partial(writer_works, config, store)),
            _for_ever("recorder", recorder.run, mishaps, logger),
            _for_ever("reporter", reporter, mishaps, logger),
        )
        helpers = [group.create_task(job) for job in jobs]
        started(notify, "api", store)
        await serve(create_app(deps), sock, stop, is_passed=is_passed)
        for helper in helpers:
            helper.cancel()
        await recorder.last()
        await say(store, report(stopped=True))
    observed.shutdown()


class _Worker:
    """The other role, as far as the api speaks with it: over its socket, and only of what is seen."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def metrics(self) -> str | None:
        found = await ask_worker(self._path, "GET", "/metrics", seconds=SCRAPE_SECONDS)
        return None if found is None else found.decode()

    async def take(self, batch: bytes) -> bool:
        return await ask_worker(self._path, "POST", "/spans", batch, seconds=SPANS_SECONDS) is not None


async def _pass_on(bell: Bell, news: News) -> None:
    while True:
        if await bell.wait(BELL_SECONDS):
            news.ring()


async def _for_ever(name: str, job: Callable[[], Awaitable[None]], mishaps: Ledger, logger: log.Logger) -> None:
    """What only looks on may end no request: whatever it fails by, it is begun again."""
    while True:
        try:
            await job()
        except StoreBroken:
            raise
        except Exception as error:
            error_id = mishaps.note(error, place=name)
            logger.critical(Event.ACTOR_CRASHED, actor=name, error_id=error_id, exc_info=error)
            await asyncio.sleep(AGAIN_SECONDS)


async def _feed_watchdog(notify: Notify, healthy: Callable[[], bool]) -> None:
    if notify.watchdog_seconds is not None:
        await watchdog(notify, notify.watchdog_seconds, healthy)


async def _report_after_a_while(store: Store, report: Callable[[], RoleReport], notify: Notify) -> None:
    await tell_status(notify, store)
    await asyncio.sleep(REPORT_SECONDS)
    await say(store, report())


def _report(clock: SystemClock, started_at: int, *, stopped: bool = False) -> RoleReport:
    now = clock.wall_ms()
    return RoleReport(
        role="api",
        boot=str(os.getpid()),
        pid=os.getpid(),
        started_at=started_at,
        seen_at=now,
        stopped_at=now if stopped else None,
    )
