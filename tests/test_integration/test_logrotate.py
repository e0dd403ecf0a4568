"""The log file under the real logrotate, with the file that is installed: systemd/atlas.logrotate."""

from __future__ import annotations

import contextlib
import grp
import gzip
import json
import os
import pwd
import re
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from supervisor.instance import environment
from tests.conftest import ROOT

LOGROTATE = shutil.which("logrotate", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
DAYS = 30
WRITER = """
import itertools, sys
from pathlib import Path
from observability import log
from observability.names import Event
from observability.settings import LogSettings
log.configure(LogSettings(file="logs/atlas.log"), sys.argv[1], data=Path(sys.argv[2]))
numbers, logger = itertools.count(), log.get_logger()
for wanted in sys.stdin:
    for _ in range(int(wanted)):
        logger.info(Event.LIBRARY, number=next(numbers))
    assert log.flush(5)
    print("logged", flush=True)
"""

pytestmark = pytest.mark.skipif(LOGROTATE is None, reason="logrotate is not installed")


class Writer:
    """A process that logs to the file as a role does, as many lines as it is asked for."""

    def __init__(self, role: str, data: Path) -> None:
        self.role = role
        self.count = 0
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", WRITER, role, str(data)],
            env=environment({}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def log(self, lines: int = 1) -> None:
        """Returns when they are written."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{lines}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "logged\n"
        self.count += lines

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=10)
        assert self._process.returncode == 0


@contextlib.contextmanager
def busy(writer: Writer) -> Iterator[None]:
    """It logs all the time."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            writer.log(20)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)


class Rotated:
    """The logs of a data folder and what logrotate makes of them."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.logs = self.data / "logs"
        self._state = folder / "state"
        self._config = folder / "atlas.logrotate"
        user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
        installed = (ROOT / "systemd" / "atlas.logrotate").read_text("utf-8")
        ours, paths = re.subn(r"(?m)^/var/lib/atlas/logs/", f"{self.logs}/", installed)
        ours, users = re.subn(r"(?m)^    su atlas atlas$", f"    su {user} {group}", ours)
        assert (paths, users) == (1, 1)
        self._config.write_text(ours, "utf-8")
        self._config.chmod(0o600)

    def rotate(self) -> None:
        """Now, whatever the day."""
        assert LOGROTATE is not None
        command = [LOGROTATE, "--force", "--state", str(self._state), str(self._config)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")

    def files(self) -> list[Path]:
        return sorted(self.logs.iterdir())

    def numbers(self, role: str) -> list[int]:
        """The lines of one role, in all files."""
        lines = [line for file in self.files() for line in _content(file).splitlines()]
        return sorted(line["number"] for line in map(json.loads, lines) if line["role"] == role)


def _content(file: Path) -> bytes:
    return gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()


def wait_for_both(file: Path) -> None:
    """Until both roles go on in the new file."""
    deadline = time.monotonic() + 10
    while not file.exists() or not all(role in file.read_bytes() for role in (b'"api"', b'"worker"')):
        assert time.monotonic() < deadline, "they do not go on in the new file"


@pytest.fixture
def rotated(tmp_path: Path) -> Rotated:
    return Rotated(tmp_path)


def test_a_log_that_is_being_written_is_rotated_without_a_signal_and_loses_no_line(rotated: Rotated) -> None:
    file = rotated.logs / "atlas.log"
    with Writer("api", rotated.data) as api, Writer("worker", rotated.data) as worker:
        for writer in (api, worker):
            writer.log()
        with busy(api), busy(worker):
            for _ in range(5):
                rotated.rotate()
                wait_for_both(file)
        counts = {writer.role: writer.count for writer in (api, worker)}
    assert [each.name for each in rotated.files()] == [
        "atlas.log", "atlas.log.1", *(f"atlas.log.{number}.gz" for number in (2, 3, 4, 5)),
    ]  # fmt: skip
    for role, count in counts.items():
        assert rotated.numbers(role) == list(range(count))
    assert {stat.S_IMODE(each.stat().st_mode) for each in rotated.files()} == {0o600}


def test_thirty_old_files_are_kept_and_no_more(rotated: Rotated) -> None:
    with Writer("api", rotated.data) as api:
        for _ in range(DAYS + 3):
            api.log()
            rotated.rotate()
        api.log()
    assert len(rotated.files()) == 1 + DAYS
    assert rotated.numbers("api") == list(range(3, DAYS + 4))


def test_what_is_older_than_thirty_days_goes(rotated: Rotated) -> None:
    with Writer("api", rotated.data) as api:
        for _ in range(4):
            api.log()
            rotated.rotate()
        for name, days in (("atlas.log.4.gz", DAYS + 2), ("atlas.log.3.gz", DAYS - 1)):
            then = time.time() - days * 86_400
            os.utime(rotated.logs / name, (then, then))
        api.log()
        rotated.rotate()
    assert rotated.numbers("api") == [1, 2, 3, 4]


def test_a_quiet_day_makes_no_file_and_a_log_that_is_not_there_is_no_fault(rotated: Rotated) -> None:
    rotated.logs.mkdir(parents=True)
    rotated.rotate()
    assert rotated.files() == []
    (rotated.logs / "atlas.log").touch(mode=0o600)
    rotated.rotate()
    assert [each.name for each in rotated.files()] == ["atlas.log"]
