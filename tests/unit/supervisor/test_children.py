"""Child processes: real ones, with real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio
import trio.testing

from supervisor.child import ChildSpec, Hopeless, SupervisorGaveUp
from supervisor.children import RoleEnded, RoleProcess, periodic
from supervisor.tree import Supervisor, supervise
from tests.unit.supervisor.trees import World, running, settle

# A role that writes its pid to a pipe when it is up, then ends with a code or waits for SIGTERM (the deaf do not hear).
ROLE = """
import os, signal, sys
how, pipe = sys.argv[1:]
signal.signal(signal.SIGTERM, signal.SIG_IGN if how == "deaf" else lambda *_: sys.exit(0))
with open(pipe, "w") as out:
    out.write(f"{os.getpid()} {os.getpgid(0)}")
if how.isdecimal():
    sys.exit(int(how))
while True:
    signal.pause()
"""
# `up` in small: one role, which dies with it and tells its pid. It runs longer than an idle thread of trio's lives.
UP = """
import os, sys, trio
from supervisor.children import RoleProcess
code = f'''
import os, signal
from supervisor.children import die_with_parent
die_with_parent({os.getpid()})
print(os.getpid(), flush=True)
signal.pause()
'''
trio.run(RoleProcess("role", [sys.executable, "-P", "-c", code], dict(os.environ), stop_within=5).run, lambda: None)
"""
ORPHAN = """
import os
from supervisor.children import die_with_parent
die_with_parent(os.getppid() + 1)
print("not reached", flush=True)
"""


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def role(how: str, pipe: Path, *, stop_within: float = 20.0) -> RoleProcess:
    return RoleProcess("role", [sys.executable, "-c", ROLE, how, os.fspath(pipe)], {}, stop_within=stop_within)


async def told(pipe: Path) -> list[int]:
    with trio.fail_after(20):
        return [int(word) for word in (await trio.Path(pipe).read_text()).split()]


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


async def run_beside(process: RoleProcess, pipe: Path) -> list[int]:
    """Run a role to its own end; what it told."""
    words: list[int] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(process.run, lambda: None)
        words += await told(pipe)
    return words


async def test_a_role_that_ends_well_is_the_normal_end_of_its_child(pipe):
    process = role("0", pipe)
    assert len(await run_beside(process, pipe)) == 2
    assert process.pid is None


async def test_a_role_that_ends_with_an_error_is_a_crash(pipe):
    with pytest.RaisesGroup(pytest.RaisesExc(RoleEnded, match="exit code 70")):
        await run_beside(role("70", pipe), pipe)


async def test_a_killed_role_is_a_crash_that_names_the_signal(pipe):
    async def kill() -> None:
        os.kill((await told(pipe))[0], signal.SIGKILL)

    with pytest.RaisesGroup(pytest.RaisesExc(RoleEnded, match="SIGKILL")):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(role("wait", pipe).run, lambda: None)
            nursery.start_soon(kill)


async def test_a_stopped_role_gets_sigterm_and_is_waited_for(pipe):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(role("wait", pipe).run, lambda: None)
        pid, _ = await told(pipe)
        nursery.cancel_scope.cancel()
    assert gone(pid)


async def test_a_role_that_does_not_stop_in_its_time_is_killed(pipe):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(role("deaf", pipe, stop_within=0.2).run, lambda: None)
        pid, _ = await told(pipe)
        nursery.cancel_scope.cancel()
    assert gone(pid)


async def test_a_hurried_role_gets_sigterm_at_once(pipe):
    async with trio.open_nursery() as nursery:
        process = role("wait", pipe)
        nursery.start_soon(process.run, lambda: None)
        await told(pipe)
        process.hurry()
    process.hurry()  # nothing runs any more: nothing happens


async def test_ctrl_c_in_the_terminal_does_not_reach_a_role_directly(pipe):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(role("wait", pipe).run, lambda: None)
        pid, group = await told(pipe)
        nursery.cancel_scope.cancel()
    assert group == pid != os.getpgid(0)


async def test_a_program_that_is_not_there_is_an_error_of_the_child():
    with pytest.raises(FileNotFoundError):
        await RoleProcess("role", ["/no/such/program"], {}, stop_within=1).run(lambda: None)


async def test_a_crashed_role_is_started_again(pipe):
    world = World()
    async with running(Supervisor("up", [ChildSpec(name="worker", start=role("wait", pipe).run)]), world):
        first, _ = await told(pipe)
        os.kill(first, signal.SIGKILL)
        second, _ = await told(pipe)
        assert second != first
    assert gone(second)
    assert world.told("up/worker") == ["start", "crash", "restart", "stop"]


async def test_a_role_that_refuses_its_configuration_is_not_started_again_and_ends_all(pipe):
    root = Supervisor("up", [ChildSpec(name="worker", start=role("78", pipe).run)])
    with pytest.RaisesGroup(SupervisorGaveUp) as caught:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervise, root, World().hooks)
            await told(pipe)
    failure = caught.value.exceptions[0]
    assert isinstance(failure, SupervisorGaveUp)
    assert isinstance(failure.hopeless, Hopeless)
    assert failure.hopeless.exit_code == 78


def test_no_role_outlives_a_killed_parent(root):
    up = subprocess.Popen([sys.executable, "-P", "-c", UP], stdout=subprocess.PIPE, text=True,
                          env={"PYTHONPATH": str(root)})  # fmt: skip
    assert up.stdout is not None
    pid = int(up.stdout.readline())
    watched = os.pidfd_open(pid)
    up.kill()
    up.communicate()

    async def over() -> None:
        with trio.fail_after(10):
            await trio.lowlevel.wait_readable(watched)

    trio.run(over)
    os.close(watched)


@pytest.mark.slow
def test_a_role_outlives_the_threads_of_its_parent(root):
    """The kernel takes the end of the thread that started a process for the end of its parent."""
    up = subprocess.Popen([sys.executable, "-P", "-c", UP], stdout=subprocess.PIPE, text=True,
                          env={"PYTHONPATH": str(root)})  # fmt: skip
    assert up.stdout is not None
    watched = os.pidfd_open(int(up.stdout.readline()))

    async def lives() -> None:
        with trio.move_on_after(12) as scope:  # trio's idle threads end after 10 s
            await trio.lowlevel.wait_readable(watched)
        assert scope.cancelled_caught

    trio.run(lives)
    up.kill()
    up.communicate()
    os.close(watched)


def test_a_role_whose_parent_died_before_it_could_say_so_ends_at_once(root):
    done = subprocess.run([sys.executable, "-P", "-c", ORPHAN], capture_output=True, check=False, timeout=20,
                          env={"PYTHONPATH": str(root)})  # fmt: skip
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"")


# Ticks


class Job:
    def __init__(self, takes: float = 0.0, error: Exception | None = None) -> None:
        self.times: list[float] = []
        self._takes, self._error = takes, error

    async def run(self) -> None:
        self.times.append(trio.current_time())
        await trio.sleep(self._takes)
        if self._error is not None:
            raise self._error


async def ticks(job: Job, seconds: float) -> list[float]:
    begin = trio.current_time()
    with trio.move_on_after(seconds):
        await periodic(300, first=10, within=1000, job=job.run)(lambda: None)
    return [at - begin for at in job.times]


async def test_a_job_runs_first_after_its_delay_and_then_at_a_steady_pace(autojump_clock):
    assert await ticks(Job(takes=7), 1000) == pytest.approx([10, 310, 610, 910])


async def test_ticks_missed_by_a_long_run_are_left_out(autojump_clock):
    assert await ticks(Job(takes=400), 2000) == pytest.approx([10, 610, 1210, 1810])


async def test_a_failing_job_is_a_crash_of_its_child_and_runs_again(autojump_clock):
    job, world = Job(error=OSError("no")), World()
    child = ChildSpec(name="ticks", start=periodic(300, first=10, within=100, job=job.run))
    async with running(Supervisor("up", [child]), world):
        await settle(25)
    assert world.told("up/ticks")[:4] == ["start", "crash", "restart", "crash"]
    assert len(job.times) == 2


async def test_a_job_that_never_ends_is_cut_off(autojump_clock):
    with pytest.raises(trio.TooSlowError):
        await periodic(300, first=10, within=100, job=trio.sleep_forever)(lambda: None)
