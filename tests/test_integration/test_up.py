"""`atlas up` as a person meets it: a link on standard output, a few readable lines beside it, a clean stop."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.exits import Exit
from supervisor.instance import PLAIN, Process, environment, fetch, free_port


def settings(data: Path) -> dict[str, str]:
    return PLAIN | {"ATLAS_DATA_DIR": str(data), "ATLAS_API_HOST": "0.0.0.0"}


@pytest.fixture
def up(data_dir: Path, tmp_path: Path):
    """`atlas up`, bound to every address."""
    process = Process("supervisor", "up", "--port", str(free_port()), folder=tmp_path, settings=settings(data_dir))
    yield process
    process.stop()


def test_up_prints_the_sign_in_link_and_nothing_else_and_the_link_is_one_that_can_be_opened(up: Process) -> None:
    link = up.printed(r"http://\S+(?=\n)", seconds=60)
    assert link.startswith("http://127.0.0.1:")  # not the address of everywhere
    base, _, path = link.partition("/sign-in/")
    assert fetch(base, "GET", f"/sign-in/{path}").status == 200
    assert up.stop() == Exit.OK
    assert up.printed(r"(?s)^.*$") == f"{link}\n"


@pytest.mark.slow
def test_a_second_up_on_a_taken_port_ends_with_75_and_says_so_in_one_line(up: Process, tmp_path: Path) -> None:
    port = re.findall(r":(\d+)/", up.printed(r"http://\S+(?=\n)", seconds=60))[0]
    command = [sys.executable, "-P", "-m", "supervisor", "up", "--port", port]
    ran = subprocess.run(
        command, env=environment(settings(tmp_path / "b")), capture_output=True, text=True, timeout=30, check=False
    )
    assert (ran.returncode, ran.stdout) == (Exit.TRY_LATER, "")
    (line,) = ran.stderr.splitlines()
    assert f"cannot listen on 0.0.0.0:{port}" in line


@pytest.mark.slow
def test_a_second_up_on_the_same_folder_ends_with_75_in_one_line_and_promises_nothing(
    up: Process, data_dir: Path
) -> None:
    up.printed(r"http://\S+(?=\n)", seconds=60)
    command = [sys.executable, "-P", "-m", "supervisor", "up", "--port", str(free_port())]
    ran = subprocess.run(
        command, env=environment(settings(data_dir)), capture_output=True, text=True, timeout=30, check=False
    )
    assert (ran.returncode, ran.stdout) == (Exit.TRY_LATER, "")
    (line,) = ran.stderr.splitlines()
    assert f"runs on {data_dir}" in line


def test_on_a_terminal_the_log_is_a_line_an_event_with_role_and_time(data_dir: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-P", "-m", "supervisor", "up", "--port", str(free_port())]
    with subprocess.Popen(command, env=environment(settings(data_dir)), stderr=theirs, stdout=subprocess.DEVNULL) as up:
        os.close(theirs)
        said = b""
        while b"Sign in with this link" not in said or b"role.started" not in said:
            said += os.read(ours, 4096)
        up.terminate()
        assert up.wait(30) == Exit.OK
    os.close(ours)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", said.decode())
    assert re.search(r"^\d\d:\d\d:\d\d \[info +\] (worker|api): role\.started +pid=\d+\r$", plain, re.MULTILINE)
    assert len(plain.splitlines()) <= 4
