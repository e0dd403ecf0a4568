"""The unit files as data: parsed, compared with the code, checked by systemd's own tools where they are."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

import pytest

from stages.net import guard
from supervisor.arguments import parser
from supervisor.commands.machine import STUB
from tests.architecture.source import ROOT
from tools.system import layout
from tools.system import machine as system
from tools.system.layout import Layout

FOLDER = ROOT / "systemd"
ROLES = ("atlas-api.service", "atlas-worker.service")
ONESHOTS = (
    "atlas-scheduler.service",
    "atlas-backup.service",
    "atlas-backup-drill.service",
    "atlas-backup-copy.service",
)
SERVICES = (*ROLES, *ONESHOTS)
WITHOUT_NETWORK = ("atlas-api.service", "atlas-scheduler.service", "atlas-backup.service", "atlas-backup-drill.service")
LAUNCHER = "/opt/atlas/current/tools/atlas"
ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is missing")
# section 5 of the reliability plan: what each may use and how long it may take to end.
LIMITS = {
    "atlas-api.service": "WatchdogSec=30 TimeoutStopSec=15 MemoryHigh=384M MemoryMax=512M TasksMax=64 LimitNOFILE=4096"
    " CPUWeight=200",
    "atlas-worker.service": "WatchdogSec=60 TimeoutStopSec=30 MemoryHigh=1G MemoryMax=1536M TasksMax=256"
    " LimitNOFILE=8192 CPUWeight=100",
    "atlas-scheduler.service": "Type=oneshot TimeoutStartSec=240 MemoryMax=256M CPUWeight=50",
    "atlas-backup.service": "Type=oneshot TimeoutStartSec=1800 MemoryMax=256M CPUWeight=50 IOWeight=20",
    "atlas-backup-drill.service": "Type=oneshot TimeoutStartSec=1800 MemoryMax=256M CPUWeight=50 IOWeight=20",
    "atlas-backup-copy.service": "Type=oneshot MemoryMax=256M CPUWeight=50 IOWeight=20",
}
EXPOSURE = dict.fromkeys(WITHOUT_NETWORK, 0.5) | {"atlas-worker.service": 1.2, "atlas-backup-copy.service": 1.2}


def unit(name: str) -> dict[str, list[str]]:
    """Every setting of a unit as section.name → its values."""
    found: dict[str, list[str]] = defaultdict(list)
    section = ""
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, equals, value = line.partition("=")
            assert equals, f"{name}: {line}"
            assert section, f"{name}: {line}"
            found[f"{section}.{key}"].append(value)
    return found


def sandbox(name: str) -> list[str]:
    """The lines of a service from the sandbox's comment to the next empty line."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    return text.partition("# The sandbox: ")[2].partition("\n\n")[0].splitlines()


def test_every_unit_that_is_enabled_or_stopped_is_there() -> None:
    there = {path.name for path in FOLDER.glob("atlas-*.*")}
    assert {*layout.ENABLED, *layout.RUNNING} <= there
    assert there - {*layout.ENABLED, *layout.RUNNING} == {"atlas-alert@.service"}
    assert all((FOLDER / name).is_file() for name in Layout().snippets)


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_runs_a_command_that_there_is(name: str) -> None:
    (line,) = unit(name)["Service.ExecStart"]
    launcher, *arguments = line.split()
    assert launcher == LAUNCHER
    parser().parse_args(arguments)


def test_the_sandbox_is_the_same_in_each_service() -> None:
    first = sandbox(SERVICES[0])
    assert len(first) == 29
    for name in SERVICES:
        assert sandbox(name) == first, name


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_runs_as_its_own_user_within_its_limits(name: str) -> None:
    service = unit(name)
    wanted = {
        "User": "atlas",
        "Group": "atlas",
        "UMask": "0077",
        "StateDirectory": "atlas",
        "StateDirectoryMode": "0700",
    }
    wanted |= {"RuntimeDirectory": "atlas", "RuntimeDirectoryPreserve": "yes", "LimitCORE": "0", "OOMPolicy": "stop"}
    # What a second try does not mend: settings, a library that cannot be read, a backup with doubts.
    wanted |= {"KillMode": "mixed", "RestartPreventExitStatus": "1 64 69 78" if "backup" in name else "78"}
    wanted |= dict(each.split("=") for each in LIMITS[name].split())
    assert {key: service[f"Service.{key}"] for key in wanted} == {key: [value] for key, value in wanted.items()}
    assert service["Unit.OnFailure"] == ["atlas-alert@%n.service"]
    told = {line.partition("=")[0]: line.partition("=")[2] for line in service["Service.Environment"]}
    assert told == {name: value for name, value in Layout().environment.items() if name.startswith("ATLAS_")}


@pytest.mark.parametrize("name", ROLES)
def test_the_roles_are_started_again_and_watched(name: str) -> None:
    service = unit(name)
    wanted = {"Type": "notify", "NotifyAccess": "main", "WatchdogSignal": "SIGABRT", "Restart": "always"}
    wanted |= {"RestartSec": "200ms", "LoadCredential": "ATLAS:/etc/atlas/credentials"}
    assert {key: service[f"Service.{key}"] for key in wanted} == {key: [value] for key, value in wanted.items()}
    assert (service["Unit.StartLimitIntervalSec"], service["Unit.StartLimitBurst"]) == (["300"], ["10"])
    assert service["Install.WantedBy"] == ["multi-user.target"]


def test_the_roles_end_within_what_systemd_grants_them() -> None:
    from supervisor.serve import STOP_SECONDS
    from supervisor.settings import WorkerSettings
    from supervisor.wiring import STOP_GRACE_SECONDS

    assert int(unit("atlas-api.service")["Service.TimeoutStopSec"][0]) > STOP_SECONDS
    worker = WorkerSettings().drain_seconds + STOP_GRACE_SECONDS
    assert worker < int(unit("atlas-worker.service")["Service.TimeoutStopSec"][0])


@pytest.mark.parametrize("name", WITHOUT_NETWORK)
def test_what_needs_no_network_has_none(name: str) -> None:
    service = unit(name)
    assert service["Service.PrivateNetwork"] == ["yes"]
    assert service["Service.RestrictAddressFamilies"] == ["AF_UNIX"]
    assert service["Service.IPAddressDeny"] == ["any"]


def test_the_kernel_denies_the_worker_every_network_that_the_guard_denies() -> None:
    worker = unit("atlas-worker.service")
    denied = {ip_network(each) for line in worker["Service.IPAddressDeny"] for each in line.split()}
    table = {network for network, _ in (*guard._DENIED_4, *guard._DENIED_6)}
    by_nat64 = {
        IPv6Network((int(guard._NAT64.network_address) | int(network.network_address), 96 + network.prefixlen))
        for network, _ in guard._DENIED_4
    }
    assert denied == table | by_nat64
    assert all(any(never.subnet_of(each) for each in table if each.version == never.version) for never in guard._NEVER)
    assert worker["Service.IPAddressAllow"] == [system.STUB_ADDRESS]
    assert IPv4Network("0.0.0.0/0") not in denied


def test_the_socket_is_the_apis_own() -> None:
    socket = unit("atlas-api.socket")
    assert socket["Socket.ListenStream"] == ["127.0.0.1:7444"]
    assert (socket["Socket.FileDescriptorName"], socket["Socket.Backlog"]) == (["http"], ["4096"])
    assert unit("atlas-api.service")["Unit.Requires"] == ["atlas-api.socket"]


@pytest.mark.parametrize("name", layout.TIMERS)
def test_a_timer_makes_up_for_what_it_missed(name: str) -> None:
    timer = unit(name)
    assert timer["Timer.Persistent"] == ["true"]
    assert len(timer["Timer.OnCalendar"]) == 1
    assert timer["Timer.AccuracySec"] == ["1s"]
    assert (FOLDER / name).with_suffix(".service").is_file()


def test_install_and_doctor_name_the_same_remedy_for_a_missing_resolver() -> None:
    assert STUB.endswith(system.STUB)


def test_the_exit_codes_of_the_scripts_are_those_of_the_commands() -> None:
    from supervisor.exits import Exit

    assert (system.UNAVAILABLE, system.TRY_LATER, system.CONFIG) == (Exit.UNAVAILABLE, Exit.TRY_LATER, Exit.CONFIG)


# By systemd's own tools


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The units, with commands that exist on this machine."""
    folder = tmp_path_factory.mktemp("units")
    for path in FOLDER.glob("atlas-*.*"):
        text = (
            path.read_text(encoding="utf-8")
            .replace(LAUNCHER, "/bin/true")
            .replace("/usr/local/lib/atlas/alert", "/bin/true")
        )
        (folder / path.name).write_text(text)
    return folder


@needs_systemd
def test_systemd_finds_nothing_wrong_with_any_unit(copied: Path) -> None:
    assert ANALYZE is not None
    ran = subprocess.run(
        [ANALYZE, "verify", "--man=no", *copied.iterdir()], capture_output=True, text=True, check=False
    )
    ours = [line for line in ran.stderr.splitlines() if "atlas" in line]
    assert (ran.returncode, ours) == (0, [])


@needs_systemd
def test_what_each_service_is_exposed_to_is_little(copied: Path) -> None:
    assert ANALYZE is not None
    for name, most in EXPOSURE.items():
        command = [ANALYZE, "security", "--offline=yes", copied / name]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        score = re.search(r"exposure level for \S+: ([\d.]+)", told)
        assert score is not None
        assert float(score[1]) <= most, f"{name}: {score[1]}"
