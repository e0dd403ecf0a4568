"""`just secrets`: no secret lies in the files that git keeps. Finds the forms of known keys, and what looks random.

What is none is listed in .secrets.baseline, by its hash; `--renew` writes that file anew, for a person to read the
difference before it is committed. Nothing is sent anywhere.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec
from detect_secrets import SecretsCollection
from detect_secrets.settings import default_settings, get_settings

ROOT: Final = Path(__file__).resolve().parent.parent
BASELINE: Final = ROOT / ".secrets.baseline"
UNAVAILABLE: Final = 69


class Seen(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Something that looks like a secret. It is the same one wherever in its file it stands."""

    file: str
    kind: str
    hash: str


def files() -> list[str]:
    """What git keeps, without what has been removed from the disk."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    names = [name for name in listed.decode().split("\0") if name and name != BASELINE.name]
    return [name for name in names if (ROOT / name).is_file()]


def seen_in(names: Iterable[str]) -> dict[Seen, int]:
    """What is found in the files, with the line where it was found first."""
    found: dict[Seen, int] = {}
    with default_settings():
        get_settings().disable_filters("detect_secrets.filters.common.is_ignored_due_to_verification_policies")
        secrets = SecretsCollection(root=str(ROOT))
        for name in names:
            secrets.scan_file(name)
        for name, secret in secrets:
            found.setdefault(Seen(file=name, kind=secret.type, hash=secret.secret_hash), secret.line_number)
    return found


def known() -> set[Seen]:
    listed: dict[str, list[dict[str, Any]]] = msgspec.json.decode(BASELINE.read_bytes())
    return {Seen(file=name, **each) for name, all_of_it in listed.items() for each in all_of_it}


def renew(found: Iterable[Seen]) -> None:
    listed: dict[str, list[dict[str, str]]] = {}
    for each in sorted(found):
        listed.setdefault(each.file, []).append({"kind": each.kind, "hash": each.hash})
    BASELINE.write_bytes(msgspec.json.format(msgspec.json.encode(listed), indent=1) + b"\n")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="just secrets", description=__doc__)
    parser.add_argument("--renew", action="store_true", help="what is found now is no secret")
    wants_renewal = parser.parse_args(arguments).renew
    try:
        names = files()
    except (OSError, subprocess.CalledProcessError):
        print("secrets: git cannot list the files; this needs git and a checkout", file=sys.stderr)
        return UNAVAILABLE
    found = seen_in(names)
    if wants_renewal:
        renew(found)
        return 0
    fresh = sorted(set(found) - known())
    for each in fresh:
        print(f"{each.file}:{found[each]}: {each.kind}", file=sys.stderr)
    if fresh:
        print("secrets: make them invalid and take them out; what is none: `just secrets --renew`", file=sys.stderr)
    return int(bool(fresh))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
