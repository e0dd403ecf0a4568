"""Who may import what."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.architecture.source import ROOT, imports, name, product_files, python_files


def importers(module: str, files: tuple[Path, ...] = product_files()) -> set[str]:
    return {
        name(path) for path in files if any(each == module or each.startswith(f"{module}.") for each in imports(path))
    }


def within(importing: set[str], *allowed: str) -> set[str]:
    return {path for path in importing if not path.startswith(allowed)}


def test_the_import_contracts_hold() -> None:
    """The same as `lint-imports`, without its cache and its picture."""
    lint = Path(sysconfig.get_path("scripts")) / "lint-imports"
    ran = subprocess.run(
        [sys.executable, str(lint), "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_nobody_imports_the_standard_librarys_sqlite_or_systemd_bindings() -> None:
    """Closing a file of SQLite's through another copy of the library drops this process's locks on it."""
    assert importers("sqlite3", python_files()) == set()
    assert importers("systemd", python_files()) == set()


def test_each_edge_of_the_system_is_in_one_place() -> None:
    assert within(importers("apsw"), "pipeline/store/") == set()
    assert within(importers("httpx2") | importers("httpcore2"), "stages/net/") == set()
    assert within(importers("aiolimiter"), "gateway/") == set()
    assert within(importers("quart"), "gateway/", "supervisor/serve.py") == set()
    assert within(importers("hypercorn"), "supervisor/serve.py") == set()
    assert within(importers("trafilatura"), "stages/text/") == set()
    assert within(importers("rich"), "supervisor/") == set()
    assert within(importers("argparse"), "supervisor/") == set()


def test_the_environment_is_read_only_by_the_supervisor() -> None:
    readers = {
        name(path)
        for path in product_files()
        if any(
            word in path.read_text(encoding="utf-8") for word in ("os.environ", "os.getenv", "from os import environ")
        )
    }
    assert within(readers, "supervisor/") == set()


def test_observability_needs_nothing_of_ours() -> None:
    ours = {"supervisor", "gateway", "stages", "pipeline"}
    found = {
        (name(path), module)
        for path in product_files()
        if name(path).startswith("observability/")
        for module in imports(path)
        if module.split(".")[0] in ours
    }
    assert found == set()
