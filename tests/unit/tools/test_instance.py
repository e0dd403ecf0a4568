"""Child processes of the demo and the benches: waited for with a reason, and never left behind."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.instance import InstanceError, Process, environment


def test_what_a_process_does_not_print_in_time_is_named_with_its_last_words(tmp_path: Path) -> None:
    site = Process("tools.sample_site", folder=tmp_path)
    try:
        with pytest.raises(InstanceError, match=r"tools.sample_site: printing never: not within 0.1 s"):
            site.printed("never", seconds=0.1)
    finally:
        site.stop()


def test_a_process_that_ends_too_soon_is_reported_with_its_status_and_its_errors(tmp_path: Path) -> None:
    site = Process("tools.sample_site", "--port", "nonsense", folder=tmp_path)
    with pytest.raises(InstanceError, match="ended with status 2") as caught:
        site.printed("never")
    assert "invalid int value: 'nonsense'" in caught.value.message


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    (tmp_path / "deaf.py").write_text(
        "import signal, sys\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\nsys.stdin.read()\n"
        "signal.pause()\n"
    )
    deaf = Process("deaf", folder=tmp_path, settings={"PYTHONPATH": str(tmp_path)})
    deaf.printed("up")
    assert deaf.stop(seconds=0.1) == -9


def test_a_process_ends_when_the_one_that_started_it_is_killed(tmp_path: Path) -> None:
    starter = (
        "import pathlib, sys; from supervisor.instance import Process\n"
        "site = Process('tools.sample_site', folder=pathlib.Path(sys.argv[1])); site.printed('http')\n"
        "print(site.pid, flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-P", "-c", starter, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment({}),
    ) as parent:
        assert parent.stdout is not None
        end = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    try:
        assert select.select([end], [], [], 10)[0], "it still runs"
    finally:
        os.close(end)


def test_the_settings_of_the_person_who_starts_it_do_not_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATLAS_API_PORT", "1")
    monkeypatch.setenv("GOOGLE_SEARCH_API_KEY", "secret")
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/x")
    told = environment({"ATLAS_LOG_LEVEL": "error"})
    assert {name for name in told if name.startswith(("ATLAS_", "GOOGLE_"))} == {"ATLAS_LOG_LEVEL"}
    assert "NOTIFY_SOCKET" not in told
