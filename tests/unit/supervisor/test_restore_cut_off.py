"""`atlas restore` that is cut off: by Ctrl-C, and with what a person does before the next."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.store.library import UNFINISHED
from supervisor.backups import swap
from supervisor.exits import Exit
from tests.store.hands import page
from tests.unit.supervisor.kept import Kept


def cut_off(kept: Kept, atlas: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed when all was decided and nothing moved."""

    class Killed(BaseException):
        pass

    def dies(*_arguments: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("supervisor.backups.swap.finish", dies)
        with pytest.raises(Killed):
            atlas("restore", kept.id)


def test_ctrl_c_when_it_is_just_decided_leaves_what_the_next_call_needs(
    kept: Kept, atlas: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (new,) = kept.accept(page("https://example.org/new"))
    begin = swap.begin

    def is_interrupted(folder: Path, plan: swap.Plan) -> None:
        begin(folder, plan)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("supervisor.backups.swap.begin", is_interrupted)
        atlas("restore", kept.id)
    assert (kept.folder / UNFINISHED).exists()
    told = atlas("restore")
    assert told.code == Exit.OK, told.err
    assert new in kept.items()
    assert not list(kept.folder.glob(".restoring-*"))


def test_whoever_asked_for_another_one_is_told_by_the_exit_code_too(
    kept: Kept, atlas: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off(kept, atlas, monkeypatch)
    told = atlas("restore", "20200101T000000Z")
    assert told.code == Exit.FAILED
    assert "20200101T000000Z was not restored: call it again" in told.err


def test_in_a_copy_of_the_folder_nothing_moves_in_the_one_it_was_copied_from(
    kept: Kept, atlas: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cut_off(kept, atlas, monkeypatch)
    copy = tmp_path / "elsewhere"
    shutil.copytree(kept.folder, copy)
    before = kept.there()
    with monkeypatch.context() as patch:
        patch.setenv("ATLAS_DATA_DIR", str(copy))
        told = atlas("restore")
    assert told.code == Exit.CONFIG
    assert f"belongs to {kept.folder}" in told.err
    assert kept.there() == before
    assert (copy / UNFINISHED).exists()
    assert atlas("restore").code == Exit.OK
