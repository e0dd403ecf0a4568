"""What the roles have in common: the store of the folder, the doors, what is said at the start and at the end."""

from __future__ import annotations

import contextlib
import os
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Final

from observability import log
from observability.names import Event
from pipeline.clock import SystemClock
from pipeline.errors import TAKES_NO_WRITE, StoreError
from pipeline.store.damage import HINT, Damage
from pipeline.store.handle import Store, open_store
from pipeline.store.status import RoleReport
from supervisor.arguments import version
from supervisor.doorbell import Bell, Doorbell, door, listen
from supervisor.notify import Notify
from supervisor.rundir import run_dir_from
from supervisor.settings import Config

WRITER_STALL_SECONDS = 10.0  # past the wait for another process's lock: then it is a disk that hangs

if TYPE_CHECKING:
    from observability.setup import Observed


SAFE_MODE: Final = "safe mode: the database is damaged, and nothing is written to it"  # for systemctl status


def opened(config: Config) -> AbstractAsyncContextManager[Store]:
    return open_store(
        config.database, config.queue, config.retry, folder=config.folder, clock=SystemClock(), on_damage=_damaged
    )


def _damaged(damage: Damage) -> None:
    log.get_logger().critical(Event.DATABASE_DAMAGED, where=damage.where, detail=damage.said, hint=HINT)


def door_of(config: Config, role: str) -> Doorbell:
    return Doorbell(door(run_dir_from(os.environ, config.folder), role))


def bell_of(config: Config, role: str) -> AbstractAsyncContextManager[Bell]:
    return listen(door(run_dir_from(os.environ, config.folder), role))


async def say(store: Store, report: RoleReport) -> None:
    """Say how a role is, if the store takes it: a busy, full or damaged one keeps no role from starting or stopping."""
    with contextlib.suppress(*TAKES_NO_WRITE):
        await store.status.report(report)


def writer_works(config: Config, store: Store) -> bool:
    """What the watchdog is fed by: whatever is being written ends in time. Waiting for a foreign lock is no stall."""
    allowed = config.database.busy_timeout_ms / 1000 + WRITER_STALL_SECONDS
    return store.status.writer_busy_seconds() < allowed


async def tell_status(notify: Notify, store: Store) -> None:
    """How full the queue is, for `systemctl status`; a store that does not answer now is asked another time."""
    if not notify.is_heard:
        return
    if store.status.damage() is not None:
        notify.status(SAFE_MODE)
    else:
        with contextlib.suppress(StoreError):
            depth = await store.queue.depth()
            waiting = depth.backlog - depth.queue_size
            notify.status(f"{depth.queue_size} queued or in work, {waiting} waiting for another time")


def started(notify: Notify, role: str, store: Store) -> None:
    notify.ready(SAFE_MODE if store.status.damage() else "")
    if store.bodies.fault is not None:
        fault = store.bodies.fault
        log.get_logger().error(Event.ARCHIVE_AWAY, detail=fault.message, hint=fault.hint)
    log.get_logger().info(Event.ROLE_STARTED, role=role, pid=os.getpid())


def watched(config: Config, role: str, *, has_network: bool) -> Observed:
    """Tracing and counting of a role, as the settings say."""
    from observability.setup import observe  # what only the long-lived roles need

    return observe(role, traces=config.trace, figures=config.metrics, version=version(), has_network=has_network)
