"""The commands of the guides that are meant for a server, typed as root on a booted systemd, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.docs.documents import commands_of
from tests.systemd.installed import Installed, missing
from tests.systemd.prepared import CHECKOUT, prepare

pytestmark = pytest.mark.systemd
SECONDS = 600.0  # for one block; to install takes half a minute
# Root types them, and a machine for tests has no sudo.
AS_TYPED = 'sudo() { "$@"; }\nexport DEBIAN_FRONTEND=noninteractive\ncd {folder}\nset -e\n{block}'


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """A booted machine with a checkout, on which nothing is installed yet."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with closing(Installed(tmp_path_factory.mktemp("documents"))) as booted:
        booted.boot()
        prepare(booted)
        yield booted


def typed(machine: Installed, block: str) -> str:
    """What a block printed; the whole of it has to end well."""
    script = AS_TYPED.replace("{folder}", CHECKOUT).replace("{block}", block)
    ran = machine.run("bash", "-c", script, seconds=SECONDS, check=False)
    assert ran.returncode == 0, f"{block}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout + ran.stderr


def test_the_quick_start_installs_and_every_command_after_it_works(machine: Installed) -> None:
    said = [typed(machine, block) for block in commands_of("QUICKSTART.md", place="host")]
    assert any("/sign-in/" in each for each in said)
    assert machine.is_well()


def test_every_command_of_the_operations_guide_works_on_the_machine_of_the_quick_start(machine: Installed) -> None:
    _installed(machine)
    for block in commands_of("OPERATIONS.md", place="host"):
        typed(machine, block)
    machine.until_well()


# The original plan's commands for a server: RELIABILITY_CHECKLIST.md


def test_the_plans_commands_for_services_timers_and_logs_work(machine: Installed) -> None:
    _installed(machine)
    assert typed(machine, "systemctl is-enabled atlas-api.service").strip() == "enabled"
    status = typed(machine, "systemctl status --no-pager atlas-api.service atlas-worker.service")
    assert status.count("active (running)") == 2
    timers = typed(machine, "systemctl list-timers --no-pager --all 'atlas-*'")
    assert {"atlas-scheduler.timer", "atlas-backup.timer"} <= set(timers.split())
    typed(machine, "curl -f -s localhost:7444/health && curl -f -s localhost:7444/ready")
    assert "role.started" in typed(machine, "journalctl -u atlas-api -n 50 --no-pager")
    assert "role.started" in typed(machine, "timeout 3 journalctl -f -n 50 -u atlas-worker || [ $? = 124 ]")
    typed(machine, "logrotate -f /etc/logrotate.d/atlas")


def _installed(machine: Installed) -> None:
    """The machine of the quick start, also when this test runs alone."""
    if not (machine.root / "opt/atlas/current").is_symlink():
        typed(machine, commands_of("QUICKSTART.md", place="host", heading="Install")[0])
