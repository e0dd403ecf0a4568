"""config.example.toml and .env.example tell the truth."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec

from supervisor.config import load
from supervisor.settings import Config
from supervisor.sources import FIELDS, SECTIONS, VARIABLES
from tests.architecture.source import ROOT

SETTING = re.compile(r"^#(?=\w+ = )", re.MULTILINE)


def test_the_example_lists_every_setting_once_with_its_default() -> None:
    tables = tomllib.loads(SETTING.sub("", (ROOT / "config.example.toml").read_text(encoding="utf-8")))
    assert list(tables) == list(SECTIONS)
    assert {(section, key) for section, table in tables.items() for key in table} == set(FIELDS)
    assert msgspec.convert(tables, Config) == Config()


def test_the_example_as_it_is_changes_nothing(tmp_path: Path) -> None:
    found = load(root=tmp_path, cwd=tmp_path, environment={}, file=ROOT / "config.example.toml")
    assert {setting.origin for setting in found.settings} == {"default"}


def test_the_example_of_variables_can_be_used_as_it_is(tmp_path: Path) -> None:
    text = re.sub(r"^#(?=[A-Z_]+=)", "", (ROOT / ".env.example").read_text(encoding="utf-8"), flags=re.MULTILINE)
    (tmp_path / ".env").write_text(text, encoding="utf-8")
    found = load(root=tmp_path, cwd=tmp_path, environment={})
    assert {each.name for each in found.settings if each.name} == {
        line.split("=")[0] for line in text.splitlines() if line and line[0] != "#"
    }


def test_every_section_has_a_description_that_names_it() -> None:
    assert {section: f"[{section}]" in (struct.__doc__ or "") for section, struct in SECTIONS.items()} == dict.fromkeys(
        SECTIONS, True
    )
    assert all(name.isupper() for name in VARIABLES)
