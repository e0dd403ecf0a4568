"""tools/service: what the recipes ask of systemd, in which order, and what they say where there is none.

With a systemctl and a journalctl that only note what they are asked; test_systemd_services.py has the real ones.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

TOOLS = ("sh", "dirname", "date")
ROLES = "atlas-api.socket atlas-worker.service atlas-api.service"
TIMERS = "atlas-scheduler.timer atlas-backup.timer"
BACKUP = "20261125T030000Z"
FORGIVEN = "systemctl reset-failed atlas-*"
STOPPED = (
    f"systemctl stop atlas-api.socket atlas-api.service {TIMERS} atlas-backup-drill.timer atlas-worker.service "
    "atlas-scheduler.service atlas-backup.service atlas-backup-drill.service atlas-backup-copy.service"
)


class Machine:
    """Programs on PATH that note how they are called; each may be given lines of its own."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.bin = folder / "bin"
        self.noted = folder / "noted"
        self.checkout = folder / "checkout"
        (self.checkout / "tools").mkdir(parents=True)
        self.bin.mkdir()
        text = (root / "tools/service").read_text()
        # Where the operator's command is installed belongs to the machine that runs the tests.
        (self.checkout / "tools/service").write_text(text.replace("/usr/local/bin/atlas", str(self.bin / "atlas")))
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found is not None
            (self.bin / tool).symlink_to(found)
        self.program("id", "echo 0")
        self.atlas()
        self.program("journalctl")
        self.program("systemctl")
        self._program(self.checkout / "tools/atlas", "tools/atlas")

    def atlas(self, *lines: str) -> None:
        """The operator's command, with one backup, and `lines` for what else it is asked."""
        self.program("atlas", f"""case $1 in backup) echo '"id": "{BACKUP}"'; exit ;; esac""", *lines)

    def program(self, name: str, *lines: str) -> None:
        self._program(self.bin / name, name, *lines)

    def _program(self, path: Path, name: str, *lines: str) -> None:
        path.write_text("\n".join(["#!/bin/sh", f'echo {name} "$*" >>"{self.noted}"', *lines, ""]))
        path.chmod(0o755)

    def service(self, *arguments: str) -> tuple[int, str, str]:
        ran = subprocess.run(
            ["/bin/sh", str(self.checkout / "tools/service"), *arguments],
            env={"PATH": str(self.bin)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return ran.returncode, ran.stdout, ran.stderr

    def asked(self) -> list[str]:
        """What was run, without who we are and whether there are services."""
        lines = self.noted.read_text().splitlines() if self.noted.exists() else []
        return [line.strip() for line in lines if line.strip() not in ("id -u", "systemctl cat atlas-api.service")]


@pytest.fixture
def machine(tmp_path: Path, root: Path) -> Machine:
    return Machine(tmp_path, root)


@pytest.mark.parametrize("recipe", ["start", "stop", "restart", "status", "logs"])
@pytest.mark.parametrize("has_systemctl", [True, False])
def test_without_services_it_says_in_one_line_how_to_get_or_do_without_them(
    machine: Machine, recipe: str, has_systemctl: bool
) -> None:
    machine.program("systemctl", "exit 1")
    if not has_systemctl:
        (machine.bin / "systemctl").unlink()
    code, out, err = machine.service(recipe)
    assert (code, out, err.count("\n")) == (69, "", 1)
    assert "`sudo just install-system`" in err
    assert "`just up`" in err
    assert machine.asked() == []


def test_without_services_backup_and_restore_work_on_the_checkouts_own_library(machine: Machine) -> None:
    machine.program("systemctl", "exit 1")
    assert machine.service("backup", "verify", "a b")[0] == 0
    assert machine.service("restore", "20261125")[0] == 0
    assert machine.asked() == ["tools/atlas backup verify a b", "tools/atlas restore 20261125"]


@pytest.mark.parametrize("recipe", ["start", "stop", "restart", "backup", "restore"])
def test_without_root_it_says_so_in_one_line_and_asks_nothing_of_systemd(machine: Machine, recipe: str) -> None:
    machine.program("id", "echo 1000")
    code, out, err = machine.service(recipe)
    assert (code, out, err) == (69, "", f"atlas: run it as root: sudo just {recipe}\n")
    assert machine.asked() == []


def test_start_starts_the_socket_the_roles_and_the_timers_also_what_was_given_up(machine: Machine) -> None:
    assert machine.service("start") == (0, "", "")
    forgiven, line = machine.asked()
    assert forgiven == FORGIVEN
    assert line == f"systemctl start {ROLES} {TIMERS} atlas-backup-drill.timer"


def test_stop_stops_the_socket_first_for_the_next_connection_would_start_the_api_again(machine: Machine) -> None:
    assert machine.service("stop") == (0, "", "")
    assert machine.asked() == [STOPPED]


def test_restart_is_the_worker_then_the_api_and_leaves_the_socket_open(machine: Machine) -> None:
    assert machine.service("restart") == (0, "", "")
    assert machine.asked() == [
        FORGIVEN,
        "systemctl restart atlas-worker.service",
        "systemctl restart atlas-api.service",
    ]


def test_what_systemd_refuses_is_the_end_of_it(machine: Machine) -> None:
    machine.program("systemctl", 'test "$1" = cat || { echo "Job failed." >&2; exit 4; }')
    for recipe in ("start", "stop", "restart"):
        assert machine.service(recipe) == (4, "", "Job failed.\n")


def test_status_needs_no_root_and_ends_with_3_when_a_role_does_not_run(machine: Machine) -> None:
    machine.program("id", "echo 1000")
    assert machine.service("status")[0] == 0
    machine.program("systemctl", 'case "$*" in *is-active*worker*) exit 3 ;; esac')
    code, _, err = machine.service("status")
    assert (code, err.count("\n")) == (3, 1)
    assert "atlas-worker.service does not run" in err


def test_logs_are_of_all_services_unless_one_is_named(machine: Machine) -> None:
    machine.service("logs", "-f")
    machine.service("logs", "-u", "atlas-worker", "--since", "1 hour ago")
    assert machine.asked() == [
        "journalctl --unit=atlas-* --lines=100 -f",
        "journalctl --lines=100 -u atlas-worker --since 1 hour ago",
    ]


def test_a_backup_is_the_units_own_so_it_runs_as_the_service_does_and_its_words_are_shown(machine: Machine) -> None:
    machine.program("journalctl", "echo made 20261125-030000")
    code, out, err = machine.service("backup")
    assert (code, err, out.splitlines()[0]) == (0, "", "made 20261125-030000")
    assert machine.asked()[0] == "systemctl start atlas-backup.service"


def test_a_backup_that_fails_shows_why_and_ends_with_1(machine: Machine) -> None:
    machine.program("journalctl", "echo the disk is full")
    machine.program("systemctl", 'test "$1" = cat')
    code, out, err = machine.service("backup")
    assert (code, out) == (1, "the disk is full\n")
    assert err == "atlas: no backup was made; the lines above say why\n"


def test_other_words_of_backup_go_to_the_installed_command(machine: Machine) -> None:
    machine.service("backup", "list", "--json")
    assert machine.asked() == ["atlas backup list --json"]


@pytest.mark.parametrize("ending", [0, 1])
def test_a_restore_stops_everything_and_starts_again_what_ran_whatever_became_of_it(
    machine: Machine, ending: int
) -> None:
    machine.program("systemctl", 'case "$*" in *is-active*-drill*) exit 3 ;; esac')
    machine.atlas(f"exit {ending}")
    assert machine.service("restore", BACKUP)[0] == ending
    asked = [line for line in machine.asked() if "is-active" not in line]
    assert asked == [
        "atlas backup list --json",
        STOPPED,
        f"atlas restore {BACKUP}",
        FORGIVEN,
        f"systemctl start {ROLES} {TIMERS}",
    ]


@pytest.mark.parametrize("slip", ["20261125", "20261125T03*", "", "--help"])
def test_a_restore_of_what_is_no_backup_stops_nothing(machine: Machine, slip: str) -> None:
    code, _, err = machine.service("restore", slip)
    assert not [line for line in machine.asked() if line.startswith("systemctl stop")]
    if slip != "--help":
        assert (code, "there is no backup" in err) == (1, True)


def test_a_restore_leaves_stopped_what_was_stopped(machine: Machine) -> None:
    machine.program("systemctl", 'case "$*" in *is-active*) exit 3 ;; esac')
    assert machine.service("restore", BACKUP)[0] == 0
    assert machine.asked()[-2:] == [f"atlas restore {BACKUP}", FORGIVEN]


@pytest.mark.parametrize("number", ["HUP", "INT", "TERM"])
def test_a_restore_that_is_interrupted_starts_again_what_ran(machine: Machine, number: str) -> None:
    machine.program("systemctl", 'case "$*" in *is-active*-drill*) exit 3 ;; esac')
    machine.atlas(f"kill -s {number} $PPID", "exit 130")
    assert machine.service("restore", BACKUP)[0] == 130
    assert machine.asked()[-1] == f"systemctl start {ROLES} {TIMERS}"


def test_a_stop_that_fails_is_followed_by_no_restore_and_what_ran_is_started_again(machine: Machine) -> None:
    machine.program("systemctl", 'case "$*" in stop*) exit 4 ;; *is-active*-drill*) exit 3 ;; esac')
    assert machine.service("restore", BACKUP)[0] == 4
    assert f"atlas restore {BACKUP}" not in machine.asked()
    assert machine.asked()[-1] == f"systemctl start {ROLES} {TIMERS}"


def test_services_that_do_not_come_back_after_a_restore_are_told(machine: Machine) -> None:
    machine.program("systemctl", 'test "$1" != start')
    code, _, err = machine.service("restore", BACKUP)
    assert (code, err) == (69, "atlas: the services did not start again: sudo just status\n")


def test_a_word_that_it_does_not_know_is_a_wrong_call(machine: Machine) -> None:
    code, out, err = machine.service("explode")
    assert (code, out, err.count("\n")) == (64, "", 1)


def test_it_names_every_unit_that_there_is(root: Path) -> None:
    """But the one that systemd itself starts when another has failed."""
    text = (root / "tools/service").read_text()
    named = set(re.findall(r"atlas-[a-z-]+\.(?:socket|service|timer)", text))
    units = {
        path.name for path in (root / "systemd").glob("atlas-*.*") if "@" not in path.name and path.suffix != ".conf"
    }
    assert units - named == set()
