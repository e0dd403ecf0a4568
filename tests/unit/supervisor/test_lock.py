"""One worker per data folder, with real locks of real processes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import trio
import trio.testing

from supervisor.lock import LockHeld, exclusive

HOLD = """
import sys, trio
from pathlib import Path
from supervisor.lock import exclusive
async def hold():
    async with exclusive(Path(sys.argv[1])):
        print("held", flush=True)
        await trio.sleep_forever()
trio.run(hold)
"""


def hold(path, root) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-P", "-c", HOLD, path], stdout=subprocess.PIPE, text=True, cwd=root,
                               env={"PYTHONPATH": str(root)})  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def start_child() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)


async def test_the_lock_names_its_holder_while_it_is_held(data_dir):
    async with exclusive(data_dir / "worker.lock"):
        assert (data_dir / "worker.lock").read_text() == f"{os.getpid()}\n"
    assert (data_dir / "worker.lock").read_text() == ""


async def test_a_held_lock_is_waited_for_five_seconds_and_then_refused(data_dir, autojump_clock):
    path = data_dir / "worker.lock"
    async with exclusive(path):
        begin = trio.current_time()
        with pytest.raises(LockHeld, match="another worker"):
            async with exclusive(path):
                pass
        assert trio.current_time() - begin == pytest.approx(5, abs=0.2)


async def test_a_lock_that_becomes_free_in_time_is_taken(data_dir, autojump_clock):
    path = data_dir / "worker.lock"
    async with trio.open_nursery() as nursery:

        async def first() -> None:
            async with exclusive(path):
                await trio.sleep(3)

        nursery.start_soon(first)
        await trio.testing.wait_all_tasks_blocked()
        async with exclusive(path):
            assert trio.current_time() >= 3


async def test_the_refusal_names_the_pid_of_the_other_worker(data_dir, root, autojump_clock):
    other = hold(data_dir / "worker.lock", root)
    with pytest.raises(LockHeld, match=f"pid {other.pid}"):
        async with exclusive(data_dir / "worker.lock"):
            pass
    other.kill()
    other.communicate()


async def test_a_killed_holder_frees_the_lock(data_dir, root):
    other = hold(data_dir / "worker.lock", root)
    other.kill()
    other.communicate()
    async with exclusive(data_dir / "worker.lock", wait=0):
        pass


async def test_a_child_process_that_lives_on_does_not_hold_the_lock(data_dir):
    async with exclusive(data_dir / "worker.lock"):
        child = start_child()
    # Not wait=0: the kernel closes what is close-on-exec a moment after Popen has returned.
    async with exclusive(data_dir / "worker.lock"):
        assert child.poll() is None
    child.communicate(b"\n")


async def test_a_lock_is_not_taken_through_a_link(data_dir, tmp_path):
    (data_dir / "worker.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        async with exclusive(data_dir / "worker.lock"):
            pass
