"""A backup is whole or not there; what keeps it from being whole is told; the archive is taken once, bit by bit."""

from __future__ import annotations

import os
import shutil
import threading
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from observability.names import Event
from pipeline.errors import BackupBusy, BackupFailed, StoreFull, StoreUnreadable
from pipeline.store import snapshot as copying
from pipeline.store.disk import Space
from pipeline.store.migrate import migrate, migrations
from pipeline.store.packs import assemble, union
from supervisor.backups import archive, files
from supervisor.backups import check as checking
from supervisor.backups.check import restore_checked
from supervisor.backups.folder import FAILED_KEPT
from tests.unit.supervisor.backups.hands import Hands
from tests.unit.supervisor.library import Library


def totals(hands: Hands) -> dict[str, int]:
    with closing(apsw.Connection(str(hands.config.folder / "atlas.db"))) as conn:
        return dict(conn.execute("SELECT name, n FROM totals"))  # type: ignore[arg-type]


def test_what_is_made_was_restored_and_compared_and_monitors_learn_of_it(hands: Hands) -> None:
    made = hands.make()
    manifest = made.backup.manifest
    assert (made.doubts, made.deleted, made.backup.is_good) == ((), (), True)
    assert manifest.evidence.items == {"done": 3}
    assert (manifest.archive.bodies, manifest.archive.added, manifest.archive.missing) == (3, 3, 0)
    assert totals(hands)["backup_at"] == manifest.made_at == hands.clock.wall
    assert totals(hands)["backup_verified_at"] == hands.clock.wall
    (told,) = hands.heard.of(Event.BACKUP_MADE)
    assert (told["backup"], told["items"], told["bodies"]) == (made.backup.id, 3, 3)
    assert hands.names == {made.backup.id, "archive", ".lock"}
    assert {path.name for path in made.backup.path.iterdir()} == {"atlas.db.zst", "manifest.json", "check.json"}


def test_what_it_says_is_what_comes_out_again(hands: Hands, kept: Library, tmp_path: Path) -> None:
    made = hands.make().backup
    restore_checked(made, tmp_path / "atlas.db")
    assemble(hands.folder.packs(), tmp_path / "archive.db")
    restored = Library(tmp_path)
    before = kept.run(lambda store: store.search.find("word2"))
    assert restored.run(lambda store: store.search.find("word2")) == before
    assert before.total == 1


def test_the_second_takes_only_what_is_new_of_the_archive(hands: Hands, kept: Library) -> None:
    hands.make()
    first = hands.folder.packs()
    assert hands.make().backup.manifest.archive.added == 0
    assert hands.folder.packs() == first
    kept.keep(2, first=3)
    bodies = hands.make().backup.manifest.archive
    assert (bodies.added, bodies.bodies, bodies.packs) == (2, 5, 2)


def test_many_small_packs_become_one_and_nothing_is_lost(
    hands: Hands, kept: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "SMALL_MOST", 3)
    for n in range(3):
        hands.make()
        kept.keep(1, first=10 + n)
    before = set(union(hands.folder.packs()))
    names = {pack.name for pack in hands.folder.packs()}
    hands.make()
    (pack,) = hands.folder.packs()
    assert set(union([pack])) > before
    assert set(hands.folder.retired().packs) >= names
    assert hands.make().backup.is_good


def test_a_damaged_pack_is_left_out_and_its_bodies_are_taken_again(hands: Hands) -> None:
    hands.make()
    (pack,) = hands.folder.packs()
    pack.write_bytes(b"no database " * 1000)
    made = hands.make()
    assert "cannot be used" in made.doubts[0]
    assert (made.backup.is_good, made.backup.manifest.archive.added, made.backup.manifest.archive.missing) == (
        True,
        3,
        0,
    )
    pack.unlink()
    assert hands.make().doubts == ()


def test_without_its_archive_the_library_is_backed_up_all_the_same(hands: Hands) -> None:
    (hands.config.folder / "archive.db").unlink()
    made = hands.make()
    assert made.backup.is_good
    assert made.doubts == ("archive.db is missing", "3 bodies that the library refers to are in no backup")
    assert [told["detail"] for told in hands.heard.of(Event.BACKUP_INCOMPLETE)] == list(made.doubts)


def test_a_damaged_archive_is_told_and_what_was_taken_before_stays(hands: Hands, kept: Library) -> None:
    hands.make()
    kept.keep(1, first=3)
    (hands.config.folder / "archive.db").write_bytes(b"no database " * 1000)
    made = hands.make()
    assert "no SQLite database" in made.doubts[0]
    assert made.backup.manifest.archive.missing == 1


@pytest.mark.parametrize("content", [None, b"no database " * 1000])
def test_a_library_that_cannot_be_read_is_no_backup(hands: Hands, content: bytes | None) -> None:
    before = hands.make().backup
    atlas = hands.config.folder / "atlas.db"
    atlas.unlink()
    if content is not None:
        atlas.write_bytes(content)
    with pytest.raises(StoreUnreadable):
        hands.make()
    assert hands.ids == [before.id]
    assert not any(name.startswith(".partial") for name in hands.names)
    (told,) = hands.heard.of(Event.BACKUP_FAILED)
    assert told["code"] in {"store_unreadable", "store_damaged"}


def test_one_that_does_not_pass_its_check_is_kept_aside_and_counts_for_nothing(
    hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = hands.make().backup
    figures = totals(hands)
    monkeypatch.setattr(checking, "examine", lambda _path: ("page 7 is torn",))
    for _ in range(FAILED_KEPT + 2):
        with pytest.raises(BackupFailed, match="did not pass its check: page 7 is torn"):
            hands.make()
    assert hands.ids == [before.id]
    assert totals(hands) == figures
    aside = [name for name in hands.names if name.startswith(".failed-")]
    assert len(aside) == FAILED_KEPT
    assert len(hands.heard.of(Event.BACKUP_FAILED)) == FAILED_KEPT + 2
    assert len(hands.folder.packs()) == 1


def test_good_ones_are_not_deleted_because_of_those_that_fail(hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    few = hands.with_settings(keep_daily=1, keep_weekly=0, keep_monthly=0)
    for _ in range(3):
        few.make()
    ids = few.ids
    monkeypatch.setattr(checking, "examine", lambda _path: ("page 7 is torn",))
    for _ in range(5):
        with pytest.raises(BackupFailed):
            few.make()
    assert few.ids == ids


def test_the_last_good_one_before_is_kept_whatever_its_age(hands: Hands) -> None:
    few = hands.with_settings(keep_daily=1, keep_weekly=0, keep_monthly=0)
    first = few.make().backup
    for _ in range(3):
        later = few.make().backup
        (later.path / "check.json").unlink()
    assert first.id in few.ids


def test_weeks_of_backups_leave_those_of_the_rule_and_note_which_have_gone(hands: Hands) -> None:
    few = hands.with_settings(keep_daily=3, keep_weekly=2, keep_monthly=1)
    made = [few.make().backup.id for _ in range(18)]
    assert few.ids[:3] == made[:-4:-1]
    assert len(few.ids) <= 3 + 2 + 1
    assert {*few.folder.retired().backups, *few.ids} == set(made)


def test_without_room_it_is_refused_before_anything_is_written(hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "space_of", lambda _path: Space(total=10**12, free=60_000_000))
    with pytest.raises(StoreFull, match=r"a backup needs \d MiB on the disk of .*: 58 MiB are free") as caught:
        hands.make()
    assert "[backup] dir" in caught.value.hint
    assert hands.names == {".lock", "archive"}


def test_what_cannot_be_tidied_away_does_not_cost_the_backup(hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(archive, "merge", broken)
    monkeypatch.setattr(archive, "SMALL_MOST", 0)
    made = hands.make()
    assert made.doubts == ("what has served its time could not be tidied away: [Errno 5] Input/output error",)
    assert hands.ids == [made.backup.id]
    assert totals(hands)["backup_at"] == hands.clock.wall


def test_on_the_librarys_own_disk_it_leaves_what_saves_need(hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "space_of", lambda _path: Space(total=10**12, free=49_000_000_000))
    with pytest.raises(StoreFull, match="of which 47,684 MiB are to stay so"):
        hands.make()


def test_a_disk_that_fills_up_meanwhile_leaves_nothing_half(hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    before = hands.make().backup

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for place, name in ((files, "pack"), (archive, "take_new"), (files.os, "fsync")):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, full)
            with pytest.raises((StoreFull, BackupFailed), match="No space left"):
                hands.make()
        assert hands.names == {before.id, "archive", ".lock"}


def test_of_two_at_once_one_works_and_the_other_is_told_to_wait(hands: Hands) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def say(part: str) -> None:
        if part == "pack":
            begun.set()
            assert go_on.wait(20)

    other = hands.with_settings()
    working = threading.Thread(target=hands.make, kwargs={"say": say})
    working.start()
    assert begun.wait(20)
    try:
        with pytest.raises(BackupBusy) as caught:
            other.make()
    finally:
        go_on.set()
        working.join(20)
    assert caught.value.retryable
    assert len(hands.ids) == 1


def test_a_busy_library_is_backed_up_and_that_it_was_not_told_is_told(
    hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "BUSY_MS", 10)
    with closing(apsw.Connection(str(hands.config.folder / "atlas.db"))) as holder:
        holder.execute("BEGIN IMMEDIATE")
        made = hands.make()
        holder.execute("ROLLBACK")
    assert made.backup.is_good
    assert "monitors will not know" in made.doubts[0]


def test_a_library_of_an_older_release_is_backed_up_as_it_is(tmp_path: Path) -> None:
    """As before an upgrade: a look at it must not migrate it."""
    hands = Hands(tmp_path)
    for name in ("atlas", "archive"):
        with closing(apsw.Connection(str(tmp_path / f"{name}.db"))) as conn:
            conn.pragma("journal_mode", "wal")
            migrate(conn, migrations(name)[:3])
    made = hands.make()
    assert (made.doubts, made.backup.manifest.evidence.schema) == ((), 3)
    with closing(apsw.Connection(str(tmp_path / "atlas.db"))) as conn:
        assert conn.pragma("user_version") == 3


def test_a_lock_that_is_somebody_elses_file_is_told(hands: Hands, tmp_path: Path) -> None:
    hands.folder.create()
    (hands.folder.path / ".lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BackupFailed, match="Too many levels of symbolic links"):
        hands.make()
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_cannot_be_made_is_told(hands: Hands) -> None:
    shutil.rmtree(hands.folder.path, ignore_errors=True)
    hands.folder.path.write_bytes(b"a file")
    with pytest.raises(BackupFailed, match="cannot be made"):
        hands.make()
    os.unlink(hands.folder.path)  # noqa: PTH108
