"""`atlas up`: api, worker and scheduler ticks as supervised child processes in the foreground."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Mapping

import trio

from gateway.settings import ApiSettings
from observability import log
from observability.names import Event
from observability.unexpected import error_id
from pipeline.store.damage import HINT
from supervisor.address import reached_by, sign_in_url
from supervisor.child import ChildEvent, ChildSpec, Happening, Hooks, Started
from supervisor.children import RoleProcess, periodic
from supervisor.exits import Exit
from supervisor.settings import Config
from supervisor.tree import Supervisor

PARENT_VARIABLE = "SUPERVISED_BY"  # tells a role whose death it must not outlive
TICK_SECONDS = 300.0
FIRST_TICK_SECONDS = 5.0
TICK_WITHIN_SECONDS = 240.0
API_STOP_SECONDS = 9.0  # the role itself promises 8
WORKER_STOP_SECONDS = 21.0  # the role itself promises 20
KILL_SECONDS = 6.0  # after a deadline, for SIGKILL to be answered
RESTARTS, WITHIN = 5, 60.0


class Up:
    """The tree of `atlas up`."""

    def __init__(self, config: Config, flags: tuple[str, ...], *, environ: Mapping[str, str], link: str) -> None:
        self._config = config
        self._flags = flags
        self._environ = {**environ, PARENT_VARIABLE: str(os.getpid())}
        self._link = link
        self._worker = self._role("worker", WORKER_STOP_SECONDS)
        self._api = self._role("api", API_STOP_SECONDS)
        self.root = Supervisor(
            "up",
            [
                ChildSpec(name="worker", start=self._worker.run, shutdown=WORKER_STOP_SECONDS + KILL_SECONDS),
                ChildSpec(name="api", start=self._api.run, shutdown=API_STOP_SECONDS + KILL_SECONDS),
                ChildSpec(
                    name="scheduler",
                    start=periodic(TICK_SECONDS, first=FIRST_TICK_SECONDS, within=TICK_WITHIN_SECONDS, job=self._tick),
                    shutdown=API_STOP_SECONDS + KILL_SECONDS,
                ),
                ChildSpec(name="greeting", start=self._greet),
            ],
            max_restarts=RESTARTS,
            within=WITHIN,
        )
        self.hooks = Hooks(
            report=self._report,
            error_id=lambda error, _path: error_id(error),
            random=random.random,
            stuck=lambda _path: os._exit(Exit.INTERNAL),
        )

    def hurry(self) -> None:
        """A second Ctrl-C: the roles hear it too."""
        for role in (self._worker, self._api):
            role.hurry()
        self.root.hurry()

    def _role(self, name: str, stop_within: float) -> RoleProcess:
        argv = [sys.executable, "-P", "-m", "supervisor", name, *self._flags]
        return RoleProcess(name, argv, self._environ, stop_within=stop_within)

    async def _tick(self) -> None:
        await self._role("scheduler", API_STOP_SECONDS).run(lambda: None)

    async def _greet(self, started: Started) -> None:
        """Say where it is, once the api listens; without a link in safe mode, for that would have to be kept."""
        started()
        with trio.move_on_after(60):
            while not await _answers(self._config.api):  # noqa: ASYNC110 - another process: there is no event to wait for
                await trio.sleep(0.1)
            # The link alone on standard output, so that a script can take it; the words are for the person who reads.
            words = "Atlas is up; Ctrl-C stops it. Sign in with this link, once, within 15 minutes:"
            if not self._link:
                words = f"Atlas is up, in safe mode: the database is damaged, and nothing is written to it; {HINT}."
            print(words, file=sys.stderr, flush=True)  # noqa: T201
            if self._link:
                print(sign_in_url(self._config.api, self._link), flush=True)  # noqa: T201
        await trio.sleep_forever()

    def _report(self, event: ChildEvent) -> None:
        logger = log.get_logger()
        if event.kind is Happening.RESTART:
            logger.info(Event.CHILD_RESTARTED, child=event.path)
        elif event.error is not None:
            logger.warning(
                Event.CHILD_EXITED, child=event.path, error=str(event.error), error_id=event.error_id, delay=event.delay
            )


async def _answers(api: ApiSettings) -> bool:
    try:
        stream = await trio.open_tcp_stream(reached_by(api), api.port)
    except OSError:
        return False
    await stream.aclose()
    return True
