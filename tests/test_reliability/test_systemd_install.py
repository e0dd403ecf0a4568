"""`just install-system` and `just uninstall` on a booted systemd: twice, interrupted, refused, and removed again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from tests.systemd.installed import ROLES, Installed
from tests.systemd.prepared import CHECKOUT, commit
from tests.test_reliability.sizes import figure

pytestmark = pytest.mark.systemd

UNITS = ("atlas-api.socket", *ROLES, "atlas-scheduler.timer", "atlas-backup.timer", "atlas-backup-drill.timer")
APPLY = "/opt/atlas/current/tools/system/install.py"


@pytest.fixture
def configuration(installed: Installed) -> Iterator[None]:
    """The configuration and the resolver are as before afterwards."""
    kept = {name: installed.sh(f"cat {name}") for name in ("/etc/atlas/config.toml", "/etc/resolv.conf")}
    yield
    for name, text in kept.items():
        installed.write(name, text + "\n")


def running(machine: Installed) -> list[str]:
    return [machine.show(unit, "InvocationID") for unit in UNITS]


def test_the_recipe_installs_services_that_are_enabled_and_well(installed: Installed) -> None:
    assert installed.is_well()
    for unit in UNITS:
        assert (installed.systemctl("is-active", unit), installed.systemctl("is-enabled", unit)) == (
            "active",
            "enabled",
        )
    assert installed.systemctl("--failed", "--no-legend") == ""
    timers = installed.systemctl("list-timers", "--no-legend", "atlas-*")
    assert [line.split()[-2] for line in timers.splitlines()] == list(UNITS[3:])
    owners = installed.sh(
        "stat -c '%U %a %n' /opt/atlas/current/ /etc/atlas /etc/atlas/credentials /var/lib/atlas /var/backups/atlas"
    )
    assert [line.split()[:2] for line in owners.splitlines()] == [
        ["root", "755"],
        ["root", "755"],
        ["root", "700"],
        ["atlas", "700"],
        ["atlas", "700"],
    ]
    assert installed.sh("find /opt/atlas -not -user root -o -perm /022 -not -type l | head -3") == ""
    status = installed.systemctl("status", "--no-pager", *ROLES)
    assert status.count('Status: "0 queued or in work, 0 waiting for another time"') == 2


def test_a_second_run_changes_nothing_and_says_so(installed: Installed) -> None:
    before = running(installed)
    told = installed.just("install-system")
    assert "already" in told
    assert "all of it runs already" in told
    assert "building" not in told
    assert running(installed) == before


def test_killed_while_it_builds_the_next_run_completes_it(installed: Installed) -> None:
    checkout = installed.root / CHECKOUT.lstrip("/")
    (checkout / "README.md").write_text("# Another version\n")
    commit(checkout, "Another version")
    before = installed.release()
    killer = threading.Thread(target=lambda: _kill_when_building(installed))
    killer.start()
    itself = f"echo $$ >/run/installer; exec {CHECKOUT}/tools/system/install.py"
    ran = installed.run("sh", "-c", itself, check=False, seconds=300)
    killer.join(60)
    assert ran.returncode != 0
    assert installed.release() == before
    assert installed.is_well()
    begun = time.monotonic()
    told = installed.just("install-system")
    assert "building" in told
    assert installed.release() != before
    assert installed.sh("readlink /opt/atlas/previous") == f"releases/{before}"
    assert installed.sh("ls /opt/atlas/releases | wc -l") == "2"  # half a release is gone
    assert installed.sh(f"tr '\\0' ' ' </proc/{installed.pid(ROLES[0])}/cmdline").startswith(
        f"/opt/atlas/releases/{installed.release()}/"
    )
    figure("systemd install", f"a new version built, installed and well in {time.monotonic() - begun:.0f} s")


def _kill_when_building(machine: Installed) -> None:
    look = "for each in /opt/atlas/releases/*/.venv/bin; do test -e $each/../../release.json || exit 0; done; exit 1"
    machine.until(lambda: machine.run("sh", "-c", look, check=False).returncode == 0, seconds=120, what="a build")
    machine.sh("kill -9 $(cat /run/installer)")


def test_without_root_it_says_so_in_a_line(installed: Installed) -> None:
    for recipe in ("install-system", "uninstall"):
        as_nobody = ("runuser", "-u", "nobody", "--", "just", "--justfile", f"{CHECKOUT}/Justfile", recipe)
        ran = installed.run(*as_nobody, check=False)
        assert ran.returncode == 69
        assert f"atlas: run it as root: sudo just {recipe}" in ran.stderr


def test_an_interpreter_that_the_services_cannot_see_is_refused_with_its_place(installed: Installed) -> None:
    installed.sh("mkdir -p /home/1/bin /srv/link; ln -sf /usr/bin/python3 /home/1/bin/python3")
    ran = installed.run(f"{CHECKOUT}/tools/system/install.py", "--python", "/home/1/bin/python3", check=False)
    assert ran.returncode == 69
    assert "/home/1/bin/python3 lies in /home, which the services do not see" in ran.stderr
    assert "apt install python3 python3-venv" in ran.stderr
    # On PATH it is passed over for the next one.
    told = installed.run(
        f"{CHECKOUT}/tools/system/install.py", environment={"PATH": "/home/1/bin:/usr/bin:/bin"}, seconds=300
    )
    assert "building" not in told.stdout


@pytest.mark.usefixtures("configuration")
def test_a_resolver_elsewhere_is_refused_with_the_remedy_unless_one_knows_better(installed: Installed) -> None:
    installed.write("/etc/resolv.conf", "nameserver 169.254.169.254\n")
    ran = installed.run(APPLY, "--units", check=False)
    assert ran.returncode == 69
    assert "169.254.169.254" in ran.stderr
    assert "apt install systemd-resolved" in ran.stderr
    assert "Atlas is well" in installed.run(APPLY, "--units", "--no-resolver-check").stdout


@pytest.mark.usefixtures("configuration")
def test_another_port_is_told_by_config_check_and_doctor_and_mended_by_the_command_they_name(
    installed: Installed,
) -> None:
    installed.write("/etc/atlas/config.toml", "[api]\nport = 7555\n")
    ran = installed.run("atlas", "config", "check")
    assert "atlas-api.socket listens on 127.0.0.1:7444, and the configuration says 127.0.0.1:7555" in ran.stderr
    command = f"{APPLY} --units"
    assert f"sudo {command}" in ran.stderr
    assert f"sudo {command}" in installed.run("atlas", "doctor", check=False).stdout
    assert "it listens on 127.0.0.1:7555" in installed.sh(command)
    assert "listens on" not in installed.run("atlas", "config", "check").stderr
    installed.write("/etc/atlas/config.toml", "[api]\nport = 7444\n")
    installed.sh(command)
    assert installed.is_well()


@pytest.mark.usefixtures("configuration")
def test_a_configuration_with_faults_is_refused_before_anything_is_touched(installed: Installed) -> None:
    before = running(installed)
    installed.write("/etc/atlas/config.toml", "[api]\nport = 0\nprot = 1\n")
    ran = installed.run(APPLY, "--units", check=False)
    assert ran.returncode == 78
    assert "[api] prot is no setting of Atlas (did you mean port?)" in ran.stderr
    assert running(installed) == before


def test_uninstalled_nothing_but_data_and_configuration_is_left_and_installed_again_it_is_all_there(
    installed: Installed,
) -> None:
    uid = installed.save("http://127.0.0.1:1/kept")
    installed.sh("mkdir -p /srv/kept; cp -a /opt/atlas/releases /srv/kept/")  # so that it need not be built again
    told = installed.just("uninstall")
    assert "Kept, with the user atlas: /var/lib/atlas, /var/backups/atlas, /etc/atlas" in told
    left = installed.sh(
        "find /etc /opt /usr/local -name '*atlas*' -not -path '/etc/atlas*' -not -path '/etc/*-' | sort"
    )
    assert left.splitlines() == []
    assert installed.systemctl("list-units", "--all", "--no-legend", "atlas-*") == ""
    assert "atlas" not in installed.sh("ss -Htln | grep 7444 || true")
    assert installed.run("atlas", "status", check=False).returncode == 127
    installed.sh("mkdir /opt/atlas; mv /srv/kept/releases /opt/atlas/")
    assert "building" not in installed.just("install-system")
    assert installed.ask("GET", f"/api/v1/items/{uid}").status == 200
    assert installed.ask("DELETE", f"/api/v1/items/{uid}").status < 300
