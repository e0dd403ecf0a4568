"""`atlas doctor`: each check names what it found, and what to type when that is not well; nothing has to run for it."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import apsw
import pytest

from gateway.condition import assess, look
from pipeline.clock import SystemClock
from pipeline.store.handle import Store
from supervisor.commands import remedies
from supervisor.commands.remedies import Commands
from supervisor.config import load
from supervisor.exits import Exit
from tests.unit.supervisor.library import PAGE, Library, damage, root_of

# As a whole


def test_where_nothing_is_wrong_every_check_is_one_line_and_the_exit_code_is_0(library: Library, atlas: Any) -> None:
    told = atlas("doctor")
    assert (told.code, told.err) == (Exit.OK, "")
    *lines, empty, summary = told.out.splitlines()
    assert (empty, summary) == ("", "All is well.")
    assert {line.split()[0] for line in lines} == {"ok"}
    assert [line.split()[1] for line in lines] == [
        "database", "disk", "wal", "archive", "queue", "oldest", "worker", "api", "actors", "scheduler",
        "conservation", "backup", "errors", "breakers", "sqlite", "schema", "journal", "config", "resolver", "python",
    ]  # fmt: skip
    assert "ok       journal       wal" in lines


def test_every_part_of_health_is_a_check_with_its_reason_word_for_word(library: Library, doctor: Any) -> None:
    library.run(lambda store: store.status.sweep(), seconds_ago=1000)
    library.reports("worker", seconds_ago=40)
    library.accept(seconds_ago=200_000)
    health = library.run(_assessed)
    told = doctor()
    for name, part in health.components.items():
        state, found, _advice = told.of(name)
        assert state == part.state
        assert found.endswith(part.reason)
    assert {"worker", "scheduler", "backup"} <= told.not_well.keys()


async def _assessed(store: Store) -> Any:
    return assess(await look(store, SystemClock().wall_ms()))


def test_below_each_finding_stands_what_to_do_and_the_last_line_counts_them(library: Library, atlas: Any) -> None:
    library.reports("worker", has_stopped=True, seconds_ago=7200)
    library.accept(seconds_ago=200_000)
    library.sql("UPDATE work SET state = 'waiting'", "UPDATE items SET state = 'waiting'")
    told = atlas("doctor")
    lines = told.out.splitlines()
    (at,) = [n for n, line in enumerate(lines) if line.startswith("FAIL ")]
    assert lines[at].startswith("FAIL     worker        not running: stopped 2 h ago. No worker has reported for 30 s")
    advice = "start it: ./tools/atlas up, or systemctl start atlas-worker"
    assert lines[at + 1] == f"{'':<22} → {advice}"
    assert (told.code, lines[-1]) == (Exit.FAILED, "1 failing, 1 warning.")


def test_a_warning_alone_ends_with_0(library: Library, resolv: Path, atlas: Any) -> None:
    resolv.write_text("nameserver 192.168.1.1\n")
    told = atlas("doctor")
    assert (told.code, told.out.splitlines()[-1]) == (Exit.OK, "1 warning.")


def test_on_a_terminal_what_is_too_long_for_a_line_stays_in_its_column(
    library: Library, atlas: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    library.reports("worker", seconds_ago=3600)
    told = re.sub(r"\x1b\[[0-9;]*m", "", atlas("doctor").out).splitlines()
    first = next(n for n, line in enumerate(told) if line.split()[1:2] == ["worker"])
    last = next(n for n, line in enumerate(told) if line.split()[1:2] == ["api"])
    column = told[first].index("not running")
    assert last - first > 3
    assert all(not line[:column].strip() for line in told[first + 1 : last])
    assert max(map(len, told)) <= 70


def test_what_to_type_is_meant_for_the_folder_that_was_looked_at(library: Library, doctor: Any) -> None:
    library.reports("worker", has_stopped=True)
    _state, _found, advice = doctor("--data", str(library.folder)).of("worker")
    assert shlex.join(["./tools/atlas", "up", "--data", str(library.folder)]) in advice


def test_every_command_that_is_recommended_exists(library: Library) -> None:
    from supervisor.arguments import GROUPS, parser

    known = {name for group in GROUPS.values() for name in group}
    commands = Commands(config=load(environment={}, root=library.folder).config)
    looked = library.run(lambda store: look(store, SystemClock().wall_ms()))
    advice = [remedies.remedy(check, looked, commands) for check in remedies._REMEDIES]
    named = [part.split("./tools/atlas ")[1:] for part in advice]
    calls = [call.replace(",", ";").split(";")[0].split() for calls in named for call in calls]
    assert {call[0] for call in calls} <= known
    for call in calls:
        parser().parse_args(call)


def test_wrong_settings_are_78_as_everywhere(atlas: Any, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATLAS_API_PORT", "x")
    told = atlas("doctor")
    assert (told.code, told.out) == (Exit.CONFIG, "")


# What is not there, or cannot be opened


def test_an_empty_folder_is_told_as_such_and_stays_empty(
    nobodys_settings: None, data_dir: Path, resolv: Path, doctor: Any
) -> None:
    told = doctor("--deep")
    state, found, advice = told.of("database")
    assert (told.code, state) == (Exit.FAILED, "failing")
    assert f"nothing is kept here: there is no {data_dir}/atlas.db" in found
    assert "./tools/atlas up" in advice
    assert list(data_dir.iterdir()) == []


def test_a_library_that_has_gone_is_not_replaced_by_an_empty_one(library: Library, doctor: Any) -> None:
    library.keep()
    library.atlas.unlink()
    told = doctor()
    assert "the library has gone" in told.of("database")[1]
    assert "restore" in told.of("database")[2]
    assert not library.atlas.exists()


@pytest.mark.parametrize("extra", [(), ("--deep",)])
def test_a_file_that_is_no_database_is_a_finding_with_the_stores_words_and_no_traceback(
    library: Library, doctor: Any, extra: tuple[str, ...]
) -> None:
    library.atlas.write_bytes(b"no database at all " * 1000)
    told = doctor(*extra)
    state, found, advice = told.of("database")
    assert (told.code, state, told.err) == (Exit.FAILED, "failing", "")
    assert "the file is no SQLite database" in found
    assert "check [database] path" in advice
    assert {"resolver", "python", "config"} <= {each["check"] for each in json.loads(told.out)}


def test_a_newer_librarys_database_is_a_finding_too(library: Library, doctor: Any) -> None:
    library.sql("PRAGMA user_version = 99", "INSERT OR REPLACE INTO meta (key, value) VALUES ('oldest_code', '99')")
    told = doctor()
    assert told.code == Exit.FAILED
    assert "needs a release that knows schema 99" in told.of("database")[1]
    assert "install the newer release" in told.of("database")[2]


def test_a_database_that_another_process_holds_is_told_with_how_to_find_that(
    library: Library, doctor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATLAS_DATABASE_BUSY_TIMEOUT_MS", "50")
    other = apsw.Connection(str(library.atlas))
    other.execute("BEGIN IMMEDIATE")
    told = doctor()
    other.close()
    assert told.code == Exit.FAILED
    assert "Another process holds the database's write lock" in told.of("database")[1]
    assert f"fuser -v {library.atlas}" in told.of("database")[2]


def test_damage_that_shows_after_opening_is_told_in_sqlites_words_which_health_keeps_to_itself(
    library: Library, doctor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(_conn: apsw.Connection) -> None:
        raise apsw.CorruptError("page 9 is not a page")

    monkeypatch.setattr("pipeline.store.status._roles", damaged)
    told = doctor()
    state, found, advice = told.of("database")
    assert (told.code, state) == (Exit.FAILED, "failing")
    assert "met at read: page 9 is not a page. The database is damaged" in found
    assert "restore" in advice
    assert "atlas recheck" in advice


# Deep


def test_a_sound_library_is_found_sound_and_left_as_it_was(library: Library, doctor: Any) -> None:
    library.keep(pages=5)
    told = doctor("--deep")
    assert (told.code, told.not_well) == (Exit.OK, {})
    for check in ("deep atlas", "deep archive"):
        assert told.of(check)[1].endswith("all of it is sound")
    assert sorted(path.name for path in library.folder.iterdir()) == ["archive.db", "atlas.db", "library.lock"]


def test_only_the_deep_look_finds_a_damaged_page_that_nobody_has_read(library: Library, doctor: Any) -> None:
    library.keep(pages=5)
    page = root_of(library.atlas, "links_key")
    damage(library.atlas, page)
    assert doctor().code == Exit.OK
    told = doctor("--deep")
    state, found, advice = told.of("deep atlas")
    assert (told.code, state) == (Exit.FAILED, "failing")
    assert f"page {page}" in found
    assert "atlas restore ID" in advice
    assert str(library.atlas) in advice
    assert told.of("deep archive")[0] == "ok"


def test_a_damaged_archive_is_found_by_the_deep_look(library: Library, doctor: Any) -> None:
    library.keep(pages=50)
    damage(library.archive, library.archive.stat().st_size // PAGE)
    assert doctor("--deep").of("deep archive")[0] == "failing"


def test_of_many_faults_the_first_are_told_and_the_rest_counted(library: Library, doctor: Any) -> None:
    orphan = "INSERT INTO steps (item_id, at, code) VALUES (999, 1, 100)"
    library.sql("PRAGMA foreign_keys = OFF", *[orphan] * 9)
    state, found, _advice = doctor("--deep").of("deep atlas")
    assert state == "failing"
    assert found.startswith("row 1 of steps refers to one of items that is not there; row 2 of steps ")
    assert found.endswith("; and 4 more")


# Root


# Says which modules are looked for once root has become somebody who may be unable to read them.
LATE = """
import os, sys
class Late:
    def find_spec(self, name, path=None, target=None):
        if os.geteuid() != 0:
            os.write(2, f"late: {name}\\n".encode())
sys.meta_path.insert(0, Late())
from supervisor.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can work for somebody else")
@pytest.mark.parametrize("arguments", [("doctor",), ("doctor", "--deep"), ("doctor", "--json"), ("errors",)])
@pytest.mark.parametrize("on_a_terminal", [False, True])
def test_root_looks_as_the_owner_leaves_no_file_of_its_own_and_imports_nothing_late(
    root: Path, arguments: tuple[str, ...], on_a_terminal: bool
) -> None:
    owner = pwd.getpwnam("nobody").pw_uid
    with tempfile.TemporaryDirectory() as reachable:  # pytest's own folders are closed to others
        Path(reachable).chmod(0o755)
        folder = Path(reachable) / "data"
        folder.mkdir()
        Library(folder).keep()
        for path in (folder, *folder.iterdir()):
            os.chown(path, owner, -1)
        environment = os.environ | {"PYTHONPATH": str(root), "ATLAS_DATA_DIR": str(folder), "ATLAS_CONFIG": os.devnull}
        ours, theirs = os.openpty() if on_a_terminal else os.pipe()
        with subprocess.Popen(
            [sys.executable, "-P", "-c", LATE, *arguments],
            env=environment, cwd="/", stdout=theirs, stderr=subprocess.PIPE, text=True,
        ) as ran:  # fmt: skip
            os.close(theirs)
            with contextlib.suppress(OSError):  # a terminal ends with EIO
                while os.read(ours, 4096):
                    pass
            os.close(ours)
            assert ran.stderr is not None
            assert ran.stderr.read() == ""
        assert ran.returncode in (Exit.OK, Exit.FAILED)
        assert {path.stat().st_uid for path in [folder, *folder.rglob("*")]} == {owner}


def test_doctor_changes_nothing_about_a_library_of_an_older_release(library: Library, doctor: Any) -> None:
    """A backup, or one on which that release still runs, had been migrated by the look at it."""
    library.sql("PRAGMA user_version = 4")
    told = doctor()
    state, found, _advice = told.of("schema")
    assert (state, found) == ("warning", "atlas 4, and this release is of 5")
    connection = apsw.Connection(str(library.atlas))
    assert connection.pragma("user_version") == 4
    connection.close()
