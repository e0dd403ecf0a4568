"""`just smoke` and `just matrix`: which Pythons they take, and what they make of one that does not work."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tools import smoke


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of interpreters that is all there is."""
    monkeypatch.setattr(smoke, "places", lambda: iter([tmp_path / "a", tmp_path / "b"]))
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    return tmp_path


def python(path: Path, *lines: str) -> str:
    path.write_text("\n".join(["#!/bin/sh", *(lines or (f'exec "{os.path.realpath(sys.executable)}" "$@"',)), ""]))
    path.chmod(0o755)
    return str(path)


def test_of_each_version_the_first_that_works_is_taken(machine: Path) -> None:
    python(machine / "a" / "python3.12", "exit 127")  # as a shim of pyenv's does
    python(machine / "a" / "python3.9")
    python(machine / "a" / "python3.12-config")
    wanted = {"3.12": python(machine / "b" / "python3.12"), "3.14": python(machine / "b" / "python3.14")}
    assert smoke.interpreters() == wanted


def test_what_is_no_python_that_we_support_is_refused_by_name(machine: Path, capsys) -> None:
    old = python(machine / "old", "echo 3.10.1")
    for name in (str(machine / "none"), "/bin/false", old):
        assert smoke.main([name]) == 69
        assert (
            capsys.readouterr().err == f"smoke: {name} is no Python 3.11 or newer that runs and can make environments\n"
        )


def test_all_says_which_versions_were_not_found(machine: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoke, "smoke", lambda _python: 1.0)
    assert smoke.main(["--all"]) == 0
    told = capsys.readouterr().out
    others = [f"3.{minor}" for minor in range(11, 15) if minor != sys.version_info.minor]
    assert f"not found on this machine: Python {', '.join(others)}" in told
    assert told.endswith("1 of 1 Pythons are fine\n")


def test_one_that_fails_is_named_and_the_others_are_tried_all_the_same(
    machine: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [python(machine / "a" / f"python3.{minor}") for minor in (11, 12, 13, 14)]

    def prove(path: str, *, tests: bool) -> None:
        if path == paths[-1]:
            raise smoke.Failed("the demo ended with status 1")

    monkeypatch.setattr(smoke, "smoke", lambda _python: 1.0)
    monkeypatch.setattr(smoke, "prove", prove)
    assert smoke.main(["--all"]) == 1
    told = capsys.readouterr()
    assert f"smoke: {paths[-1]}: the demo ended with status 1\n" in told.err
    assert told.out.endswith("3 of 4 Pythons are fine\n")


def test_imports_and_demo_together_have_thirty_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 30.5])
    monkeypatch.setattr(smoke, "run", lambda *_, **__: None)
    monkeypatch.setattr("time.monotonic", lambda: next(times))
    with pytest.raises(smoke.Failed, match=r"took 30\.5 s, and 30 are the limit"):
        smoke.smoke("python")


def test_every_module_is_imported_but_those_that_do_something_then() -> None:
    names = smoke.modules()
    assert {"supervisor", "supervisor.wiring", "stages.parse.jobs"} <= set(names)
    assert not [name for name in names if name.endswith(("__main__", "__init__"))]
