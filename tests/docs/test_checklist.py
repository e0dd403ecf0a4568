"""RELIABILITY_CHECKLIST.md: each promise has a proof that exists, each fault a row, each figure a day."""

from __future__ import annotations

import ast
import datetime
import re
from functools import cache
from pathlib import Path

import pytest

from supervisor.arguments import GROUPS
from tests.docs.documents import ROOT, guide, named_in, rows

CHECKLIST = guide("RELIABILITY_CHECKLIST.md")
FAULTS = rows(CHECKLIST, under="Faults, F1 to F34")
ATTACKS = rows(CHECKLIST, under="Security, S1 to S26")
ASKED_FOR = rows(CHECKLIST, under="What was asked for")
PLAN = rows(CHECKLIST, under="The commands of the original plan")
PROOFS = [(row[0], row[2], row[3], row[4]) for row in FAULTS + ATTACKS] + [
    (row[0], row[1], row[2], row[3]) for row in ASKED_FOR
]
NOT_YET = "not there yet"
NOT_MEASURED = "not measured yet"


@cache
def names_in(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )


@cache
def recipes() -> frozenset[str]:
    text = (ROOT / "Justfile").read_text(encoding="utf-8")
    return frozenset(re.findall(r"^@?([a-z][a-z0-9-]*)(?: [^:=\n]*)?:(?!=)", text, re.MULTILINE))


def missing(named: str) -> str:
    """What is wrong with something that is named as a proof; "" when it is there."""
    path, _, test = named.partition("::")
    if path.startswith(("tests/", ".ci/", "tools/", "./tools/", "systemd/", "docs/", "observability/")):
        file = ROOT / path.split()[0].removeprefix("./")
        if not file.is_file():
            return f"{path} is no file"
        if file.name.startswith("test_") and not names_in(file):
            return f"{path} holds no test"
        if test and test not in names_in(file):
            return f"{path} has no {test}"
        if file.name == "atlas":
            command = path.split()[1]
            return "" if any(command in group for group in GROUPS.values()) else f"atlas has no {command}"
    if named.startswith("just "):
        recipe = named.split()[1]
        return "" if recipe in recipes() else f"the Justfile has no {recipe}"
    return ""


@pytest.mark.parametrize("row", PROOFS, ids=lambda row: row[0][:60])
def test_every_promise_names_a_proof_that_exists_or_says_that_there_is_none_yet(row: tuple[str, str, str, str]) -> None:
    _, proof, figure, date = row
    found = named_in(proof)
    assert [what for named in found if (what := missing(named))] == []
    assert found or NOT_YET in proof
    is_proof = [each for each in found if each.startswith(("tests/", "just ", ".ci/", "./tools/atlas "))]
    assert is_proof or NOT_YET in proof
    if date:
        datetime.date.fromisoformat(date)
        assert figure
    else:
        assert NOT_MEASURED in figure.lower() or NOT_YET in proof


@pytest.mark.parametrize("row", PLAN, ids=lambda row: row[0])
def test_every_command_of_the_plan_has_its_equal_here_which_a_test_runs(row: list[str]) -> None:
    _, theirs, ours, run_by = row
    assert theirs
    assert ours
    assert named_in(run_by) or run_by == NOT_YET
    assert [what for named in named_in(run_by) + named_in(ours) if (what := missing(named))] == []


def test_every_fault_and_every_attack_has_one_row_in_order() -> None:
    assert [row[0] for row in FAULTS] == [f"F{number}" for number in range(1, 35)]
    assert [row[0] for row in ATTACKS] == [f"S{number}" for number in range(1, 27)]


@pytest.mark.parametrize(
    "named",
    [
        "tests/test_nowhere.py",
        "tests/test_load.py::test_that_is_not_there",
        "tests/conftest.py::test_x",
        "just fly",
        "./tools/atlas fly",
    ],
)
def test_a_proof_that_does_not_exist_is_found(named: str) -> None:
    assert missing(named)


def test_every_recipe_that_a_page_names_exists() -> None:
    pages = ("README.md", "QUICKSTART.md", "OPERATIONS.md", "SECURITY.md", "CONTRIBUTING.md", "DESIGN.md")
    named = {
        (page, recipe)
        for page in (*pages, "docs/RUNBOOKS.md", "docs/OBSERVABILITY.md", "RELIABILITY_CHECKLIST.md")
        for recipe in re.findall(r"(?:`|bin/|sudo )just ([a-z][a-z-]*)", (ROOT / page).read_text("utf-8"))
    }
    assert {(page, recipe) for page, recipe in named if recipe not in recipes()} == set()
