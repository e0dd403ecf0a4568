"""The lock files say what pyproject.toml asks for, in full, and nothing of where it was found. Without a network."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.source import ROOT

FILES = ("requirements.lock", "requirements-dev.lock")
ENTRY = re.compile(r"(?P<name>[\w.-]+)==(?P<version>\S+)(?: ; (?P<marker>.+?))? \\")
AGAIN = "run `just lock`"


def wanted(file: str) -> dict[str, Requirement]:
    """What pyproject.toml asks for itself."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lines = project["project"]["dependencies"] + (
        project["dependency-groups"]["dev"] if file == "requirements-dev.lock" else []
    )
    return {canonicalize_name(each.name): each for each in map(Requirement, lines)}


def entries(file: str) -> Iterator[tuple[re.Match[str], str]]:
    """Each pinned version with the lines below it: its hashes and who asked for it. Nothing else may be in the file."""
    blocks = re.split(r"\n(?=\S)", (ROOT / file).read_text(encoding="utf-8").rstrip("\n"))
    for block in blocks:
        first, _, rest = block.partition("\n")
        pinned = ENTRY.fullmatch(first)
        assert pinned is not None, f"{file}: {first!r} is no pinned version"
        yield pinned, rest


@pytest.mark.parametrize("file", FILES)
def test_a_lock_file_names_versions_and_hashes_and_no_place(file: str) -> None:
    for pinned, rest in entries(file):
        assert "--hash=sha256:" in rest, pinned["name"]
        options = [line.split("=")[0].strip() for line in rest.splitlines() if not line.lstrip().startswith("#")]
        assert set(options) == {"--hash"}, pinned["name"]
    assert "://" not in (ROOT / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("file", FILES)
def test_a_lock_file_holds_what_pyproject_asks_for(file: str) -> None:
    asked = wanted(file)
    held = {pinned["name"] for pinned, rest in entries(file) if "(pyproject.toml" in rest}
    assert held == set(asked), AGAIN
    wrong = [
        pinned[0]
        for pinned, _ in entries(file)
        if (requirement := asked.get(pinned["name"])) and not requirement.specifier.contains(pinned["version"])
    ]
    assert wrong == [], AGAIN


def test_the_development_lock_holds_the_other_one() -> None:
    """So that a person who ran the tests has the same versions as one who did not."""
    run, dev = ({(pinned["name"], pinned["version"]) for pinned, _ in entries(file)} for file in FILES)
    assert run - dev == set(), AGAIN
