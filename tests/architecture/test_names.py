"""Names that mean nothing, names of others, names of machines."""

from __future__ import annotations

import re
import subprocess
from importlib.metadata import distributions

from tests.architecture.source import PACKAGES, ROOT, name, product_files

NOTHING = {"core", "common", "util", "utils", "helper", "helpers", "manager", "base", "misc", "lib"}
ATTIC = re.compile(r"^(enhanced|robust|simple|new|old)_|_(v\d+|old|new|final|copy|backup)$")
# Index hosts and home folders: a checkout works on every machine, or it names one of them.
ELSEWHERE = re.compile(r"pythonhosted|pypi\.org/simple|/home/[a-z]|/Users/[a-z]|/root/")


def tracked() -> list[str]:
    """Files in git; in a checkout without git, nothing can be told apart from what a run leaves behind."""
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, check=False)
    return [path for path in listed.stdout.decode().split("\0") if path and (ROOT / path).is_file()]


def test_modules_are_named_after_what_they_are() -> None:
    parts = {(name(path), part) for path in product_files() for part in path.relative_to(ROOT).with_suffix("").parts}
    assert [where for where, part in sorted(parts) if part in NOTHING or ATTIC.search(part)] == []


def test_no_installed_distribution_owns_one_of_our_package_names() -> None:
    """PyPI has a `supervisor`; installers overwrite silently."""
    owners = {
        (distribution.metadata["Name"], file.parts[0])
        for distribution in distributions()
        for file in distribution.files or ()
        if file.parts and file.parts[0].removesuffix(".py") in PACKAGES
    }
    assert owners == set()


def test_tracked_files_name_no_machine() -> None:
    found = []
    for path in set(tracked()) - {"tests/architecture/test_names.py"}:  # it names them
        content = (ROOT / path).read_bytes()
        if b"\0" not in content[:4096] and (match := ELSEWHERE.search(content.decode("utf-8", "replace"))):
            found.append((path, match[0]))
    assert found == []


def test_what_a_run_leaves_behind_and_secrets_are_not_tracked() -> None:
    forbidden = re.compile(r"(^|/)(\.env|config\.toml|uv\.lock|__pycache__|\.venv)(/|$)|\.(db|sqlite|db-wal|log|pyc)$")
    assert [path for path in tracked() if forbidden.search(path)] == []
