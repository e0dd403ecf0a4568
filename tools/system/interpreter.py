"""The Python that releases are built with: one that every user can reach, for the services have a user of their own."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from tools.system.machine import SYSTEM_PATH, Refused, run

# As in tools/atlas.
NAMES = ("python3.13", "python3.12", "python3.11", "python3.14", "python3")
HOMES = ("/home", "/root", "/run/user")
_ASK = """
import json, os, sys
try:
    import ensurepip, venv
except ImportError:
    ensurepip = None
print(json.dumps({"version": sys.version_info[:3], "executable": sys.executable, "library": os.__file__,
                  "base": sys.base_prefix, "venv": ensurepip is not None}))
"""


def choose(wanted: str | None, path: str) -> Path:
    """The interpreter `wanted`, or the first good one on `path` and the system's. Refused with every reason."""
    reasons: list[str] = []
    for candidate in [Path(wanted)] if wanted else _candidates(path):
        reason = why_not(candidate)
        if reason is None:
            return candidate
        reasons.append(f"  {candidate}: {reason}")
    looked = "\n".join(reasons) or "  (none was found)"
    raise Refused(
        f"no Python 3.11 or newer that the services could use; looked at:\n{looked}\n"
        "  Debian's own serves: apt install python3 python3-venv; another: install.py --python /path/to/python3"
    )


def _candidates(path: str) -> Iterator[Path]:
    seen = set()
    folders = dict.fromkeys([*path.split(os.pathsep), *SYSTEM_PATH.split(":")])
    for name in NAMES:
        for folder in folders:
            found = Path(folder, name)
            if folder and found not in seen and found.is_file():
                seen.add(found)
                yield found


def why_not(interpreter: Path) -> str | None:
    """Why releases cannot be built with this interpreter; None when they can."""
    if not interpreter.is_absolute():
        return "give its full path"
    if (reason := _hidden(interpreter)) is not None:
        return reason
    try:
        answer = run(interpreter, "-I", "-c", _ASK, seconds=20)
        told = json.loads(answer.stdout)
    except (Refused, OSError, ValueError):
        return "it does not run"
    # A small program may lead to an interpreter elsewhere.
    for place in (told["executable"], told["library"], told["base"]):
        if (reason := _hidden(Path(place))) is not None:
            return reason
    if tuple(told["version"]) < (3, 11):
        return f"it is Python {'.'.join(map(str, told['version']))}"
    return None if told["venv"] else "it has no venv module (Debian: apt install python3-venv)"


def _hidden(path: Path) -> str | None:
    """Why a service that runs as its own user, without home folders, could not use this file or folder."""
    for each in (path, path.resolve()):
        for home in HOMES:
            if each.is_relative_to(home):
                return f"{each} lies in {home}, which the services do not see"
    for part in (path.resolve(), *path.resolve().parents):
        try:
            mode = part.stat().st_mode
        except OSError as error:
            return f"{part}: {error.strerror}"
        needed = stat.S_IXOTH | (0 if stat.S_ISDIR(mode) and part != path.resolve() else stat.S_IROTH)
        if not stat.S_ISDIR(mode) and part.suffix == ".py":
            needed = stat.S_IROTH
        if mode & needed != needed:
            return f"{part} cannot be read by other users"
    return None
