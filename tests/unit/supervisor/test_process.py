"""Signals and the last deadline, in real processes."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SIGNALS = """
import trio
from supervisor.process import watch_signals
async def main():
    hurried = trio.Event()
    async with trio.open_nursery() as nursery:
        def stop(number):
            print("stop", number.name, flush=True)
        await nursery.start(lambda task_status: watch_signals(stop=stop, hurry=hurried.set, task_status=task_status))
        print("ready", flush=True)
        await hurried.wait()
        print("hurry", flush=True)
        nursery.cancel_scope.cancel()
trio.run(main)
"""

DEADLINE = """
import signal, sys
from supervisor.exits import Exit
from supervisor.process import hard_deadline
def last_words():
    print("over", flush=True)
    {last_words}
with hard_deadline({seconds}, code=Exit.INTERNAL, last_words=last_words):
    {work}
print("in time")
"""


@contextlib.contextmanager
def python(code: str, root: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-P", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env={"PYTHONPATH": str(root)}) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_stops_and_the_second_hurries(root, first):
    with python(SIGNALS, root) as process:
        assert line(process) == "ready"
        process.send_signal(first)
        assert line(process) == f"stop {first.name}"
        process.send_signal(signal.SIGTERM)
        assert line(process) == "hurry"
        assert process.wait(10) == 0


def test_a_process_that_is_over_in_time_is_left_alone(root):
    with python(DEADLINE.format(seconds=30, work="pass", last_words="pass"), root) as process:
        out, _ = process.communicate(timeout=10)
    assert (out, process.returncode) == ("in time\n", 0)


def test_a_blocked_process_ends_at_its_deadline_with_its_stacks_and_last_words(root):
    blocked = "signal.pause()  # nobody ever wakes it"
    with python(DEADLINE.format(seconds=0.2, work=blocked, last_words="pass"), root) as process:
        out, err = process.communicate(timeout=10)
    assert (out, process.returncode) == ("over\n", 70)
    assert 'File "<string>", line 9 in <module>' in err


@pytest.mark.slow
def test_last_words_that_never_end_do_not_keep_the_process(root):
    with python(
        DEADLINE.format(seconds=0.1, work="signal.pause()", last_words="import threading; threading.Event().wait()"),
        root,
    ) as process:
        assert line(process) == "over"
        assert process.wait(10) != 0
