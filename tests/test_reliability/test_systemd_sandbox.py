"""What the services may do under systemd: measured by systemd, tried with real pages; and who is told of a failure."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.systemd.installed import ROLES, Installed
from tests.test_reliability.sizes import figure
from tests.test_reliability.test_systemd_services import far_site

pytestmark = pytest.mark.systemd

API, WORKER = ROLES
EXPOSURE = {
    API: 0.5,
    WORKER: 1.2,
    "atlas-scheduler.service": 0.5,
    "atlas-backup.service": 0.5,
    "atlas-backup-drill.service": 0.5,
}
PYTHON = "/opt/atlas/current/.venv/bin/python"
SECRET = "brave-key-4f1c09e7"


def test_the_running_systemd_finds_little_that_the_services_are_exposed_to(installed: Installed) -> None:
    scores = {}
    for unit in EXPOSURE:
        told = installed.run("systemd-analyze", "security", "--no-pager", unit).stdout
        found = re.search(r"exposure level for \S+: ([\d.]+)", told)
        assert found is not None, told
        scores[unit] = float(found[1])
    figure("systemd exposure", ", ".join(f"{unit.removesuffix('.service')} {score}" for unit, score in scores.items()))
    assert [unit for unit, score in scores.items() if score > EXPOSURE[unit]] == []


def test_real_pages_are_taken_in_without_a_single_denied_system_call(lively: Installed) -> None:
    """A denied call is an error number that code may swallow: here it kills.

    But mbind: OpenBLAS, which comes with numpy, would like its memory on one node and does not mind when it is not.
    """
    deadly = ("[Service]", "SystemCallErrorNumber=kill", "SystemCallFilter=~mbind:EPERM")
    pages = json.loads((Path(__file__).parents[2] / "tools/sample/expectations.json").read_text())["pages"]
    paths = [page["path"] for page in pages if page["state"] == "done" and not page.keys() & {"provider", "from_feed"}]
    lively.run(
        *("systemd-run", "--quiet", "--unit=sample", "--property=WorkingDirectory=/srv/atlas"),
        *("python3", "-m", "tools.sample_site", "--port", "8282"),
    )
    with lively.altered(WORKER, *deadly), lively.altered(API, *deadly):
        lively.until_well()
        lively.until_done(*(lively.save(f"http://127.0.0.1:8282{path}") for path in paths), seconds=60)
        lively.systemctl("start", "atlas-scheduler.service")
        assert lively.ask("GET", "/metrics").status in {200, 401}
        assert lively.ask("GET", "/api/v1/search?q=harbour").status == 200
        assert [lively.show(unit, "NRestarts") for unit in ROLES] == ["0", "0"]
        children = lively.sh("pgrep --full --uid atlas stages.parse.child").split()
        assert children  # the parse processes share the sandbox
        assert all("\nSeccomp:\t2\n" in lively.sh(f"cat /proc/{child}/status") for child in children)
        told = lively.journal("-b", "-u", "atlas-*")
    assert "SIGSYS" not in told
    assert not re.search(r"PermissionError|Operation not permitted|EPERM", told)
    figure("systemd sandbox", f"{len(paths)} pages of the sample site done with denied system calls made deadly")


def test_the_api_has_a_network_of_its_own_in_which_nothing_is_reached(installed: Installed) -> None:
    installed.until_well()
    pid = installed.pid(API)
    assert installed.sh(f"readlink /proc/{pid}/ns/net") != installed.sh("readlink /proc/1/ns/net")
    inside = ("nsenter", f"--net=/proc/{pid}/ns/net")
    assert installed.run(*inside, "ip", "-o", "route", "show").stdout == ""
    assert installed.run(*inside, "ip", "-o", "link", "show").stdout.count("\n") == 1  # its own loopback interface
    connect = "import socket; socket.create_connection(('127.0.0.1', 7444), 2)"
    assert "Connection refused" in installed.run(*inside, "python3", "-c", connect, check=False).stderr


def test_the_kernel_keeps_the_worker_from_private_addresses_even_when_nobody_checks_them(lively: Installed) -> None:
    """S5: the site at 10.77.0.2 is allowed by the configuration, the same one at 10.88.0.2 is not."""
    far = far_site(lively)
    connect = "import socket; socket.create_connection(('10.88.0.2', 80), 2)"
    probe = (
        "systemd-run",
        "--quiet",
        "--wait",
        "--pipe",
        "--property=IPAddressDeny=10.0.0.0/8",
        "python3",
        "-c",
        connect,
    )
    if lively.run(*probe, check=False).returncode == 0:
        pytest.skip("IPAddressDeny is not enforced in this container (no cgroup v2, or no BPF)")
    assert lively.run("python3", "-c", connect, check=False).returncode == 0
    since = lively.sh("sleep 1; date '+%F %T'")
    with lively.faulty("dials_everything", "worker"):
        forbidden = lively.save(f"{far.replace('10.77', '10.88')}/forbidden")
        lively.until_done(lively.save(f"{far}/allowed"))
        lively.until(lambda: lively.state(forbidden) == "waiting", seconds=30, what="the forbidden page to wait")
        told = lively.journal("-u", "far-site", "--since", since)
        assert lively.ask("DELETE", f"/api/v1/items/{forbidden}").status < 300
    assert "connected to 10.77.0.2" in told
    assert told.count("connected to 10.88.0.2") == 0


def test_credentials_reach_the_roles_and_stand_neither_in_their_environment_nor_in_the_journal(
    lively: Installed,
) -> None:
    """S18: of the files under /etc/atlas/credentials."""
    lively.write("/etc/atlas/credentials/FALLBACK_BRAVE_KEY", SECRET + "\n", 0o600)
    lively.systemctl("restart", *ROLES)
    lively.until_well()
    assert "brave" not in lively.ask("GET", "/health").body["providers_off"]
    processes = lively.sh("pgrep --uid atlas").split()
    assert len(processes) >= 3
    for process in processes:
        assert SECRET not in lively.sh(
            f"tr '\\0' '\\n' </proc/{process}/environ; tr '\\0' ' ' </proc/{process}/cmdline"
        )
        limits = lively.sh(f"cat /proc/{process}/limits")
        assert re.search(r"Max core file size +0 +0 ", limits)
    assert SECRET not in lively.journal("-b")
    assert SECRET not in lively.atlas("config", "show")
    assert lively.run(
        "runuser", "-u", "nobody", "--", "cat", "/etc/atlas/credentials/FALLBACK_BRAVE_KEY", check=False
    ).returncode
    assert lively.sh("stat -c %a /var/lib/atlas /var/lib/atlas/atlas.db /etc/atlas/credentials") == "700\n600\n700"
    lively.run("rm", "/etc/atlas/credentials/FALLBACK_BRAVE_KEY")
    lively.systemctl("restart", *ROLES)
    lively.until_well()


def test_a_unit_that_fails_is_told_with_its_last_lines_and_the_operators_hook_is_run(installed: Installed) -> None:
    installed.write("/etc/atlas/alert", '#!/bin/sh\necho "the hook was told of $1"\n', 0o755)
    fails = ("[Service]", "ExecStart=", "ExecStart=/bin/sh -c 'echo the reason; exit 78'")
    with installed.altered("atlas-scheduler.service", *fails, restart=False):
        assert "failed" in installed.run("systemctl", "start", "atlas-scheduler.service", check=False).stderr
        alert = "atlas-alert@atlas-scheduler.service.service"
        told = installed.until(
            lambda: "the hook" in (found := installed.journal("-u", alert)) and found, seconds=10, what="it"
        )
        worst = installed.run("journalctl", "--output=cat", "--priority=alert", "-u", alert).stdout
    assert "atlas-scheduler.service has failed (result exit-code, exited 78)" in worst
    assert "atlas-scheduler.service: the reason" in worst
    assert "the hook was told of atlas-scheduler.service" in told
    installed.run("rm", "/etc/atlas/alert")


def test_a_role_that_fails_at_every_start_is_given_up_after_ten_and_told(lively: Installed) -> None:
    fails = ("[Service]", "ExecStart=", "ExecStart=/bin/false", "RestartSec=20ms")
    alert = f"atlas-alert@{WORKER}.service"
    with lively.altered(WORKER, *fails, restart=False):
        lively.run("systemctl", "restart", WORKER, check=False)
        lively.until(lambda: lively.show(WORKER, "ActiveState") == "failed", seconds=20, what="the end of the tries")
        lively.until(lambda: f"{WORKER} has failed" in lively.journal("-u", alert), seconds=10, what="the alert")
        assert lively.show(WORKER, "NRestarts") == "10"
    lively.systemctl("start", WORKER)
    lively.until_well()


def test_a_memory_limit_is_kept_by_the_kernel_where_it_has_one(installed: Installed) -> None:
    assert installed.show(API, "MemoryMax") == str(512 * 2**20)
    take = ("python3", "-c", "bytearray(300_000_000)")
    probe = ("systemd-run", "--quiet", "--wait", "--pipe", "--property=MemoryMax=64M", "--property=MemorySwapMax=0")
    if installed.run(*probe, *take, check=False).returncode == 0:
        pytest.skip(
            "MemoryMax is not enforced in this container: the memory controller belongs to the machine around it"
        )


def test_the_log_files_rotation_is_installed(installed: Installed) -> None:
    told = installed.run("logrotate", "--debug", "/etc/logrotate.d/atlas").stderr
    assert "/var/lib/atlas/logs/*.log" in told
    assert "error" not in told
