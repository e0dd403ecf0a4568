"""`kill -9` of a restore at each of its steps on the disk: the next run ends it or begins anew, and all is there."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import apsw
import pytest

from pipeline.store.library import UNFINISHED
from supervisor.exits import Exit
from supervisor.instance import PLAIN, environment
from tests.conftest import ROOT
from tests.test_reliability.sizes import figure, size

pytestmark = pytest.mark.fault

STRIDE = size("RESTORE_KILLS", small=5, full=1)  # of the steps every how many-th
STEPS_MOST = 400
DRIVER = """
import json, shutil, sys
from pathlib import Path
from tests.test_reliability.restoring import Countdown, restore
from tests.test_reliability.test_restore_killed import found_after

template, work, backup = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
stride, most = int(sys.argv[4]), int(sys.argv[5])
for when in ("before", "after"):
    for number in range(1, most, stride):
        data = work / f"{when}-{number}"
        shutil.copytree(template, data)
        first = restore(data, (backup,), Countdown(number, when))
        print(json.dumps(found_after(data, backup, when, number, first)), flush=True)
        shutil.rmtree(data)
        if first == 0:
            break
"""


def settings(data: Path) -> dict[str, str]:
    return environment(PLAIN | {"ATLAS_DATA_DIR": str(data), "ATLAS_BACKUP_DIR": str(data.parent / "backups")})


def atlas(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "supervisor", *arguments],
        env=settings(data), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def urls(path: Path) -> list[str]:
    with contextlib.closing(apsw.Connection(str(path))) as conn:
        assert conn.pragma("integrity_check") == "ok"
        return sorted(url for (url,) in conn.execute("SELECT url FROM items"))


def found_after(data: Path, backup: str, when: str, number: int, first: int) -> dict[str, object]:
    """What is there after the kill, and after the next run. In the driver."""
    from tests.test_reliability.restoring import restore

    was_unfinished = (data / UNFINISHED).exists()
    is_closed = None
    if was_unfinished:
        is_closed = [_status(data), (data / "atlas.db").exists() and _size(data / "atlas.db")]
    second = None
    if first != 0:
        second = restore(data, () if was_unfinished else (backup,), None)
    return {
        "when": when,
        "number": number,
        "first": first,
        "unfinished": was_unfinished,
        "closed": is_closed,
        "second": second,
        "urls": urls(data / "atlas.db"),
        "aside": sorted(path.name for path in data.glob("replaced-*/*")),
        "left": sorted(path.name for path in data.iterdir() if path.name.startswith((".restoring-", UNFINISHED))),
    }


def _status(data: Path) -> int:
    from supervisor.cli import main

    child = os.fork()
    if child == 0:
        try:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            os._exit(main(["status", "--data", str(data)]))
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _size(path: Path) -> int:
    return path.stat().st_size


def test_a_restore_killed_at_any_step_is_ended_by_the_next_run_and_nothing_accepted_is_lost(tmp_path: Path) -> None:
    template = tmp_path / "template"
    template.mkdir(mode=0o700)
    old = [f"https://example.org/{n}" for n in range(3)]
    since = [f"https://example.org/since/{n}" for n in range(3)]
    assert atlas(template, "add", *old).returncode == 0
    made = atlas(template, "backup", "--json")
    backup = json.loads(made.stdout)["backup"]["id"]
    assert atlas(template, "add", *since).returncode == 0
    (template / "damaged.json").write_text('{"at": 1, "where": "read", "file": "atlas.db", "said": "torn"}')
    (tmp_path / "work").mkdir()
    given = [str(template), str(tmp_path / "work"), backup, str(STRIDE), str(STEPS_MOST)]
    ran = subprocess.run(
        [sys.executable, "-P", "-c", DRIVER, *given],
        env=settings(template) | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    kills = [each for each in found if each["first"] != 0]
    wrong = [
        each
        for each in found
        if each["urls"] != sorted(old + since)
        or each["left"]
        or (each["first"] != 0 and each["second"] not in {0, None})
        or each["aside"].count("atlas.db") < 1
        or "damaged.json" not in each["aside"]
        or (each["closed"] is not None and each["closed"][0] != Exit.CONFIG)
    ]
    assert wrong == []
    unfinished = Counter(each["unfinished"] for each in kills)
    assert unfinished[True] >= 3, "some were killed in the middle of the replacement"
    assert all(each["first"] == -9 for each in kills)
    figure(
        "F25",
        f"kill -9 of a restore at {len(kills)} of its steps, {unfinished[True]} of them while files were replaced:"
        f" {len(wrong)} bad; each was ended by the next run with all {len(old + since)} items",
    )
    shutil.rmtree(tmp_path / "work")
