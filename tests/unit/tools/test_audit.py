"""`just audit`: a known fault fails, a silent database is never taken for an acquittal."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tools import audit

Report = dict[str, Any]


def package(name: str, *faults: str) -> Report:
    return {
        "name": name,
        "version": "1.0",
        "vulns": [{"id": fault, "aliases": [f"CVE-{fault}"], "fix_versions": ["1.1"]} for fault in faults],
    }


SKIPPED = {"name": "odd", "skip_reason": "Dependency not found"}


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[list[str]]]:
    """What pip-audit says to each question; the commands that ask."""

    def answers(*reports: Report | str) -> list[list[str]]:
        asked: list[list[str]] = []
        left = iter(reports)

        def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
            asked.append(command)
            told = next(left)
            out = told if isinstance(told, str) else json.dumps(told)
            return subprocess.CompletedProcess(command, 1, out, "Traceback\nConnectionError: no route\n")

        monkeypatch.setattr(subprocess, "run", run)
        return asked

    return answers


def report(*packages: Report) -> Report:
    return {"dependencies": list(packages), "fixes": []}


def test_it_asks_about_every_pinned_version_by_its_hash_and_a_clean_answer_is_0(database, capsys) -> None:
    asked = database(report(package("a")), report(package("a")), report(package("a"), package("b")))
    assert audit.main([]) == 0
    assert [command[-1].rpartition("/")[2] for command in asked[1:]] == ["requirements.lock", "requirements-dev.lock"]
    assert all("--require-hashes" in command for command in asked)
    assert capsys.readouterr().out == "2 packages asked about, 0 known faults\n"


def test_a_known_fault_is_named_once_with_the_release_that_mends_it_and_ends_with_1(database, capsys) -> None:
    faulty = report(package("a", "PYSEC-1"))
    database(report(package("a")), faulty, faulty)
    assert audit.main(["--if-reachable"]) == 1
    assert capsys.readouterr().err == "audit: a 1.0: PYSEC-1, mended in 1.1\n"


def test_a_fault_that_is_accepted_by_any_of_its_names_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "ACCEPTED", {"CVE-PYSEC-1": "not reachable from here, until 1.1 is out"})
    assert audit.found_in(report(package("a", "PYSEC-1", "PYSEC-2"))).faults == ("a 1.0: PYSEC-2, mended in 1.1",)


@pytest.mark.parametrize("silence", ["", "{}", report(SKIPPED)])
def test_a_database_that_does_not_answer_is_69_or_a_line_where_that_may_be(database, capsys, silence) -> None:
    for arguments, code in (([], 69), (["--if-reachable"], 0)):
        database(silence)
        assert audit.main(arguments) == code
        assert "the advisory database is not reachable: not audited" in capsys.readouterr().err


def test_a_package_that_the_database_does_not_know_is_no_success(database, capsys) -> None:
    known = report(package("a"))
    database(known, known, report(package("a"), SKIPPED))
    assert audit.main([]) == 69
    assert "the database knows nothing of odd" in capsys.readouterr().err


def test_the_probe_is_one_package_with_its_hashes(root) -> None:
    lines = audit.first_of(root / "requirements.lock").splitlines()
    assert "==" in lines[0]
    assert all("--hash=sha256:" in line for line in lines[1:])
    assert len(lines) > 1
