"""`atlas demo --once` from start to end: real processes, a real site, every expectation checked by the demo itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.instance import environment
from tools.bench import processes

pytestmark = pytest.mark.slow


def start_demo(*arguments: str, tmp: Path) -> subprocess.Popen[str]:
    tmp.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "supervisor", "demo", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment({"TMPDIR": str(tmp), "COLUMNS": "160"}),
    )


def finish(demo: subprocess.Popen[str]) -> str:
    said, _ = demo.communicate(timeout=180)
    assert demo.returncode == 0, said
    return said


def test_the_demo_shows_every_page_and_search_and_leaves_nothing_behind_twice_in_a_row(tmp_path: Path) -> None:
    for _ in range(2):
        said = finish(start_demo("--once", tmp=tmp_path / "t"))
        assert "Every page ended as the sample site expects" in said
        assert "灯台守の娘が残した気象日記" in said
        assert list((tmp_path / "t").glob("atlas-*")) == []


def test_two_demos_run_side_by_side(tmp_path: Path) -> None:
    demos = [start_demo("--once", tmp=tmp_path / str(number)) for number in range(2)]
    for demo in demos:
        finish(demo)


def test_without_once_it_stays_with_a_sign_in_link_until_it_is_told_to_stop_and_then_all_its_processes_end(
    tmp_path: Path,
) -> None:
    demo = start_demo(tmp=tmp_path / "t")
    try:
        assert demo.stdout is not None
        said = ""
        while "/sign-in/" not in said:
            line = demo.stdout.readline()
            assert line, said
            said += line
        below = processes.descendants(demo.pid)
        assert len(below) >= 4, [processes.command(pid) for pid in below]  # the site, up, the api, the worker
        demo.terminate()
        demo.communicate(timeout=60)
        assert demo.returncode == 0
        assert [processes.command(pid) for pid in below if processes.is_alive(pid)] == []
    finally:
        demo.kill()
        demo.communicate()


def test_kill_9_of_the_demo_leaves_no_process_running(tmp_path: Path) -> None:
    demo = start_demo(tmp=tmp_path / "t")
    try:
        assert demo.stdout is not None
        while "acquire" not in (line := demo.stdout.readline()):
            assert line
        below = processes.descendants(demo.pid)
        ends = [os.pidfd_open(pid) for pid in below]
        demo.kill()
        demo.communicate(timeout=10)
        _await_ends(ends)
    finally:
        demo.kill()
        demo.communicate()


def _await_ends(ends: list[int]) -> None:
    """Each process ends within 30 s: a pid file descriptor becomes readable when its process ends."""
    import select

    for end in ends:
        readable, _, _ = select.select([end], [], [], 30)
        os.close(end)
        assert readable, "a process of the demo outlived it"
