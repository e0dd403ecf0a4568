"""A library of a few pages, and hands that make backups of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.supervisor.backups.hands import Hands
from tests.unit.supervisor.library import Library


@pytest.fixture
def kept(data_dir: Path) -> Library:
    """Pages that went all the way."""
    library = Library(data_dir)
    library.keep(3)
    return library


@pytest.fixture
def hands(kept: Library) -> Hands:
    return Hands(kept.folder)
