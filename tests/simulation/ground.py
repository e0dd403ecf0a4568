"""What the world stands on: the few places where the product meets the machine, replaced for the time of a run.

No thread lives under a simulated clock, and no task may wake up every second of a month: what ticks, ticks more slowly
here, by figures that bound how late something is noticed and not whether.
"""

from __future__ import annotations

import contextlib
import functools
import random
from collections.abc import Awaitable, Callable, Iterator
from random import Random
from typing import Any
from unittest.mock import patch

import anyio
import httpcore2
import trio
from trio._core._run import TheIOManager
from trio.testing import MockClock

from tests.simulation.mortal import MortalExecutor
from tests.simulation.network import SimulatedBackend

PULSE_SECONDS = 300.0  # between two looks of a supervisor at the pulses of its children (1 s in life)
REPORT_SECONDS = 1800.0  # between two reports of a worker that does nothing (10 s)
KERNEL_TURNS = 256


async def _without_thread(job: Callable[..., Any], *arguments: object, **_how: object) -> Any:
    await anyio.lowlevel.checkpoint()
    return job(*arguments)


def _seldom(get_events: Callable[[object, float], Any]) -> Callable[[object, float], Any]:
    """The kernel has nothing to say, for no socket or thread has a part in the world: it is asked at some turns only.

    The few that need it (Ctrl-C, a generator that is thrown away) wait for these turns, or for the end.
    """
    turns = 0

    def ask(manager: object, timeout: float) -> Any:
        nonlocal turns
        turns += 1
        return get_events(manager, timeout) if timeout > 0 or turns % KERNEL_TURNS == 0 else []

    return ask


@contextlib.contextmanager
def _ground() -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for target, instead in {
            "anyio.to_thread.run_sync": _without_thread,
            "pipeline.store.connection.InlineExecutor": MortalExecutor,
            "stages.net.client.GuardedBackend": SimulatedBackend,
            "supervisor.tree.PULSE_CHECK_SECONDS": PULSE_SECONDS,
            "supervisor.worker.REPORT_SECONDS": REPORT_SECONDS,
            # Once for all workers of a world: the same certificates each time, which nobody is asked for.
            "httpcore2.default_ssl_context": functools.cache(httpcore2.default_ssl_context),
            "trio._core._run.TheIOManager.get_events": _seldom(TheIOManager.get_events),
            "trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING": True,
        }.items():
            stack.enter_context(patch(target, instead))
        yield


def run_repeatably(dice: Random, run: Callable[..., Awaitable[Any]], *arguments: object) -> Any:
    """trio.run() under a clock that jumps, in which the tasks take their turns as the dice say."""
    trio._core._run._r.seed(dice.random())
    random.seed(dice.random())  # the worker's own: jitter of retries and restarts
    with _ground():
        return trio.run(run, *arguments, clock=MockClock(autojump_threshold=0))
