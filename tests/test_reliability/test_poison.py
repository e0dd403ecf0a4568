"""F23: an item that kills the process that works on it is put aside after three deaths; its neighbours are not."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.test_reliability.faulty_worker import POISON
from tests.test_reliability.roles import roles
from tests.test_reliability.sizes import figure
from tools.bench.run import bench_site

pytestmark = pytest.mark.fault

ITEMS = 60
DEATHS = 3  # [retry] crashes


def test_an_item_that_kills_the_worker_is_buried_after_three_deaths_and_no_other_is(tmp_path: Path) -> None:
    with bench_site(tmp_path / "site", pages=ITEMS) as site, roles(tmp_path) as running:
        running.start("api")
        urls = [f"{site}/p/{number}" for number in range(ITEMS)]
        running.atlas.command("add", "-", given="\n".join(urls))
        for _ in range(DEATHS):
            worker = running.start_faulty("dies_of_poison")
            assert worker.wait(60) == -signal.SIGSEGV
        last = running.start_faulty("dies_of_poison")
        last.wait_for(lambda: running.ended(ITEMS), seconds=60, what="finishing all that is left")
        items = running.atlas.items()
        dead = {item["url"]: item["reason"]["code"] for item in items if item["state"] == "dead"}
        assert dead == {f"{site}{POISON}": "poison"}
        assert sum(item["state"] == "done" for item in items) == ITEMS - 1
        assert last.stop() == 0
        figure("F23", f"{DEATHS} deaths with {ITEMS} items: 1 buried as poison, 0 innocent ones, {ITEMS - 1} done")
