"""How a role ends by each kind of error: its exit code, and what a person reads of it. In processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from supervisor.exits import Exit
from supervisor.instance import PLAIN, environment

ENDS = """
import errno, sys
from pipeline.errors import ConfigError, StoreBroken
from supervisor import wiring
from supervisor.child import Hopeless, SupervisorGaveUp
from supervisor.config import load
no_room = OSError(errno.ENOSPC, "No space left on device", "/data/atlas.db")
no_right = PermissionError(errno.EACCES, "Permission denied", "/data/atlas.db")
hopeless = SupervisorGaveUp("the worker", hopeless=Hopeless("refuses its configuration", exit_code=78))
def run():
    if sys.argv[1] != "None":
        raise eval(sys.argv[1])
sys.exit(wiring._role(load(flags={}, file=None).config, sys.argv[2], run))
"""


def end(error: str, data: Path, role: str = "worker") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-c", ENDS, error, role],
        env=environment(PLAIN | {"ATLAS_DATA_DIR": str(data), "OTEL_SDK_DISABLED": "true"}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def last(ran: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(ran.stderr.splitlines()[-1])
    return told


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        ("SupervisorGaveUp('six crashes in a minute')", Exit.INTERNAL, "six crashes in a minute"),
        ("hopeless", Exit.CONFIG, "the worker"),
        ("no_room", Exit.TRY_LATER, "make room on the disk"),
        ("no_right", Exit.UNAVAILABLE, "must belong to the user that runs Atlas"),
        ("ExceptionGroup('', [no_right])", Exit.UNAVAILABLE, "must belong to the user that runs Atlas"),
        ("ConfigError('two faults', faults=(), hint='mend them')", Exit.CONFIG, "mend them"),
        ("StoreBroken('the disk answers I/O error')", Exit.UNAVAILABLE, "the disk answers I/O error"),
    ],
)
def test_an_error_that_is_known_ends_a_role_with_its_code_and_one_line_that_says_what_to_do(
    data_dir: Path, error: str, code: Exit, words: str
) -> None:
    ran = end(error, data_dir)
    assert (ran.returncode, len(ran.stderr.splitlines())) == (code, 1), ran.stderr
    assert (last(ran)["event"], words in ran.stderr) == ("role.failed", True)
    assert "Traceback" not in ran.stderr


def test_a_bug_ends_it_with_70_and_can_be_looked_up_afterwards(data_dir: Path) -> None:
    ran = end("ExceptionGroup('', [ZeroDivisionError('by nought')])", data_dir)
    assert ran.returncode == Exit.INTERNAL
    found = last(ran)["error_id"]
    told = subprocess.run(
        [sys.executable, "-P", "-m", "supervisor", "errors", found],
        env=environment(PLAIN | {"ATLAS_DATA_DIR": str(data_dir)}),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "ZeroDivisionError" in told.stdout


def test_a_bug_that_cannot_be_kept_because_the_database_is_none_is_told_all_the_same(data_dir: Path) -> None:
    (data_dir / "atlas.db").write_text("no database\n" * 1000)
    ran = end("ZeroDivisionError('by nought')", data_dir)
    assert ran.returncode == Exit.INTERNAL
    assert "ZeroDivisionError" in ran.stderr


def test_ctrl_c_and_an_end_without_error_are_none(data_dir: Path) -> None:
    assert end("BaseExceptionGroup('', [KeyboardInterrupt()])", data_dir).returncode != Exit.INTERNAL
    ran = end("None", data_dir)
    assert (ran.returncode, last(ran)["event"]) == (Exit.OK, "role.stopped")
    ran = end("None", data_dir, "scheduler")  # it ends every five minutes
    assert (ran.returncode, ran.stderr) == (Exit.OK, "")
