"""Every setting stands where a person looks for it, and what the guides name exists."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from observability import redact
from supervisor.config import load
from supervisor.sources import ALIASES, CONFIG_FILE, ENV_FILE, FIELDS, VARIABLES
from tests.docs.documents import GUIDES, ROOT, Block, guide

TOML = [block for name in GUIDES for block in guide(name).blocks if block.language == "toml"]
EXAMPLE = (ROOT / ".env.example").read_text("utf-8")


@pytest.mark.parametrize("block", TOML, ids=str)
def test_settings_in_a_guide_are_taken_as_they_stand(block: Block, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(block.content, encoding="utf-8")
    found = load(root=tmp_path, cwd=tmp_path, environment={})
    written = {(section, key) for section, table in tomllib.loads(block.content).items() for key in table}
    assert {(each.section, each.key) for each in found.settings if each.origin != "default"} == written


def test_every_secret_and_every_short_name_is_in_the_example_of_variables() -> None:
    secrets = {f"ATLAS_{section}_{key}".upper() for section, key in FIELDS if redact.is_secret(key)}
    names = secrets | set(ALIASES) | {CONFIG_FILE, ENV_FILE}
    assert {name for name in names if not re.search(rf"\b{name}\b", EXAMPLE)} == set()


def test_the_guides_name_no_setting_that_there_is_not() -> None:
    """`[section] key`, keys that follow it with a comma between, and variables."""
    texts = {name: (ROOT / name).read_text("utf-8") for name in (*GUIDES, "docs/RUNBOOKS.md", "docs/OBSERVABILITY.md")}
    wrong = []
    for name, text in texts.items():
        for section, keys in re.findall(r"`\[([a-z]+)\] ([a-z_]+(?:`, `[a-z_]+)*)(?= = |`)", text):
            wrong += [f"{name}: [{section}] {key}" for key in keys.split("`, `") if (section, key) not in FIELDS]
        known = set(VARIABLES) | {CONFIG_FILE, ENV_FILE}
        wrong += [f"{name}: {word}" for word in re.findall(r"\bATLAS_[A-Z_]+[A-Z]\b", text) if word not in known]
    assert wrong == []
