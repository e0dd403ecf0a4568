"""The booted machine that the systemd tests share, and its journal beside the failure of one of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.systemd.installed import Installed, missing
from tests.systemd.prepared import prepare

JOURNAL_LINES = 120


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """A booted systemd with Atlas installed on it by `just install-system`, with the default configuration."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with closing(Installed(tmp_path_factory.mktemp("booted"))) as machine:
        machine.boot()
        prepare(machine)
        machine.install()
        yield machine


LIVELY = """\
[net]
allow_networks = ["127.0.0.0/8", "10.77.0.0/24"]
connect_seconds = 1.0
per_host = 32
per_host_per_second = 1000.0

[retry]
attempts = 50
base_seconds = 2.0
cap_seconds = 2.0

[fallback]
direct_attempts = 50

[breaker]
failures = 100

[api]
requests_per_minute = 1000000
"""


@pytest.fixture(scope="session")
def lively(installed: Installed) -> Installed:
    """The same machine, with settings that let it fetch from sites inside, and soon again what failed."""
    installed.write("/etc/atlas/config.toml", LIVELY)
    installed.run("/opt/atlas/current/tools/system/install.py", "--units")
    return installed


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    given = getattr(item, "funcargs", {})
    machine = given.get("lively") or given.get("installed")
    if isinstance(machine, Installed) and report.failed:  # type: ignore[attr-defined]
        lines = machine.journal("-n", str(JOURNAL_LINES)) if machine.is_running else machine.console()
        report.sections.append(("the machine's journal", lines))  # type: ignore[attr-defined]
    return report
