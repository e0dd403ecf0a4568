"""Worlds of simulated days, from a seed: nothing is lost, nobody is bothered, and a seed repeats its world."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.world import World, live


def test_three_hours_of_saves_end_well_and_the_same_seed_lives_them_again() -> None:
    first, second, other = live(7, 0.125), live(7, 0.125), live(8, 0.125)
    assert first.faults == ()
    assert first.saves > 0
    assert first.digest == second.digest
    assert first.digest != other.digest


def test_a_world_whose_database_loses_an_item_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    came_to_rest = World._come_to_rest

    async def loses_one(self: World) -> None:
        await came_to_rest(self)

        def lose(conn: object) -> None:
            conn.execute("DELETE FROM search_docsize WHERE id = (SELECT min(id) FROM search_docsize)")  # type: ignore[attr-defined]

        await self._api.store.items._db.write(lose)

    monkeypatch.setattr(World, "_come_to_rest", loses_one)
    assert any("without a search row" in fault for fault in live(7, 0.125).faults)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_days_of_saves_crashes_and_bad_hosts_lose_nothing(seed: int) -> None:
    report = live(seed, 2.0)
    assert report.faults == (), f"replay it: just simulate --seed {seed} --days 2"
    assert report.deaths > 0
    assert report.availability >= 0.999


@pytest.mark.slow
def test_a_seed_repeats_its_world_in_another_process_too(root: Path) -> None:
    code = "from tests.simulation.world import live; print(live(3, 1.0).digest)"

    def digest(hash_seed: str) -> bytes:
        environ = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(root)}
        run = subprocess.run(
            [sys.executable, "-P", "-c", code], check=True, env=environ, cwd=root, stdout=subprocess.PIPE, timeout=60
        )
        return run.stdout

    assert digest("1") == digest("2")
