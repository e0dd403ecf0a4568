"""Whatever happens in whatever order: one task a child, parents before children, everything gone at the end."""

from __future__ import annotations

import random

import pytest
import trio
import trio.testing

from supervisor.child import ChildSpec, Hooks, Life, Restart, Started, Strategy
from supervisor.tree import Supervisor, supervise
from tests.unit.supervisor.trees import settle


class Chaos:
    """Children that crash, end, come up late and stop late as the dice fall, and watch that they are alone."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.alive: dict[str, int] = {}
        self.supervisors: list[Supervisor] = []
        self.hooks = Hooks(
            report=lambda _: None, error_id=lambda _error, _path: "e", random=self.dice.random, stuck=self.stuck
        )

    @staticmethod
    def stuck(path: str) -> None:
        raise AssertionError(f"{path} is stuck")

    def child(self, name: str) -> ChildSpec:
        async def start(started: Started) -> None:
            self.alive[name] = self.alive.get(name, 0) + 1
            assert self.alive[name] == 1, f"two of {name}"
            try:
                await trio.sleep(self.dice.choice([0, 0, 0.3]))
                if self.dice.random() < 0.1:
                    raise RuntimeError("not up")
                started()
                await trio.sleep(self.dice.expovariate(1 / 20))
                if self.dice.random() < 0.6:
                    raise RuntimeError("crash")
            finally:
                with trio.CancelScope(shield=True):
                    await trio.sleep(self.dice.choice([0, 0, 0.2, 1]))
                self.alive[name] -= 1

        restart = self.dice.choice([Restart.PERMANENT, Restart.PERMANENT, Restart.TRANSIENT, Restart.TEMPORARY])
        return ChildSpec(name=name, start=start, restart=restart)

    def supervisor(self, name: str, depth: int = 0) -> Supervisor:
        children = [
            self.supervisor(f"{name}.{number}", depth + 1)
            if depth < 2 and self.dice.random() < 0.4
            else self.child(f"{name}.{number}")
            for number in range(self.dice.randint(1, 4))
        ]
        made = Supervisor(
            name,
            children,
            strategy=self.dice.choice(list(Strategy)),
            max_restarts=1000 if depth == 0 else 5,
            within=30,
        )
        self.supervisors.append(made)
        return made


@pytest.mark.parametrize("seed", range(25))
async def test_no_child_runs_twice_and_none_is_left_behind(seed: int, autojump_clock):
    chaos = Chaos(seed)
    root = chaos.supervisor("root")
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervise, root, chaos.hooks)
            await settle(chaos.dice.uniform(0, 300))
            if chaos.dice.random() < 0.5:
                await chaos.dice.choice(chaos.supervisors).stop()
                await settle(chaos.dice.uniform(0, 30))
            scope.cancel()
    assert not any(chaos.alive.values())
    assert root.snapshot().state in {Life.STOPPED, Life.FAILED}
