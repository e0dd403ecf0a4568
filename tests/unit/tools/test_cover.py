"""`just coverage`: which floors are not reached, and how processes are measured while it runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tools import cover
from tools.cover import File


def test_each_floor_that_is_not_reached_is_a_line_and_no_other() -> None:
    files = cover.files_of({"files": {name: {"summary": {"percent_covered": at}} for name, at in
                                      (("b.py", 85.0), ("a.py", 84.96), ("c.py", 100.0))}})  # fmt: skip
    assert [file.name for file in files] == ["a.py", "b.py", "c.py"]
    assert cover.shortcomings(95.0, files) == ["a.py: 85.0 %, and each file needs 85 %"]
    assert cover.shortcomings(94.99, files[1:]) == ["all files together: 95.0 %, and they need 95 %"]
    assert cover.shortcomings(100.0, [File(name="a.py", covered=100.0)]) == []


# Without the .pth files of .venv: the suite that this test belongs to may be measured itself.
STARTED = "import os, site, sys; site.addsitedir(sys.argv[1]); print(os.environ.get('COVERAGE_FILE'))"


def started_with(packages: Path) -> str:
    command = [sys.executable, "-S", "-c", STARTED, str(packages)]
    return subprocess.run(command, env={}, cwd="/", capture_output=True, text=True, check=True).stdout.strip()


def test_a_process_is_measured_without_any_environment_while_it_runs_and_not_afterwards(tmp_path: Path) -> None:
    with cover.measured(tmp_path) as data:
        assert started_with(tmp_path) == str(data / "data")
        assert data.stat().st_mode & 0o777 == 0o777
    assert started_with(tmp_path) == "None"
    assert (list(tmp_path.iterdir()), data.exists()) == ([], False)


def test_a_hook_that_kill_9_left_behind_does_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    line = cover._HOOK_LINE.format(process=f"/proc/{gone.pid}", settings={"COVERAGE_FILE": "x"})
    (tmp_path / "left.pth").write_text(line)
    assert started_with(tmp_path) == "None"
