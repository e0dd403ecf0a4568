"""The recipes that operate an installation, on a booted systemd with Atlas on it."""

from __future__ import annotations

import pytest

from tests.systemd.installed import ROLES, Installed

pytestmark = pytest.mark.systemd

SOCKET = "atlas-api.socket"


def states(machine: Installed) -> list[str]:
    return [machine.show(unit, "ActiveState") for unit in (SOCKET, *ROLES)]


def test_stop_stops_all_and_start_brings_it_back_and_status_tells_them_apart(installed: Installed) -> None:
    installed.just("stop")
    assert states(installed) == ["inactive"] * 3
    told = installed.just("status", check=False)
    assert "does not run" in told.splitlines()[-1]
    installed.just("start")
    installed.until_well()
    assert states(installed) == ["active"] * 3
    told = installed.just("status")
    for unit in (SOCKET, *ROLES, "atlas-scheduler.timer", "atlas-backup.timer"):
        assert unit in told


def test_restart_starts_new_processes_of_both_roles_and_leaves_the_socket(installed: Installed) -> None:
    installed.until_well()
    before = [installed.pid(unit) for unit in ROLES]
    since = installed.show(SOCKET, "ActiveEnterTimestampMonotonic")
    installed.just("restart")
    installed.until_well()
    assert all(pid not in {0, *before} for pid in map(installed.pid, ROLES))
    assert installed.show(SOCKET, "ActiveEnterTimestampMonotonic") == since


def test_logs_are_the_journal_of_all_services_or_of_one(installed: Installed) -> None:
    installed.just("restart")
    installed.until_well()
    everything = installed.just("logs", "--output=short", "--no-pager")
    assert everything.count("role.started") >= len(ROLES)
    one = installed.just("logs", "-u", "atlas-worker", "--no-pager")
    assert 0 < one.count("role.started") < everything.count("role.started")


def test_health_of_the_installed_service_is_what_a_monitor_expects(installed: Installed) -> None:
    installed.until_well()
    told = installed.just("health", check=False)
    assert told.startswith(("ATLAS OK", "ATLAS WARNING"))
