"""The worker of a damaged library: it is up, says why it works on nothing, and waits to be stopped for the restore."""

from __future__ import annotations

import os

import trio

from pipeline.store.handle import Store
from supervisor.arguments import version
from supervisor.control import Control, control_path
from supervisor.gauges import follow_process
from supervisor.notify import Notify, watchdog
from supervisor.parts import started, watched
from supervisor.rundir import run_dir_from
from supervisor.settings import Config


async def rest(config: Config, notify: Notify, store: Store) -> None:
    """Until cancelled. Were the process to end instead, it would be started again and again."""
    observed = watched(config, "worker", has_network=True)
    try:
        follow_process(store, version())
        control = Control(
            control_path(run_dir_from(os.environ, config.folder)), scrape=observed.scrape, take=lambda _spans: False
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(control.run)
            started(notify, "worker", store)
            if notify.watchdog_seconds is not None:
                nursery.start_soon(watchdog, notify, notify.watchdog_seconds, lambda: True)
            await trio.sleep_forever()
    finally:
        observed.shutdown()
