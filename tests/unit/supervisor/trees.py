"""What the tests of the tree share: children that do as they are told, and a record of what was reported."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
import trio.testing

from supervisor.child import ChildEvent, ChildSpec, Happening, Hooks, Restart, Started
from supervisor.tree import Supervisor, supervise


class World:
    """Hooks that record: error ids count up, the jitter is full (the longest back-off), `stuck` frees the stuck."""

    def __init__(self) -> None:
        self.events: list[ChildEvent] = []
        self.stuck: list[str] = []
        self.free = trio.Event()
        self._ids = 0
        self.hooks = Hooks(report=self.events.append, error_id=self._new_id, random=lambda: 1.0, stuck=self._on_stuck)

    def _new_id(self, _error: BaseException, _path: str) -> str:
        self._ids += 1
        return f"e{self._ids}"

    def _on_stuck(self, path: str) -> None:
        self.stuck.append(path)
        self.free.set()

    def of(self, *kinds: Happening) -> list[str]:
        return [event.path for event in self.events if event.kind in kinds]

    def told(self, path: str) -> list[str]:
        return [event.kind.value for event in self.events if event.path == path]


class Part:
    """A child that tells when it runs, and crashes, ends or hangs when told to."""

    def __init__(self, name: str, log: list[str] | None = None, *, up: bool = True, slow_stop: float = 0.0) -> None:
        self.name = name
        self.log = [] if log is None else log
        self.up = up
        self.slow_stop = slow_stop
        self.runs = 0
        self.running = False
        self._order: trio.Event = trio.Event()
        self._fate: BaseException | None = None
        self.crashes_at_start = 0

    def spec(self, restart: Restart = Restart.PERMANENT, **fields) -> ChildSpec:
        return ChildSpec(name=self.name, start=self.start, restart=restart, **fields)

    async def start(self, started: Started) -> None:
        self.runs += 1
        self.running = True
        self._order = trio.Event()
        self.log.append(f"+{self.name}")
        try:
            if self.crashes_at_start:
                self.crashes_at_start -= 1
                raise RuntimeError(f"{self.name} does not come up")
            if self.up:
                started()
            await self._order.wait()
            if self._fate is not None:
                raise self._fate
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(self.slow_stop)
            self.running = False
            self.log.append(f"-{self.name}")

    def crash(self, error: BaseException | None = None) -> None:
        self._fate = error or RuntimeError(f"{self.name} broke")
        self._order.set()

    def end(self) -> None:
        self._fate = None
        self._order.set()


async def settle(seconds: float = 0.0) -> None:
    """Let everything happen that can happen now (and within `seconds` of the fake clock)."""
    if seconds:
        await trio.sleep(seconds)
    await trio.testing.wait_all_tasks_blocked()


@asynccontextmanager
async def running(root: Supervisor, world: World) -> AsyncIterator[None]:
    """The tree runs, everything in it is up; it is cancelled at the end."""
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervise, root, world.hooks)
            await settle()
            yield
            scope.cancel()


NEVER = math.inf
