"""Deploys and rollbacks on a booted systemd, while people look and save: what works before works throughout."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.systemd.installed import ROLES, Installed, missing
from tests.systemd.prepared import CHECKOUT, commit, prepare
from tests.systemd.watched import Seen, Watched

pytestmark = pytest.mark.systemd
BACK_SECONDS = 30.0
# Breaks that a rehearsal cannot see: they show only under systemd.
BREAKS = {
    "the api ends as it starts": ("supervisor/api.py", "LISTEN_FDS", "sys.exit(3)"),
    "the worker ends as it starts": ("supervisor/worker.py", "NOTIFY_SOCKET", "sys.exit(3)"),
    "the worker never gets ready": ("supervisor/worker.py", "NOTIFY_SOCKET", "threading.Event().wait()"),
    "the api dies after a while": (
        "supervisor/api.py",
        "LISTEN_FDS",
        "threading.Timer(4, os._exit, args=(3,)).start()",
    ),
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """A machine of their own: releases and items are left on it that others would stumble over."""
    if (reason := missing()) is not None:
        pytest.skip(reason)
    with closing(Installed(tmp_path_factory.mktemp("deploys"))) as booted:
        booted.boot()
        prepare(booted)
        booted.install()
        yield booted


@pytest.fixture
def machine(installed: Installed) -> Iterator[Installed]:
    """Healthy at the beginning, and on the checkout's first commit again at the end."""
    installed.until_well()
    yield installed
    _git(installed, "reset", "--quiet", "--hard", "main")


def _git(machine: Installed, *command: str) -> str:
    return machine.run("git", "-C", CHECKOUT, *command).stdout.strip()


def edited(machine: Installed, file: str, text: str, *, after: str = "from __future__ import annotations\n") -> str:
    """A commit, beside the branch, in which `text` stands in `file`; its id."""
    _git(machine, "checkout", "--quiet", "--detach", "main")
    path = machine.root / CHECKOUT.lstrip("/") / file
    content = path.read_text()
    assert after in content
    path.write_text(content.replace(after, after + text, 1))
    return commit(machine.root / CHECKOUT.lstrip("/"), f"Edit {file}")


def broken(machine: Installed, kind: str) -> str:
    file, variable, what = BREAKS[kind]
    return edited(machine, file, f"import os, sys, threading\nif '{variable}' in os.environ:\n    {what}\n")


def deploy(machine: Installed, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`just deploy`, whatever becomes of it."""
    return machine.run(
        "just",
        "--justfile",
        f"{CHECKOUT}/Justfile",
        "deploy",
        *arguments,
        seconds=240,
        check=False,
    )


def pids(machine: Installed) -> list[int]:
    return [machine.pid(role) for role in ROLES]


def all_there(machine: Installed, seen: Seen) -> bool:
    """Whether everything that was answered is kept."""
    assert seen.kept
    assert seen.given_up == []
    answers = [machine.ask("GET", f"/api/v1/items/{uid}").status for uid in seen.kept]
    return answers == [200] * len(answers)


def test_a_deploy_puts_a_commit_in_place_while_people_save_and_health_is_never_down(machine: Installed) -> None:
    before = machine.release()
    ref = edited(machine, "gateway/__init__.py", "", after="")
    begun = time.monotonic()
    with Watched(machine, prefix="good") as watched:
        ran = deploy(machine, ref)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    print(f"\ndeployed in {time.monotonic() - begun:.1f} s; {ran.stdout}")
    print(f"{watched.seen.looks} looks, slowest {watched.seen.slowest:.2f} s, {len(watched.seen.kept)} saved")
    assert watched.seen.down == []
    assert all_there(machine, watched.seen)
    assert machine.release() != before
    assert machine.release().endswith(ref[:7])
    folder = f"/opt/atlas/releases/{machine.release()}"
    for pid in pids(machine):
        assert f"PYTHONPATH={folder}" in machine.sh(f"tr '\\0' '\\n' < /proc/{pid}/environ")
    assert f"{before} -> {machine.release()}: ok" in machine.sh("cat /opt/atlas/history")

    # Asking again does nothing again.
    running = pids(machine)
    again = deploy(machine, ref)
    assert (again.returncode, "nothing to do" in again.stdout) == (0, True), again.stdout + again.stderr
    assert pids(machine) == running


def test_rollback_goes_to_the_release_before_and_forward_again_and_health_is_never_down(machine: Installed) -> None:
    newer = machine.release()
    older = Path(machine.sh("readlink /opt/atlas/previous")).name
    with Watched(machine, prefix="rollback") as watched:
        told = machine.just("rollback")
        assert machine.release() == older, told
        told = machine.just("rollback", newer)
        assert machine.release() == newer, told
    assert watched.seen.down == []
    assert all_there(machine, watched.seen)


def test_a_release_with_a_fault_is_refused_before_anything_that_runs_is_touched(machine: Installed) -> None:
    before, running = machine.release(), pids(machine)
    ref = edited(machine, "gateway/pages/library.py", "raise ImportError('a fault of this release')\n")
    with Watched(machine, prefix="refused") as watched:
        ran = deploy(machine, ref)
    assert ran.returncode != 0
    assert "a fault of this release" in ran.stderr, ran.stdout + ran.stderr
    assert watched.seen.down == []
    assert (machine.release(), pids(machine)) == (before, running)
    assert all_there(machine, watched.seen)
    assert f"{ref[:7]}" not in machine.sh("ls /opt/atlas/releases")


@pytest.mark.parametrize("kind", BREAKS)
def test_a_release_that_breaks_after_the_switch_is_taken_back_within_30_s_and_nothing_accepted_is_lost(
    machine: Installed, kind: str
) -> None:
    before = machine.release()
    ref = broken(machine, kind)
    with Watched(machine, prefix=ref[:7]) as watched:
        ran = deploy(machine, "--no-backup", ref)  # the rehearsal would not find it
    assert ran.returncode != 0
    assert f"went back: {before} runs again and is well" in ran.stdout, ran.stdout + ran.stderr
    print(f"\n{kind}: {ran.stdout.splitlines()[-1]}; down for {watched.seen.outage:.1f} s")
    assert watched.seen.outage <= BACK_SECONDS, watched.seen.down
    assert machine.release() == before
    assert machine.is_well()
    assert all_there(machine, watched.seen)
    assert ref[:7] not in machine.sh("readlink /opt/atlas/previous || true")


def test_a_deploy_that_is_killed_after_the_switch_is_completed_by_the_next(machine: Installed) -> None:
    before = machine.release()
    ref = edited(machine, "gateway/__init__.py", "# killed\n", after="")
    script = f"just --justfile {CHECKOUT}/Justfile deploy --no-backup {ref} >/run/deploy.log 2>&1 & echo $!"
    machine.sh(script)
    machine.until(lambda: machine.release() != before, seconds=120, what="the switch")
    machine.sh("pkill -KILL -f '[t]ools/system/deploy.py'")
    ran = deploy(machine, "--no-backup", ref)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    machine.until_well()
    assert machine.release().endswith(ref[:7])
    assert Path(machine.sh("readlink /opt/atlas/previous")).name == before
    for pid in pids(machine):
        assert machine.release() in machine.sh(f"tr '\\0' '\\n' < /proc/{pid}/environ")


def test_the_last_three_releases_are_kept(machine: Installed) -> None:
    before = machine.sh("ls /opt/atlas/releases").split()
    assert len(before) == 3
    ran = deploy(machine, "--no-backup", edited(machine, "gateway/__init__.py", "# a fourth\n", after=""))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert machine.sh("ls /opt/atlas/releases").split() == [*before[1:], machine.release()]
