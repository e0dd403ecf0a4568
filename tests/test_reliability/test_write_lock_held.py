"""F8: another process holds the database's write lock: reading goes on, saves come back later, none is lost."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.test_reliability.clients import Busy, Timed, counting_site, p99, timed
from tests.test_reliability.roles import Roles, roles, sound
from tests.test_reliability.sizes import figure, size

pytestmark = pytest.mark.fault

HELD_SECONDS = size("LOCK_SECONDS", small=8, full=30)
BUSY_SECONDS = 5.0  # [database] busy_timeout_ms
BEFORE = 20  # saved before the lock is taken

HOLDER = """
import sys, apsw
database = apsw.Connection(sys.argv[1])
database.set_busy_timeout(10_000)
database.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
database.execute("ROLLBACK")
"""


@contextmanager
def lock_held(database: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process has the write lock of `database` until the block ends."""
    command = [sys.executable, "-P", "-c", HOLDER, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        try:
            assert holder.stdout.readline() == b"held\n"
            yield holder
        finally:
            holder.stdin.close()
            holder.wait(10)


def test_while_another_process_holds_the_write_lock_reading_goes_on_and_no_save_is_lost(tmp_path: Path) -> None:
    with counting_site() as site, roles(tmp_path) as running:

        def save(number: int) -> Timed:
            return timed(running.atlas, "POST", "/api/v1/items", {"url": f"{site.url}/during/{number}"})

        api, worker = running.start("api"), running.start("worker")
        for number in range(BEFORE):
            running.save(f"{site.url}/before/{number}")
        read = Busy(lambda _: timed(running.atlas, "GET", "/api/v1/items?limit=20"), pause=0.02)
        saves = Busy(save, threads=4, pause=0.1)
        with lock_held(running.atlas.data / "atlas.db") as holder, read, saves:
            taken = time.monotonic()
            holder_ends(holder, HELD_SECONDS)
            released = time.monotonic()
            api.wait_for(lambda: bool(saves.kept_since(released)), seconds=30, what="saving again")
        recovered = min(a.begun + a.seconds for a in saves.kept_since(released)) - released
        refused = [answer for answer in saves.answers if not answer.was_kept]
        reads = [answer for answer in read.answers if taken <= answer.begun <= released]
        assert {answer.status for answer in reads} == {200}
        assert {answer.status for answer in refused} == {503}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
        assert max(answer.seconds for answer in refused) < BUSY_SECONDS + 1
        slow_reads = p99([answer.seconds for answer in reads])
        saved = BEFORE + len(saves.kept)
        worker.wait_for(lambda: all_done(running, saved), seconds=60, what="finishing all")
        assert slow_reads <= 0.2
        assert recovered <= 1.0
        assert worker.stop() == api.stop() == 0
        sound(running.atlas.data)
    figure(
        "F8",
        f"write lock held {HELD_SECONDS} s: {len(reads)} reads, p99 {slow_reads * 1000:.0f} ms;"
        f" {len(refused)} saves refused, after {min(a.seconds for a in refused):.1f} to"
        f" {max(a.seconds for a in refused):.1f} s; {saved} saved, 0 lost; saving again {recovered:.2f} s after",
    )


def holder_ends(holder: subprocess.Popen[bytes], seconds: float) -> None:
    """Let it hold for so long, then give up the lock."""
    with pytest.raises(subprocess.TimeoutExpired):
        holder.wait(seconds)
    assert holder.stdin is not None
    holder.stdin.close()
    assert holder.wait(10) == 0


def all_done(running: Roles, count: int) -> bool:
    if not running.ended(count):
        return False
    return all(item["state"] == "done" for item in running.atlas.items())
