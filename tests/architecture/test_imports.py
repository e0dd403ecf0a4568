"""Who may import what."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from graphlib import TopologicalSorter
from pathlib import Path

import grimp

from tests.architecture.source import PACKAGES, ROOT, imports, name, product_files, python_files


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


def test_no_module_imports_itself_round_a_corner() -> None:
    """A cycle raises CycleError, which names it; imports inside functions count."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    order = TopologicalSorter({module: graph.find_modules_directly_imported_by(module) for module in graph.modules})
    assert set(order.static_order()) == graph.modules


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
    assert within(importers("opentelemetry"), "observability/") == set()
    assert (
        within(importers("opentelemetry.sdk") | importers("opentelemetry.exporter"), "observability/setup.py") == set()
    )
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


def test_every_module_can_be_imported() -> None:
    """Those too that are only imported when a command needs them."""
    names = [name(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in product_files()]
    code = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"
    modules = [module for module in names if not module.endswith("__main__")]
    ran = python(code, *modules)
    assert ran.returncode == 0, ran.stderr


def test_the_worker_itself_loads_no_parser_of_foreign_bytes() -> None:
    """Those live in the parse processes, which have a deadline and a memory limit."""
    parsers = ("trafilatura", "lxml", "feedparser", "htmldate", "yake", "py3langid", "numpy", "nh3")
    ran = python(f"import sys, stages.catalog; print(sorted(set({parsers!r}) & set(sys.modules)))")
    assert (ran.stdout, ran.stderr) == ("[]\n", "")


def test_the_worker_loads_no_web_server_and_the_api_no_way_to_the_network() -> None:
    """A role starts sooner and stays smaller without what only another one needs."""
    worker = "supervisor.wiring, supervisor.worker, stages.catalog, stages.net.client, stages.parse.pool"
    api = "supervisor.wiring, supervisor.serve, gateway.app"
    short = "supervisor.wiring, supervisor.up"  # a tick of the scheduler, every five minutes
    cases = (
        (worker, ("quart", "hypercorn", "jinja2")),
        (api, ("httpx2", "httpcore2", "stages.net")),
        (short, ("quart", "hypercorn", "stages.net", "opentelemetry.sdk", "requests", "google.protobuf")),
    )
    for modules, others in cases:
        ran = python(f"import sys, {modules}; print(sorted(set({others!r}) & set(sys.modules)))")
        assert (ran.stdout, ran.stderr) == ("[]\n", "")


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a fresh interpreter that sees the checkout."""
    return subprocess.run(
        [sys.executable, "-P", "-c", code, *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
