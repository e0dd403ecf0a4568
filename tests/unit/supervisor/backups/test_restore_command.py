"""`atlas restore`: what it says of what was done, and how it ends."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from supervisor.backups.restore import Restored
from supervisor.cli import main
from supervisor.exits import Exit

ID = "20261125-031700"
DONE = Restored(
    backup=ID,
    made_at=1_795_576_620_000,
    items=1200,
    schema=5,
    schema_now=5,
    accepted_since=3,
    notes=1,
    marks=2,
    feeds=0,
    brought_back=5,
    unreadable=0,
    archive="kept",
    bodies_added=4,
    replaced="/data/replaced",
    export="/data/replaced/since.jsonl",
    doubts=(),
)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def restore(data_dir: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command, after a restore that has done this."""
    for name, value in (("DATA_DIR", str(data_dir)), ("CONFIG", os.devnull), ("ENV_FILE", os.devnull)):
        monkeypatch.setenv(f"ATLAS_{name}", value)

    def run(*arguments: str, done: Restored | None = DONE, **changes: Any) -> tuple[int, str, str]:
        def restored(*_: Any, say: Callable[[str], None], **__: Any) -> Restored | None:
            say("copying")
            return None if done is None else msgspec.structs.replace(done, **changes)

        monkeypatch.setattr("supervisor.commands.restore.restore", restored)
        code = main(["restore", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_it_says_which_backup_what_came_back_where_the_old_library_lies_and_what_comes_next(restore: Run) -> None:
    code, out, err = restore(ID)
    assert (code, err) == (Exit.OK, "")
    assert f"The library is that of the backup {ID}, made 2026-11-25T03:17:00.000Z with 1,200 items." in out
    assert "3 items (1 of them notes), 2 changed marks, 0 feeds. Brought back: 5 of these 5." in out
    assert "What was replaced lies in /data/replaced, with since.jsonl" in out
    assert out.splitlines()[-1].startswith("Now start Atlas: ")
    assert "schema" not in out


def test_what_is_lost_or_in_doubt_is_told_and_ends_with_1(restore: Run) -> None:
    code, out, _err = restore(ID, unreadable=2)
    assert (code, "Of 2 items accepted since nothing could be read: they are lost." in out) == (Exit.FAILED, True)
    code, _out, err = restore(ID, doubts=("the note x could not be brought back",))
    assert (code, err) == (Exit.FAILED, "atlas: the note x could not be brought back\n")


def test_an_older_schema_and_an_archive_made_anew_are_told(restore: Run) -> None:
    _code, out, _err = restore(ID, schema=4, archive="rebuilt")
    assert "It was brought from schema 4 to 5." in out
    assert "The archive was made anew from the backups; 4 bodies came from the backups." in out


def test_a_restore_that_was_cut_off_is_finished_first_and_the_one_that_was_asked_for_is_not_done(restore: Run) -> None:
    _code, out, err = restore("20261124-031700", was_cut_off=True)
    assert out.startswith("A restore that was cut off is finished:\n")
    assert err == "atlas: 20261124-031700 was not restored: call it again\n"


def test_without_an_id_and_with_nothing_to_finish_it_asks_which(restore: Run) -> None:
    code, out, err = restore(done=None)
    assert (code, out, err.count("\n")) == (Exit.FAILED, "", 1)
    assert "which backup? (choose one: atlas backup list" in err


def test_as_json_it_is_one_document(restore: Run) -> None:
    code, out, _err = restore(ID, "--json")
    assert (code, json.loads(out)["backup"]) == (Exit.OK, ID)


def test_on_a_terminal_each_part_of_the_work_is_told_while_it_is_done(
    restore: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    restore(ID)
    assert shown.getvalue() == "atlas: copying…\n"
