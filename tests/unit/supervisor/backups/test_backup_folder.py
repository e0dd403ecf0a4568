"""S13: an id is chosen from what is there, no path is made of it; what is no backup of ours is told and left alone."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import BackupBusy, BackupDamaged, BackupFailed, NotFound
from supervisor.backups.folder import Folder, moment_of
from supervisor.backups.manifest import Check, Manifest, decode
from tests.unit.supervisor.backups.hands import Hands

PATHS = ["", ".", "..", "../backups", "/", "/etc/passwd", "archive", ".lock", "20261125T031700Z/", "./20261125T031700Z"]


@pytest.mark.parametrize("wanted", PATHS)
def test_an_id_that_is_a_path_names_no_backup(hands: Hands, wanted: str) -> None:
    made = hands.make(seconds_later=0).backup
    assert made.id == "20261125T031700Z"
    with pytest.raises(NotFound, match="there is no backup"):
        hands.folder.listing().find(wanted)
    assert hands.folder.listing().find(made.id).path == made.path


@given(st.text(max_size=30))
def test_only_a_moment_in_our_form_is_a_name(name: str) -> None:
    assert moment_of(name) is None or len(name) in {16, 18}


@pytest.mark.parametrize("name", ["20261325T031700Z", "20261125T256100Z", "20261125T031700Z-1", "20261125T031700Z\n"])
def test_a_moment_that_never_was_is_no_name(name: str) -> None:
    assert moment_of(name) is None


def test_what_lies_beside_the_backups_is_told_and_left_alone(hands: Hands, tmp_path: Path) -> None:
    made = hands.make().backup
    there = hands.folder.path
    elsewhere = tmp_path / "elsewhere"
    made.path.rename(elsewhere)
    (there / made.id).symlink_to(elsewhere)
    (there / "20261120T031700Z").write_bytes(b"a file")
    (there / "holiday").mkdir()
    (there / "20261121T031700Z").mkdir()
    listing = hands.folder.listing()
    assert listing.backups == ()
    assert {each.name: each.why for each in listing.strangers} == {
        made.id: "no folder",
        "20261120T031700Z": "no folder",
        "20261121T031700Z": f"{there}/20261121T031700Z/manifest.json cannot be opened: No such file or directory",
        "holiday": "not a name of a backup",
    }
    with pytest.raises(BackupDamaged, match="cannot be used: no folder"):
        listing.find(made.id)
    with pytest.raises(NotFound):
        listing.find("holiday")
    hands.make()
    assert {made.id, "20261120T031700Z", "20261121T031700Z", "holiday"} <= hands.names


def test_a_backup_under_the_name_of_another_is_none(hands: Hands) -> None:
    made = hands.make().backup
    made.path.rename(hands.folder.path / "20300101T000000Z")
    (stranger,) = hands.folder.listing().strangers
    assert (stranger.name, stranger.why) == ("20300101T000000Z", f"its manifest is of {made.id}")


def _link(path: Path) -> None:
    path.rename(path.with_name("real"))
    path.symlink_to("real")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _long(path: Path) -> None:
    path.write_bytes(b" " * 5_000_000)


@pytest.mark.parametrize("change", [_link, _pipe, _folder, _long, Path.unlink])
def test_a_manifest_that_is_no_plain_file_of_ours_is_told(hands: Hands, change: object) -> None:
    made = hands.make().backup
    change(made.path / "manifest.json")  # type: ignore[operator]
    (stranger,) = hands.folder.listing().strangers
    assert "manifest.json" in stranger.why


KEYS = st.sampled_from(["format", "id", "database", "evidence"])
ODD = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(KEYS, each),
)


@given(st.binary(max_size=200) | ODD.map(lambda each: json.dumps(each).encode()))
def test_whatever_stands_in_a_manifest_it_is_one_or_a_clear_error(content: bytes) -> None:
    for kind in (Manifest, Check):
        with pytest.raises(BackupDamaged):
            decode(content, kind, where="manifest.json")


def test_a_manifest_nested_without_end_or_of_a_later_release_is_a_clear_error(hands: Hands) -> None:
    with pytest.raises(BackupDamaged, match=r"manifest\.json cannot be read"):
        decode(b'{"evidence":' + b"[" * 100_000, Manifest, where="manifest.json")
    made = hands.make().backup
    hands.rewrite(made, format=2)
    with pytest.raises(BackupDamaged, match="was written by a newer release"):
        hands.folder.listing().find(made.id)


def test_a_check_that_cannot_be_read_is_as_if_there_were_none(hands: Hands) -> None:
    made = hands.make().backup
    assert hands.folder.listing().newest().is_good
    (made.path / "check.json").write_bytes(b"{}")
    assert hands.folder.listing().newest().check is None
    assert hands.folder.listing().newest_good() is None


def test_only_one_works_there_and_what_the_dead_left_is_removed(hands: Hands) -> None:
    hands.make()
    left = hands.folder.path / ".partial-20200101T000000Z"
    left.mkdir()
    (left / "atlas.db").write_bytes(b"half")
    (hands.folder.archive / ".partial-x").write_bytes(b"half")
    (hands.folder.path / ".partial-retired.json").write_bytes(b"half")  # a death while that was written
    assert hands.folder.listing().strangers == ()
    other = Folder(hands.folder.path)
    with hands.folder.locked():
        assert not left.exists()
        left.mkdir()
        with pytest.raises(BackupBusy, match="another command works"), other.locked():
            pass
        assert left.exists()
    with other.locked():
        assert not left.exists()
    assert not (hands.folder.archive / ".partial-x").exists()


def test_two_of_the_same_second_have_two_names(hands: Hands) -> None:
    first = hands.make(seconds_later=0).backup.id
    assert [hands.make(seconds_later=0).backup.id for _ in range(2)] == [f"{first}-2", f"{first}-3"]
    assert hands.ids == [f"{first}-3", f"{first}-2", first]


def test_all_of_it_is_for_its_owner_alone(hands: Hands) -> None:
    hands.make()
    os.umask(os.umask(0))
    for path in (hands.folder.path, *hands.folder.path.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.parametrize("made_at", [-1, 10**15, 10**30])
def test_a_moment_that_no_clock_shows_is_no_manifest(hands: Hands, made_at: int) -> None:
    hands.rewrite(hands.make().backup, made_at=made_at)
    listing = hands.folder.listing()
    assert listing.backups == ()
    assert "manifest.json cannot be read" in listing.strangers[0].why


def test_a_folder_of_somebody_else_is_not_advised_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_arguments: object, **_more: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuses)
    with pytest.raises(BackupFailed, match="belongs to somebody else") as caught:
        Folder(tmp_path / "backups").create()
    assert "sudo" in caught.value.hint
