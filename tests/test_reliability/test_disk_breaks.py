"""F28: the disk says EIO in the middle of the work: the roles end, nothing more is said to be kept, none was lost."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import pytest

from supervisor.instance import Process
from tests.test_reliability.clients import Busy, Timed, counting_site, timed
from tests.test_reliability.faulty_worker import DISK_FAILS
from tests.test_reliability.roles import roles, sound
from tests.test_reliability.sizes import figure, size

pytestmark = pytest.mark.fault

ENDED_SECONDS = 5.0
BREAKS = size("DISK_BREAKS", small=3, full=20)
SAVES = 30  # before each break


def test_a_disk_that_breaks_ends_the_roles_and_every_save_that_was_answered_is_there_after(tmp_path: Path) -> None:
    kept: dict[str, int] = {}
    ended: list[float] = []
    with counting_site() as site, roles(tmp_path) as running:
        switch = running.atlas.data / DISK_FAILS

        def save(number: int, life: int) -> Timed:
            url = f"{site.url}/{life}/{number}"
            answer = timed(running.atlas, "POST", "/api/v1/items", {"url": url})
            kept[url] = answer.status
            return answer

        for life in range(BREAKS):
            api = running.start_faulty("disk_fails", "api")
            api.wait_for(lambda: timed(running.atlas, "GET", "/livez").status == 200, seconds=30, what="starting")
            worker = running.start_faulty("disk_fails")
            with Busy(partial(save, life=life), threads=2, pause=0.01) as saves:
                api.wait_for(lambda saves=saves: len(saves.kept) >= SAVES, seconds=30, what="saving")  # type: ignore[misc]
                broken_at = time.monotonic()
                switch.touch()
                ready = timed(running.atlas, "GET", "/ready").status  # as a monitor asks
                ended += [ending(role, broken_at) for role in (worker, api)]
                assert ready != 200  # 503, or no answer from a role that ends
                assert all(role.popen.returncode not in {0, None} for role in (worker, api))
            late = [answer for answer in saves.kept if answer.begun > broken_at + ENDED_SECONDS]
            assert late == []
            assert {answer.status for answer in saves.answers} <= {0, 200, 202, 500, 503, 507}
            switch.unlink()
        api, worker = running.start("api"), running.start("worker")
        answered = {url for url, status in kept.items() if status in {200, 202}}
        worker.wait_for(lambda: running.ended(len(running.atlas.items())), seconds=90, what="finishing all")
        found = {item["url"]: item["state"] for item in running.atlas.items()}
        lost = answered - found.keys()
        assert lost == set()
        assert {found[url] for url in answered} == {"done"}
        assert worker.stop() == api.stop() == 0
        sound(running.atlas.data)
    figure(
        "F28",
        f"EIO {BREAKS} times under load: worker and api ended within {max(ended):.1f} s, not with 0;"
        f" {len(answered)} saves answered 2xx, {len(lost)} lost",
    )


def ending(role: Process, since: float) -> float:
    """When the role ended; InstanceError when it has not in time."""
    if role.wait(max(0.1, since + ENDED_SECONDS - time.monotonic())) is None:
        raise role.failed(f"{role.popen.args[6:]} still runs {ENDED_SECONDS:g} s after its disk broke")
    return time.monotonic() - since
