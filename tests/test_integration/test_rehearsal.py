"""A release is tried on a copy: what it must do there, and that it reaches nothing else."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.store.migrate import SCHEMA_VERSION
from supervisor.instance import CHECKOUT, Instance, InstanceError
from supervisor.rehearsal import RehearsalFailed, rehearse

pytestmark = pytest.mark.slow
LAUNCHER = CHECKOUT / "tools" / "atlas"


@pytest.fixture
def copy(data_dir: Path) -> Path:
    """A library with one item in flight."""
    Instance(data_dir).command("add", "https://example.org/kept")
    return data_dir


def rehearsed(copy: Path, settings: Mapping[str, str], *, before: Path | None = None, items: int = 1) -> list[str]:
    said: list[str] = []
    rehearse(copy, settings=settings, items=items, before=before, say=said.append)
    return said


def test_a_release_that_works_is_started_asked_stopped_and_leaves_a_copy_that_the_one_before_can_use(
    copy: Path,
) -> None:
    said = rehearsed(copy, {"ATLAS_CONFIG": os.devnull}, before=LAUNCHER)
    assert [line.split(",")[0] for line in said] == [
        "its schema is this release's",
        "the api and the worker are up on it",
        "the library",
        "stopped cleanly",
        "the release to go back to can still use it",
    ]


def test_the_real_databases_log_and_port_are_left_alone_whatever_the_configuration_names(
    copy: Path, tmp_path: Path
) -> None:
    real = tmp_path / "real"
    real.mkdir()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config = tmp_path / "config.toml"
        config.write_text(
            f'[data]\ndir = "{real}"\n[database]\npath = "{real}/atlas.db"\narchive_path = "{real}/archive.db"\n'
            f'[log]\nfile = "{real}/atlas.log"\n[api]\nhost = "0.0.0.0"\nport = {taken.getsockname()[1]}\n'
        )
        rehearsed(copy, {"ATLAS_CONFIG": str(config)})
    assert list(real.iterdir()) == []


def test_a_configuration_that_the_release_refuses_fails_with_its_own_words(copy: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[queue]\nsize = 5\n")
    with pytest.raises(RehearsalFailed, match=r"\[queue\] size is no setting of Atlas"):
        rehearsed(copy, {"ATLAS_CONFIG": str(config)})


def test_a_copy_that_has_lost_its_items_fails_although_everything_answers(data_dir: Path) -> None:
    with pytest.raises(RehearsalFailed, match="holds 3 items, and the api lists none"):
        rehearsed(data_dir, {"ATLAS_CONFIG": os.devnull}, items=3)


def test_a_release_before_that_cannot_use_the_copy_any_more_fails_the_rehearsal(copy: Path, tmp_path: Path) -> None:
    older = tmp_path / "atlas"
    older.write_text('#!/bin/sh\necho "atlas: atlas.db has schema 9 and needs a newer release" >&2\nexit 78\n')
    older.chmod(0o755)
    with pytest.raises(RehearsalFailed, match=r"cannot use the data after this one: .* schema 9"):
        rehearsed(copy, {"ATLAS_CONFIG": os.devnull}, before=older)


def test_the_command_rehearses_on_a_backup_leaves_nothing_behind_and_refuses_what_is_no_backup(copy: Path) -> None:
    atlas = Instance(copy)
    atlas.command("backup")
    (backup,) = [each["id"] for each in json.loads(atlas.command("backup", "list", "--json"))["backups"]]
    told = atlas.command("rehearse", backup, "--before", str(LAUNCHER))
    assert told.splitlines()[0] == f"{backup} is restored"
    assert told.splitlines()[-1] == "the release to go back to can still use it"
    assert sorted(entry.name for entry in (copy / "backups").iterdir() if entry.name != "retired.json") == [
        ".lock",
        backup,
        "archive",
    ]
    with pytest.raises(InstanceError, match=r"there is no backup '\.\./data'"):
        atlas.command("rehearse", "../data")


def test_migrate_says_from_which_schema_to_which_and_nothing_the_second_time(data_dir: Path) -> None:
    atlas = Instance(data_dir)
    assert atlas.command("migrate") == f"schema none → {SCHEMA_VERSION}\n"
    assert atlas.command("migrate") == f"schema {SCHEMA_VERSION}, as it was\n"
