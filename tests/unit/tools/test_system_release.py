"""Releases on the disk: built, found again, switched, swept and pruned, in a folder of the test's own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tools.system import release
from tools.system.layout import Layout
from tools.system.machine import Refused
from tools.system.release import Checkout, Release

PYTHON = Path("/usr/bin/python3")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "machine")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A git repository with one commit, something uncommitted, and what git ignores."""
    folder = tmp_path / "checkout"
    (folder / "tools").mkdir(parents=True)
    (folder / "tools/atlas").write_text("#!/bin/sh\n")
    (folder / "tools/atlas").chmod(0o755)
    git(folder, "init", "--quiet")
    commit(folder)
    for name in (".venv/bin/python", "data/atlas.db", ".env", "tools/__pycache__/x.pyc", "config.toml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("not for a release\n")
    return folder


@pytest.fixture(autouse=True)
def _without_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    """The launcher is tested elsewhere, and this machine's systemd has nothing to do with this."""
    monkeypatch.setattr(release, "_environment", lambda *_: None)
    monkeypatch.setattr(release, "is_booted", lambda: False)


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=T", "-c", "user.email=t@example.org", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path) -> str:
    git(folder, "add", "tools")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "A version")
    return git(folder, "rev-parse", "HEAD")


def made(layout: Layout, name: str) -> Release:
    folder = layout.releases / name
    folder.mkdir(parents=True)
    told = {"id": name, "source": name, "interpreter": "/usr/bin/python3"}
    (folder / release.MARK).write_text(json.dumps(told))
    return Release(**told, folder=folder)


def test_a_release_is_what_was_committed_and_nothing_else(layout: Layout, checkout: Path) -> None:
    (checkout / "tools/new").write_text("not committed\n")
    found = Checkout.at(checkout)
    assert found.is_dirty
    built = release.build(layout, found, PYTHON)
    files = sorted(str(path.relative_to(built.folder)) for path in built.folder.rglob("*") if path.is_file())
    assert files == [release.MARK, "tools/atlas"]
    assert built.id.endswith(f"-{found.commit[:7]}")
    assert os.access(built.launcher, os.X_OK)
    assert release.releases(layout) == [built]


def test_the_same_commit_is_not_built_twice_and_another_one_is(layout: Layout, checkout: Path) -> None:
    first = release.build(layout, Checkout.at(checkout), PYTHON)
    assert release.build(layout, Checkout.at(checkout), PYTHON) == first
    assert release.build(layout, Checkout.at(checkout), Path("/usr/bin/python3.99")) != first
    commit(checkout)
    assert release.build(layout, Checkout.at(checkout), PYTHON).id != first.id
    assert release.build(layout, Checkout.at(checkout, "HEAD~1"), PYTHON) == first


def test_a_checkout_without_git_is_copied_without_secrets_data_and_caches(layout: Layout, checkout: Path) -> None:
    subprocess.run(["rm", "-rf", checkout / ".git"], check=True)
    built = release.build(layout, Checkout.at(checkout), PYTHON)
    files = {str(path.relative_to(built.folder)) for path in built.folder.rglob("*") if path.is_file()}
    assert files == {release.MARK, "tools/atlas"}
    assert release.build(layout, Checkout.at(checkout), PYTHON) == built
    (checkout / "tools/atlas").write_text("#!/bin/sh\nexit 1\n")
    assert release.build(layout, Checkout.at(checkout), PYTHON) != built


@pytest.mark.parametrize("ref", ["no-such-branch", "x; y", "--help", ""])
def test_a_commit_that_does_not_exist_is_refused_by_its_name(checkout: Path, ref: str) -> None:
    with pytest.raises(Refused, match=f"^'{ref}' is no commit, branch or tag of "):
        Checkout.at(checkout, ref)


def test_half_a_release_is_none_and_is_removed_by_the_next_build(layout: Layout, checkout: Path) -> None:
    half = layout.releases / "20260101-000000-1234567"
    (half / ".venv").mkdir(parents=True)
    assert release.releases(layout) == []
    release.build(layout, Checkout.at(checkout), PYTHON)
    assert not half.exists()


def test_a_build_that_fails_leaves_nothing_for_its_rest_would_keep_the_disk_full(
    layout: Layout, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise Refused("No space left on device")

    monkeypatch.setattr(release, "_environment", full)
    with pytest.raises(Refused, match="No space left"):
        release.build(layout, Checkout.at(checkout), PYTHON)
    assert list(layout.releases.iterdir()) == []


def test_switching_notes_what_ran_before_and_switching_back_is_the_same_call(layout: Layout) -> None:
    old, new = made(layout, "1-old"), made(layout, "2-new")
    assert release.current(layout) is None
    assert release.switch(layout, old)
    assert not release.switch(layout, old)
    assert release.previous(layout) is None
    assert release.switch(layout, new)
    assert (release.current(layout), release.previous(layout)) == (new, old)
    assert layout.current.readlink() == Path("releases/2-new")
    assert release.switch(layout, old)
    assert (release.current(layout), release.previous(layout)) == (old, new)


def test_old_releases_go_but_never_the_current_or_the_previous_one(layout: Layout) -> None:
    many = [made(layout, f"{number}-x") for number in range(6)]
    release.switch(layout, many[0])
    release.switch(layout, many[1])
    assert release.prune(layout, 3) == ["2-x", "3-x", "4-x"]
    assert [each.id for each in release.releases(layout)] == ["0-x", "1-x", "5-x"]
    assert release.prune(layout, 3) == []
