"""A library on which everything runs and nothing is wrong, and the commands that look at it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.store.status import ActorReport
from supervisor.cli import main
from tests.unit.supervisor.kept import Kept
from tests.unit.supervisor.library import Library, Told


@pytest.fixture
def resolv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The resolv.conf of a machine that resolves by itself."""
    path = tmp_path / "resolv.conf"
    path.write_text("# stub\nnameserver 127.0.0.53\noptions edns0\n")
    monkeypatch.setattr("supervisor.commands.doctor.RESOLV_CONF", path)
    return path


@pytest.fixture
def nobodys_settings(monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> None:
    monkeypatch.setenv("ATLAS_DATA_DIR", str(data_dir))
    monkeypatch.setenv("ATLAS_CONFIG", os.devnull)
    monkeypatch.setenv("ATLAS_ENV_FILE", os.devnull)


@pytest.fixture
def library(data_dir: Path, resolv: Path, nobodys_settings: None) -> Library:
    """One on which everything runs and nothing is wrong."""
    library = Library(data_dir)
    library.run(lambda store: store.status.sweep())
    library.reports("worker", ActorReport(name="acquire", state="running", slots=2))
    library.reports("api")
    return library


@pytest.fixture
def atlas(capsys: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    def run(*arguments: str) -> Told:
        code = main(list(arguments))
        said = capsys.readouterr()
        return Told(code, said.out, said.err)

    return run


@pytest.fixture
def doctor(atlas: Callable[..., Told]) -> Callable[..., Told]:
    return lambda *arguments: atlas("doctor", "--json", *arguments)


@pytest.fixture
def kept(library: Library, atlas: Callable[..., Any]) -> Kept:
    return Kept(library, atlas)
