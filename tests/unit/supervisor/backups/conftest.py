"""A library of a few pages, and hands that make backups of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.unit.supervisor.backups.hands import Hands
from tests.unit.supervisor.library import Library


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = Library(tmp_path_factory.mktemp("original"))
    library.keep(3)
    return library.folder


@pytest.fixture
def kept(original: Path, data_dir: Path) -> Library:
    """Pages that went all the way."""
    shutil.copytree(original, data_dir, dirs_exist_ok=True)
    return Library(data_dir)


@pytest.fixture
def hands(kept: Library) -> Hands:
    return Hands(kept.folder)
