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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    machine = getattr(item, "funcargs", {}).get("installed")
    if isinstance(machine, Installed) and report.failed:  # type: ignore[attr-defined]
        lines = machine.journal("-n", str(JOURNAL_LINES)) if machine.is_running else machine.console()
        report.sections.append(("the machine's journal", lines))  # type: ignore[attr-defined]
    return report
