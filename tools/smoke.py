"""`just smoke [PYTHON…]` and `just matrix`: every module imports, and the demo shows what it should, in 30 seconds.

Without a name in .venv. With one, or with `--all`, in an environment made for that interpreter from the lock file and
removed afterwards. `--tests` also runs the default tests there.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGES: Final = ("supervisor", "gateway", "stages", "pipeline", "observability")
SECONDS: Final = 30.0
UNAVAILABLE: Final = 69
LEAST: Final = (3, 11)
_NAME: Final = re.compile(r"python3\.(\d+)")
_VERSION: Final = "import sys, fcntl, venv; print('%d.%d.%d' % sys.version_info[:3])"
_IMPORT: Final = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


class Failed(Exception):
    """One line that says what did not work."""


def version_of(python: str) -> tuple[int, ...] | None:
    """None when there is no such interpreter, it does not run, or it cannot make environments."""
    try:
        ran = subprocess.run([python, "-I", "-c", _VERSION], capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    return tuple(map(int, ran.stdout.split(".")))


def places() -> Iterator[Path]:
    """Folders in which interpreters lie: PATH, the usual ones, and the versions that pyenv keeps."""
    yield from map(Path, os.get_exec_path())
    yield from (Path("/usr/local/bin"), Path("/usr/bin"), Path("/opt/homebrew/bin"))
    pyenv = shutil.which("pyenv")
    if pyenv is not None:
        told = subprocess.run([pyenv, "root"], capture_output=True, text=True, check=False, timeout=30).stdout.strip()
        yield from sorted(Path(told).glob("versions/*/bin"))


def interpreters() -> dict[str, str]:
    """One interpreter for each minor version from 3.11 up that works here: `3.12` → its path."""
    found: dict[str, str] = {}
    for folder in places():
        for path in sorted(folder.glob("python3.*")):
            named = _NAME.fullmatch(path.name)
            if named is None or (3, int(named[1])) < LEAST or f"3.{named[1]}" in found:
                continue
            if version_of(str(path)) is not None:
                found[f"3.{named[1]}"] = str(path)
    return dict(sorted(found.items(), key=lambda item: int(item[0][2:])))


def modules() -> list[str]:
    """Every module of ours, but those that do something when they are imported."""
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    names = [path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".") for path in paths]
    return [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]


def run(python: str, *arguments: str, what: str, seconds: float) -> None:
    """Raises Failed, after what the process had to say."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ATLAS_", "PYTHON"))}
    try:
        ran = subprocess.run(
            [python, "-P", *arguments],
            cwd=ROOT,
            env=environment | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{what} did not end within {seconds:g} s") from error
    if ran.returncode != 0:
        print(ran.stdout, end="")
        raise Failed(f"{what} ended with status {ran.returncode}")


def smoke(python: str) -> float:
    """Import everything, then the demo; the seconds it took."""
    begun = time.monotonic()
    run(python, "-W", "error", "-c", _IMPORT, *modules(), what="importing every module", seconds=SECONDS)
    run(python, "-m", "supervisor", "demo", "--once", what="the demo", seconds=2 * SECONDS)
    took = time.monotonic() - begun
    if took > SECONDS:
        raise Failed(f"imports and demo took {took:.1f} s, and {SECONDS:g} are the limit")
    return took


def installed(python: str, folder: Path, lock: str) -> str:
    """The interpreter of a new environment with what the lock file names."""
    venv = folder / "venv"
    uv = shutil.which("uv", path=os.pathsep.join([*os.get_exec_path(), str(Path(sys.executable).parent)]))
    commands = [[python, "-I", "-m", "venv", str(venv)]]
    inside = str(venv / "bin" / "python")
    if uv is not None:
        commands[0].append("--without-pip")
        options = ["--quiet", "--compile-bytecode", "--require-hashes"]
        commands.append([uv, "pip", "sync", *options, "--python", inside, lock])
    else:
        quiet = ["--quiet", "--no-input", "--disable-pip-version-check"]
        commands.append([inside, "-I", "-m", "pip", "install", *quiet, "--require-hashes", "-r", lock])
    for command in commands:
        if subprocess.run(command, cwd=ROOT, check=False, timeout=600).returncode != 0:
            raise Failed(f"`{' '.join(command)}` failed")
    return inside


def prove(python: str, *, tests: bool) -> None:
    """One interpreter in an environment of its own."""
    version = ".".join(map(str, version_of(python) or ()))
    with tempfile.TemporaryDirectory(prefix="atlas-smoke-") as folder:
        begun = time.monotonic()
        inside = installed(python, Path(folder), "requirements-dev.lock" if tests else "requirements.lock")
        print(f"Python {version}: installed in {time.monotonic() - begun:.1f} s", flush=True)
        print(f"Python {version}: imports and demo work, {smoke(inside):.1f} s", flush=True)
        if tests:
            command = [inside, "-P", "-m", "pytest", "-n", "2", "--dist", "worksteal", "-q"]
            if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
                raise Failed("the default tests failed")


def chosen(pythons: list[str], *, every: bool) -> dict[str, str]:
    """What to prove, by the name that is told; raises Failed for a name that is no interpreter that we support."""
    if every:
        here = "{}.{}".format(*sys.version_info)
        found = interpreters()
        missing = [f"3.{minor}" for minor in range(11, 15) if f"3.{minor}" not in found and f"3.{minor}" != here]
        if missing:
            print(f"not found on this machine: Python {', '.join(missing)}")
        return {version: path for version, path in found.items() if version != here}
    for python in pythons:
        version = version_of(python)
        if version is None or version < LEAST:
            raise Failed(f"{python} is no Python 3.11 or newer that runs and can make environments")
    return {python: python for python in pythons}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="just smoke", description=__doc__)
    parser.add_argument("pythons", nargs="*", metavar="PYTHON")
    parser.add_argument("--all", action="store_true", help="each version of Python that is found here")
    parser.add_argument("--tests", action="store_true", help="the default tests, too")
    args = parser.parse_args(arguments)
    failed = []
    try:
        wanted = chosen(args.pythons, every=args.all)
    except Failed as error:
        print(f"smoke: {error}", file=sys.stderr)
        return UNAVAILABLE
    if args.all or not wanted:
        wanted = {"": sys.executable} | wanted
    for name, python in wanted.items():
        try:
            if name:
                prove(python, tests=args.tests)
            else:
                print(
                    f"Python {sys.version.split()[0]}, .venv: imports and demo work, {smoke(python):.1f} s", flush=True
                )
        except (Failed, subprocess.TimeoutExpired) as error:
            failed.append(python)
            print(f"smoke: {python}: {error}", file=sys.stderr, flush=True)
    print(f"{len(wanted) - len(failed)} of {len(wanted)} Pythons are fine")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
