"""tools/atlas: one command on a machine with Python and nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import Any

import pytest

# All that the launcher may need of the system, beside Python.
TOOLS = ("sh", "dirname", "readlink", "cksum", "cat", "rm", "mv", "id", "ls", "awk", "chown")
PROBE = """
import importlib.metadata, json, os, sys
print(json.dumps({
    "arguments": sys.argv[1:], "cwd": os.getcwd(), "path": sys.path, "prefix": sys.prefix, "safe": sys.flags.safe_path,
    "installed": {i.name: i.version for i in importlib.metadata.distributions() if i.name.startswith("tiny")},
}))
"""


class Machine:
    """A bare machine: a folder of programs for PATH, and a checkout whose `supervisor` tells how it was started."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.checkout = folder / "the checkout"  # with a blank: people have such folders
        self.bin.mkdir()
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found is not None
            (self.bin / tool).symlink_to(found)
        (self.checkout / "tools").mkdir(parents=True)
        shutil.copy(root / "tools" / "atlas", self.checkout / "tools" / "atlas")
        (self.checkout / "supervisor").mkdir()
        (self.checkout / "supervisor" / "__main__.py").write_text(PROBE)
        self.lock("requirements.lock", tiny="1.0")
        self.lock("requirements-dev.lock", tiny="1.0", tinydev="1.0")

    def program(self, name: str, *lines: str) -> None:
        script = self.bin / name
        script.write_text("\n".join(["#!/bin/sh", *lines, ""]))
        script.chmod(0o755)

    def python(self, name: str = "python3") -> None:
        """The interpreter that runs the tests, under another name, outside of its venv."""
        self.program(name, f'exec "{os.path.realpath(sys.executable)}" "$@"')

    def uv(self) -> None:
        real = Path(sysconfig.get_path("scripts")) / "uv"
        self.program("uv", f'exec "{real}" --offline --no-cache "$@"')

    def lock(self, name: str, **packages: str) -> None:
        """A lock file of little wheels that lie on the disk, with their hashes."""
        lines = []
        for package, version in packages.items():
            wheel = self.wheel(package, version)
            digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
            lines.append(f"{package} @ {wheel.as_uri()} --hash=sha256:{digest}\n")
        (self.checkout / name).write_text("".join(lines))

    def wheel(self, package: str, version: str) -> Path:
        path = self.folder / f"{package}-{version}-py3-none-any.whl"
        info = f"{package}-{version}.dist-info"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in {
                f"{package}.py": "",
                f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n",
                f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: atlas\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
                f"{info}/RECORD": "",
            }.items():
                archive.writestr(zipfile.ZipInfo(name), content)
        return path

    def start(self, *arguments: str, cwd: Path | None = None, by: Path | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(by or self.checkout / "tools" / "atlas"), *arguments],
            cwd=cwd or self.folder,
            env={"PATH": str(self.bin), "HOME": str(self.folder), "PYTHONPATH": "/nowhere", "PYTHONHOME": ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, cwd: Path | None = None, by: Path | None = None) -> tuple[int, str, str]:
        with self.start(*arguments, cwd=cwd, by=by) as process:
            out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def tell(self, *arguments: str, cwd: Path | None = None, by: Path | None = None) -> Any:
        code, out, err = self.run(*arguments, cwd=cwd, by=by)
        assert code == 0, err
        return json.loads(out)


@pytest.fixture
def machine(tmp_path: Path, root: Path) -> Machine:
    return Machine(tmp_path, root)


@pytest.fixture
def with_uv(machine: Machine) -> Machine:
    machine.python()
    machine.uv()
    return machine


@pytest.mark.slow
def test_with_nothing_but_python_it_makes_the_environment_by_the_venvs_own_pip_and_starts(machine: Machine) -> None:
    machine.python()
    told = machine.tell("status", "--json", "a b", "*")
    assert told["arguments"] == ["status", "--json", "a b", "*"]
    assert told["prefix"] == str(machine.checkout / ".venv")
    assert told["installed"] == {"tiny": "1.0"}
    assert told["path"][0] == str(machine.checkout)
    assert told["safe"] is True


def test_it_works_from_any_folder_and_through_symlinks_and_leaves_the_folder_alone(with_uv: Machine) -> None:
    elsewhere = with_uv.folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "supervisor").mkdir()  # what lies in the working directory is not imported
    (elsewhere / "supervisor" / "__main__.py").write_text("raise SystemExit(99)\n")
    (with_uv.bin / "atlas").symlink_to(elsewhere / "second")
    (elsewhere / "second").symlink_to(Path("..") / "the checkout" / "tools" / "atlas")
    told = with_uv.tell("x", cwd=elsewhere, by=with_uv.bin / "atlas")
    assert told["cwd"] == str(elsewhere)
    assert told["path"][0] == str(with_uv.checkout)


def test_the_environment_is_made_once_and_renewed_when_the_lock_changes(with_uv: Machine) -> None:
    assert "preparing" in with_uv.run("x")[2]
    assert with_uv.run("x")[2] == ""
    with_uv.lock("requirements.lock", tiny="2.0")
    code, out, err = with_uv.run("x")
    assert (code, "preparing" in err) == (0, True)
    assert json.loads(out)["installed"] == {"tiny": "2.0"}


def test_the_tests_get_the_development_tools_and_later_commands_keep_them(with_uv: Machine) -> None:
    assert with_uv.tell("x")["installed"] == {"tiny": "1.0"}
    assert with_uv.tell("test")["installed"] == {"tiny": "1.0", "tinydev": "1.0"}
    assert with_uv.run("x")[2] == ""
    with_uv.lock("requirements-dev.lock", tiny="1.0", tinydev="2.0")
    assert with_uv.tell("x")["installed"] == {"tiny": "1.0", "tinydev": "2.0"}


def test_an_interrupted_or_failed_installation_is_finished_by_the_next_start(with_uv: Machine) -> None:
    good = (with_uv.checkout / "requirements.lock").read_text()
    (with_uv.checkout / "requirements.lock").write_text(good.replace("sha256:", "sha256:0")[:-2] + "\n")
    code, out, err = with_uv.run("x")
    assert (code, out) == (69, "")
    assert "the packages could not be installed" in err.splitlines()[-1]
    (with_uv.checkout / "requirements.lock").write_text(good)
    (with_uv.checkout / ".venv" / "bin" / "python").unlink()  # half an environment
    assert with_uv.tell("x")["installed"] == {"tiny": "1.0"}


def test_starts_at_the_same_time_prepare_the_environment_once(with_uv: Machine) -> None:
    processes = [with_uv.start("x") for _ in range(4)]
    ended = [(*process.communicate(timeout=60), process.returncode) for process in processes]
    assert [code for _, _, code in ended] == [0] * 4
    assert sum("the first time takes" in err for _, err, _ in ended) == 1


def test_an_interpreter_that_is_too_old_or_does_not_run_is_passed_over(with_uv: Machine) -> None:
    with_uv.program("python3.13", "exit 127")
    with_uv.program("python3.12", 'test "$1" != -I')
    with_uv.program("python3", 'test "$1" != -I')
    with_uv.python("python")
    assert with_uv.tell("x")["installed"] == {"tiny": "1.0"}


def test_a_named_interpreter_is_taken_and_not_told_to_the_command(with_uv: Machine) -> None:
    """As system releases do it: their services cannot see every Python that is on PATH."""
    with_uv.program("python3.13", "echo must not be asked >&2; exit 1")
    named = with_uv.bin / "python3"
    for interpreter, code in ((named, 0), (with_uv.bin / "none", 69)):
        environment = {"PATH": str(with_uv.bin), "HOME": str(with_uv.folder), "ATLAS_PYTHON": str(interpreter)}
        command = [with_uv.checkout / "tools" / "atlas", "x"]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == code
        assert "must not be asked" not in ran.stderr
        shutil.rmtree(with_uv.checkout / ".venv", ignore_errors=True)
    assert f"ATLAS_PYTHON={with_uv.bin / 'none'} is no Python 3.11 or newer" in ran.stderr


def test_without_a_python_it_says_so_in_one_line(machine: Machine) -> None:
    code, out, err = machine.run("x")
    assert (code, out) == (69, "")
    assert err.startswith("atlas: no Python 3.11 or newer on PATH")
    assert len(err.splitlines()) == 1


def test_without_the_venv_module_it_says_what_to_install_in_one_line(machine: Machine) -> None:
    real = os.path.realpath(sys.executable)
    machine.program("python3", 'case "$*" in *"-m venv"*) exit 1 ;; esac', f'exec "{real}" "$@"')
    code, _, err = machine.run("x")
    assert code == 69
    assert "python3-venv" in err.splitlines()[-1]


def test_without_its_lock_file_it_says_that_the_checkout_is_not_complete(with_uv: Machine) -> None:
    (with_uv.checkout / "requirements.lock").unlink()
    code, _, err = with_uv.run("x")
    assert (code, len(err.splitlines())) == (69, 1)
    assert "the checkout is not complete" in err


def test_a_checkout_that_may_not_be_written_runs_as_long_as_its_environment_is_current(with_uv: Machine) -> None:
    with_uv.tell("x")
    with_uv.checkout.chmod(0o555)
    try:
        assert with_uv.tell("x")["installed"] == {"tiny": "1.0"}
    finally:
        with_uv.checkout.chmod(0o755)
