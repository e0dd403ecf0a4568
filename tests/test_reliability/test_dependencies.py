"""S26: what Atlas runs on is pinned by hash, and a library that can lose data is refused at the start.

`just audit` asks the advisory database, in the hosted runs each night; test_locks.py reads the files.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import apsw
import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from pipeline.errors import StoreError
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.connection import LEAST_SQLITE
from pipeline.store.handle import open_store
from supervisor.instance import PLAIN, environment
from tests.store.hands import TestClock

FLOOR = "3.51.3.0"  # older ones have the WAL-reset race: committed data is lost when a checkpoint meets a writer


async def test_a_store_is_not_opened_with_an_sqlite_that_can_lose_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apsw, "SQLITE_VERSION_NUMBER", LEAST_SQLITE - 1)
    settings = (DatabaseSettings(), QueueSettings(), RetrySettings())
    with pytest.raises(StoreError, match="can lose committed data") as refused:
        async with open_store(*settings, folder=tmp_path, clock=TestClock()):
            pass
    assert FLOOR in refused.value.hint


OLD = """
import sys, apsw
apsw.SQLITE_VERSION_NUMBER = int(sys.argv[1]) - 1
from supervisor.cli import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("command", ["status", "worker", "api"])
def test_every_role_and_command_says_so_in_a_line_and_does_not_start(
    command: str, data_dir: Path, free_port: int
) -> None:
    ran = subprocess.run(
        [sys.executable, "-P", "-c", OLD, str(LEAST_SQLITE), command],
        env=environment(PLAIN | {"ATLAS_DATA_DIR": str(data_dir), "ATLAS_API_PORT": str(free_port)}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    told = ran.stdout + ran.stderr
    assert ran.returncode != 0
    assert ("can lose committed data" in told, "Traceback" in told) == (True, False), told


def test_the_floor_is_the_same_in_the_code_the_project_and_both_lock_files(root: Path) -> None:
    assert f"{LEAST_SQLITE // 10**6}.{LEAST_SQLITE // 1000 % 1000}.{LEAST_SQLITE % 1000}.0" == FLOOR
    wanted = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    (asked,) = (each for each in map(Requirement, wanted) if each.name == "apsw")
    assert str(asked.specifier) == f">={FLOOR}"
    for name in ("requirements.lock", "requirements-dev.lock"):
        pinned = re.search(r"^apsw==(\S+)", (root / name).read_text("utf-8"), re.MULTILINE)
        assert pinned is not None
        assert Version(pinned[1]) >= Version(FLOOR)


def test_the_launcher_installs_nothing_whose_hash_is_not_in_the_lock_file(root: Path) -> None:
    installs = [line for line in (root / "tools/atlas").read_text("utf-8").splitlines() if " pip " in line]
    assert len([line for line in installs if "--require-hashes" in line]) == 2
    assert all("--require-hashes" in line or "--version" in line for line in installs)
