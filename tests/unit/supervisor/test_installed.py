"""The installed socket against the configuration: told when they differ, silent when that is nobody's business."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.commands.installed import CONFIG, mismatch
from supervisor.config import Loaded, load

SYSTEM = {"ATLAS_CONFIG": str(CONFIG)}


def loaded(tmp_path: Path, **settings: str) -> Loaded:
    return load(environment={f"ATLAS_API_{name}": value for name, value in settings.items()}, root=tmp_path)


@pytest.fixture
def units(tmp_path: Path) -> Path:
    folder = tmp_path / "units"
    folder.mkdir()
    return folder


def unit(folder: Path, *streams: str, name: str = "atlas-api.socket") -> None:
    place = folder / name
    place.parent.mkdir(exist_ok=True)
    place.write_text("[Socket]\n" + "".join(f"ListenStream={stream}\n" for stream in streams) + "Backlog=4096\n")


@pytest.mark.parametrize(
    ("stream", "host"),
    [
        ("127.0.0.1:7444", "127.0.0.1"),
        ("[::1]:7444", "::1"),
        ("0.0.0.0:7444", "0.0.0.0"),
        ("127.0.0.1:7444", "localhost"),
    ],
)
def test_a_socket_where_the_configuration_says_is_no_news(tmp_path, units, stream, host) -> None:
    unit(units, stream)
    assert mismatch(loaded(tmp_path, HOST=host), None, SYSTEM, units=units) is None


@pytest.mark.parametrize("stream", ["127.0.0.1:7445", "0.0.0.0:7444", "[::1]:7444", "7444", "/run/atlas/http"])
def test_a_socket_elsewhere_is_told_with_both_addresses(tmp_path, units, stream) -> None:
    unit(units, stream)
    told = mismatch(loaded(tmp_path), None, SYSTEM, units=units)
    assert told == f"atlas-api.socket listens on {stream}, and the configuration says 127.0.0.1:7444"


def test_what_an_administrator_added_to_the_unit_counts(tmp_path, units) -> None:
    unit(units, "127.0.0.1:7444")
    unit(units, "", "127.0.0.1:8000", name="atlas-api.socket.d/override.conf")
    assert "listens on 127.0.0.1:8000, and" in (mismatch(loaded(tmp_path), None, SYSTEM, units=units) or "")
    assert mismatch(loaded(tmp_path, PORT="8000"), None, SYSTEM, units=units) is None


def test_without_the_unit_or_with_another_configuration_there_is_nothing_to_compare(tmp_path, units) -> None:
    other = loaded(tmp_path, PORT="8000")
    assert mismatch(other, None, SYSTEM, units=units) is None
    unit(units, "127.0.0.1:7444")
    assert mismatch(other, None, {}, units=units) is None
    assert mismatch(other, tmp_path / "config.toml", SYSTEM, units=units) is None
    assert mismatch(other, CONFIG, {}, units=units) is not None
