"""What every test may use: a private data folder, a free port, an environment without the developer's own settings."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from pipeline.store.disk import Space

# A busy machine is slow, which is no fault of what is tested. On CI hypothesis starts from a profile of its own.
settings.register_profile(
    "atlas", settings(), deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("atlas")

# Of itself it draws each logged exception with rich, which takes 150 ms: as long as a hundred of these tests.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests reaches them."""
    for name in list(os.environ):
        if name.startswith(("ATLAS_", "GOOGLE_SEARCH_")) or name in {"NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY"}:
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _roomy_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk that the tests run on may be nearly full; a test of that brings a disk of its own."""
    monkeypatch.setattr("pipeline.store.handle.space_of", lambda _folder: Space(total=2**40, free=2**40))


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture
def free_port() -> int:
    """A loopback port that nobody listened on a moment ago. It can be taken at once."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """An empty data folder."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    return folder
