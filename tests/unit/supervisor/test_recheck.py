"""`atlas recheck`, and what the other commands say of a library in safe mode."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.store.damage import Damage, known, mark
from pipeline.store.library import UNFINISHED, alone, shared_now
from supervisor.exits import Exit
from tests.unit.supervisor.library import Library, damage, root_of

DAMAGE = Damage(at=1_790_000_000_000, where="read", file="atlas.db", said="page 9 is not a page")


def test_a_sound_library_leaves_safe_mode(library: Library, atlas: Any) -> None:
    library.keep(pages=3)
    mark(library.folder, DAMAGE)
    told = atlas("recheck")
    assert (told.code, told.err) == (Exit.OK, "")
    assert "out of safe mode" in told.out
    assert known(library.folder) is None
    assert atlas("add", "https://example.org/new").code == Exit.OK


def test_one_that_is_damaged_stays_in_it_or_enters_it(library: Library, atlas: Any) -> None:
    library.keep(pages=3)
    damage(library.atlas, root_of(library.atlas, "links_key"))
    before = library.atlas.read_bytes()
    for was in (False, True):
        told = atlas("recheck", "--json")
        found = json.loads(told.out)
        assert (told.code, found["safe_mode"], found["was_in_safe_mode"]) == (Exit.FAILED, True, was)
        assert found["faults"]
    assert known(library.folder) is not None
    assert library.atlas.read_bytes() == before
    assert "atlas restore ID" in atlas("recheck").out


def test_who_runs_would_go_on_with_what_it_knows_so_it_is_left_only_alone(library: Library, atlas: Any) -> None:
    mark(library.folder, DAMAGE)
    with shared_now(library.folder):
        told = atlas("recheck")
    assert (told.code, "is in use by" in told.err) == (Exit.TRY_LATER, True)
    assert known(library.folder) == DAMAGE


def test_a_sound_library_may_be_looked_through_while_others_use_it(library: Library, atlas: Any) -> None:
    with shared_now(library.folder):
        assert atlas("recheck").code == Exit.OK


def test_where_there_is_none_that_is_said(data_dir: Any, nobodys_settings: None, atlas: Any) -> None:
    told = atlas("recheck")
    assert (told.code, "there is no" in told.err) == (Exit.FAILED, True)


def test_status_and_doctor_say_what_to_type_and_commands_that_write_are_refused(library: Library, atlas: Any) -> None:
    library.keep(pages=2)
    mark(library.folder, DAMAGE)
    before = library.atlas.read_bytes()
    told = atlas("status")
    assert told.code == Exit.OK
    assert told.out.startswith("SAFE MODE: the database is damaged")
    assert json.loads(atlas("status", "--json").out)["damage"]["said"] == DAMAGE.said
    state, found, advice = atlas("doctor", "--json").of("database")
    assert state == "failing"
    assert "page 9 is not a page" in found
    assert "2026-09-21" in found
    assert "atlas restore ID" in advice
    assert "./tools/atlas recheck" in advice
    told = atlas("token", "create", "--name", "phone", "--scope", "read")
    assert (told.code, told.out) == (Exit.UNAVAILABLE, "")
    assert "atlas restore ID" in told.err
    assert atlas("scheduler").code == Exit.OK
    assert library.atlas.read_bytes() == before


@pytest.mark.parametrize("command", [("status",), ("add", "https://example.org/"), ("search", "x")])
def test_of_a_library_that_is_half_restored_nothing_is_opened_and_it_is_said_how_to_finish(
    library: Library, atlas: Any, command: tuple[str, ...]
) -> None:
    (library.folder / UNFINISHED).write_text("{}")
    told = atlas(*command)
    assert told.code == Exit.CONFIG
    assert "atlas restore" in told.err


def test_the_doctor_does_not_take_a_half_restored_library_for_a_missing_one(library: Library, atlas: Any) -> None:
    (library.folder / UNFINISHED).write_text("{}")
    library.atlas.unlink()
    state, found, advice = atlas("doctor", "--json").of("database")
    assert (state, "cut off" in found) == ("failing", True)
    assert "./tools/atlas restore" in advice
    assert not library.atlas.exists()


# Backups of it


def test_of_a_library_in_safe_mode_no_backup_is_made_and_those_that_are_there_stay(
    library: Library, atlas: Any
) -> None:
    library.keep(pages=2)
    assert atlas("backup").code == Exit.OK
    mark(library.folder, DAMAGE)
    before = library.atlas.read_bytes()
    told = atlas("backup")
    assert (told.code, "atlas restore ID" in told.err) == (Exit.UNAVAILABLE, True)
    assert len(json.loads(atlas("backup", "list", "--json").out)["backups"]) == 1
    drilled = atlas("backup", "drill")
    assert drilled.code == Exit.FAILED, "it is good, and monitors could not be told"
    assert library.atlas.read_bytes() == before


def test_a_backup_that_finds_the_library_damaged_puts_it_into_safe_mode(library: Library, atlas: Any) -> None:
    library.keep(pages=3)
    damage(library.atlas, root_of(library.atlas, "links_key"))
    told = atlas("backup")
    assert told.code == Exit.FAILED
    assert "the library itself is damaged" in told.err
    found = known(library.folder)
    assert found is not None
    assert found.where == "examine"


def test_while_the_library_is_restored_no_backup_is_begun(library: Library, atlas: Any) -> None:
    with alone(library.folder):
        assert atlas("backup").code == Exit.TRY_LATER
