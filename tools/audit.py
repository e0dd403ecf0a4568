"""`just audit`: is there a known fault in any version that the lock files pin? pip-audit asks the advisory database.

Ends with 1 for a fault that nobody has accepted, and with 69 when the database cannot be asked or does not know a
package; `--if-reachable` makes that a line and a success, for machines without the Internet.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import msgspec

ROOT: Final = Path(__file__).resolve().parent.parent
# It holds all that requirements.lock holds (tests/architecture/test_locks.py), and each is a user's own to check.
FILES: Final = ("requirements.lock", "requirements-dev.lock")
# Advisory → why it does not concern Atlas, and what ends that. Nothing is accepted now.
ACCEPTED: Final[dict[str, str]] = {}
SECONDS: Final = 10  # for one answer of the database
UNAVAILABLE: Final = 69


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What the database says of the packages of one file."""

    faults: tuple[str, ...]  # a line each
    unknown: tuple[str, ...]  # packages that it has nothing about, which is no acquittal
    asked: int


class Unreachable(Exception):
    """The database gave no answer."""


def found_in(report: dict[str, Any]) -> Found:
    """What a JSON report of pip-audit says, without what is accepted."""
    faults, unknown = [], []
    for package in report["dependencies"]:
        if "skip_reason" in package:
            unknown.append(package["name"])
        for fault in package.get("vulns", ()):
            if not {fault["id"], *fault.get("aliases", ())} & ACCEPTED.keys():
                fixed = ", ".join(fault["fix_versions"]) or "no release yet"
                faults.append(f"{package['name']} {package['version']}: {fault['id']}, mended in {fixed}")
    return Found(faults=tuple(faults), unknown=tuple(unknown), asked=len(report["dependencies"]))


def ask(file: Path) -> Found:
    """Raises Unreachable when there is no report, or nothing in it."""
    options = ["--disable-pip", "--require-hashes", "--progress-spinner", "off", "--timeout", str(SECONDS)]
    command = [sys.executable, "-P", "-m", "pip_audit", *options, "--format", "json", "--requirement", str(file)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    try:
        found = found_in(msgspec.json.decode(ran.stdout))
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise Unreachable((ran.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1][:300]) from error
    if found.asked and len(found.unknown) == found.asked:
        raise Unreachable("it knows none of the packages that it was asked about")
    return found


def first_of(file: Path) -> str:
    """The first package of a lock file with its hashes: by it is seen whether the database answers at all."""
    lines = file.read_text("utf-8").splitlines()
    return "\n".join([lines[0], *itertools.takewhile(lambda line: line.startswith("    --hash"), lines[1:])])


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="just audit", description=__doc__)
    parser.add_argument(
        "--if-reachable", action="store_true", help="where the database cannot be asked, say so and pass"
    )
    may_pass = parser.parse_args(arguments).if_reachable
    try:
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as one:
            one.write(first_of(ROOT / FILES[0]) + "\n")
            one.flush()
            ask(Path(one.name))
        founds = {file: ask(ROOT / file) for file in FILES}
    except (Unreachable, subprocess.TimeoutExpired) as error:
        print(f"the advisory database is not reachable: not audited ({error})", file=sys.stderr)
        return 0 if may_pass else UNAVAILABLE
    faults = sorted({line for found in founds.values() for line in found.faults})
    unknown = sorted({name for found in founds.values() for name in found.unknown})
    for line in faults:
        print(f"audit: {line}", file=sys.stderr)
    if unknown:
        print(f"audit: the database knows nothing of {', '.join(unknown)}", file=sys.stderr)
    print(f"{max(found.asked for found in founds.values())} packages asked about, {len(faults)} known faults")
    return 1 if faults else UNAVAILABLE if unknown else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
