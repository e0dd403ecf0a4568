"""F34, the data's part: a library and its backups, between a release, the one before it and the one after it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from pipeline.store.migrate import SCHEMA_VERSION, migrate, migrations
from supervisor.exits import Exit
from supervisor.instance import PLAIN, environment
from tests.conftest import ROOT
from tests.test_reliability.sizes import figure

pytestmark = pytest.mark.fault

NEXT = SCHEMA_VERSION + 1
PACKAGES = ("supervisor", "gateway", "stages", "pipeline", "observability")
URL = "https://example.invalid/"


class Release:
    """A checkout, to run commands of on a data folder."""

    def __init__(self, checkout: Path, data: Path) -> None:
        self.checkout = checkout
        self._settings = PLAIN | {"ATLAS_DATA_DIR": str(data)}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "supervisor", *arguments],
            env=environment(self._settings) | {"PYTHONPATH": str(self.checkout)},
            cwd=self.checkout, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def done(self, *arguments: str) -> str:
        ran = self.run(*arguments)
        assert ran.returncode == Exit.OK, ran.stderr
        return ran.stdout

    def backup(self) -> str:
        found: str = json.loads(self.done("backup", "--json"))["backup"]["id"]
        return found


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def ours(data: Path) -> Release:
    return Release(ROOT, data)


@pytest.fixture
def later(tmp_path: Path, data: Path) -> Release:
    """The release after this one: the same with one more migration."""
    checkout = tmp_path / "later"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, checkout / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", checkout)
    added = checkout / "pipeline" / "store" / "migrations" / "atlas" / f"{NEXT:04}_later.sql"
    added.write_text("CREATE TABLE later (x TEXT NOT NULL) STRICT;\nALTER TABLE items ADD COLUMN later TEXT;\n")
    module = checkout / "pipeline" / "store" / "migrate.py"
    text = module.read_text()
    assert f"SCHEMA_VERSION = {SCHEMA_VERSION}" in text
    module.write_text(text.replace(f"SCHEMA_VERSION = {SCHEMA_VERSION}", f"SCHEMA_VERSION = {NEXT}"))
    return Release(checkout, data)


def schema(data: Path) -> int:
    with contextlib.closing(apsw.Connection(str(data / "atlas.db"))) as conn:
        assert conn.pragma("integrity_check") == "ok"
        return int(conn.pragma("user_version"))


def urls(data: Path) -> set[str]:
    with contextlib.closing(apsw.Connection(str(data / "atlas.db"))) as conn:
        return {str(url) for (url,) in conn.execute("SELECT url FROM items")}


def test_the_release_before_runs_on_the_data_of_the_one_after_it_and_nothing_is_lost_on_the_way(
    ours: Release, later: Release, data: Path
) -> None:
    ours.done("add", URL + "1")
    before = ours.backup()
    later.done("add", URL + "2")
    assert schema(data) == NEXT
    after = later.backup()
    ours.done("add", URL + "3")  # rolled back: the code only
    assert schema(data) == NEXT
    assert ours.run("status").returncode == Exit.OK
    assert ours.run("scheduler").returncode == Exit.OK
    assert urls(data) == {URL + "1", URL + "2", URL + "3"}

    refused = ours.run("restore", after)
    assert refused.returncode == Exit.CONFIG
    assert f"has schema {NEXT}" in refused.stderr
    assert "install that release" in refused.stderr
    assert urls(data) == {URL + "1", URL + "2", URL + "3"}, "nothing was replaced"

    done = json.loads(ours.done("restore", before, "--json"))
    assert (done["schema"], done["schema_now"], done["accepted_since"]) == (SCHEMA_VERSION, SCHEMA_VERSION, 2)
    assert schema(data) == SCHEMA_VERSION
    assert urls(data) == {URL + "1", URL + "2", URL + "3"}

    done = json.loads(later.done("restore", before, "--json"))
    assert (done["schema"], done["schema_now"]) == (SCHEMA_VERSION, NEXT)
    assert schema(data) == NEXT
    assert urls(data) == {URL + "1", URL + "2", URL + "3"}
    later.done("restore", after)
    assert urls(data) == {URL + "1", URL + "2", URL + "3"}
    figure("F34", f"schema {SCHEMA_VERSION} and {NEXT}: up, code back, restores both ways; 0 of 3 items lost")


def test_code_that_is_too_old_for_the_data_refuses_with_what_to_do(ours: Release, later: Release, data: Path) -> None:
    later.done("add", URL + "1")
    with contextlib.closing(apsw.Connection(str(data / "atlas.db"))) as conn:
        conn.execute("INSERT INTO meta VALUES ('oldest_code', ?)", (str(NEXT),))
    backup = later.backup()
    before = (data / "atlas.db").read_bytes()
    for command in (("status",), ("add", URL + "2"), ("worker",), ("scheduler",)):
        refused = ours.run(*command)
        assert refused.returncode == Exit.CONFIG, (command, refused.stderr)
        assert "install the newer release" in refused.stderr
    assert ours.run("restore", backup).returncode == Exit.CONFIG
    assert (data / "atlas.db").read_bytes() == before
    later.done("restore", backup)


def test_a_backup_of_the_schema_before_is_brought_to_this_one_when_it_is_restored(ours: Release, data: Path) -> None:
    for name in ("archive", "atlas"):
        os.close(os.open(data / f"{name}.db", os.O_CREAT | os.O_WRONLY, 0o600))
    with contextlib.closing(apsw.Connection(str(data / "archive.db"))) as conn:
        migrate(conn, migrations("archive"))
    old = migrations("atlas")[:-1]
    with contextlib.closing(apsw.Connection(str(data / "atlas.db"))) as conn:
        conn.pragma("journal_mode", "wal")
        assert migrate(conn, old) == SCHEMA_VERSION - 1
        conn.execute(
            """INSERT INTO items (uid, kind, url, url_key, stage, state, source, created_at, changed_at, raised_at)
               VALUES ('01K0000000000000000000000A', 'page', ?1, ?1, 590, 'done', 'api', 1, 1, 1)""",
            (URL + "old",),
        )
    backup = ours.backup()
    assert schema(data) == SCHEMA_VERSION - 1, "a backup migrates nothing"
    ours.done("add", URL + "new")
    done = json.loads(ours.done("restore", backup, "--json"))
    assert (done["schema"], done["schema_now"]) == (SCHEMA_VERSION - 1, SCHEMA_VERSION)
    assert schema(data) == SCHEMA_VERSION
    assert urls(data) == {URL + "old", URL + "new"}
