"""A restore that is refused has replaced nothing: paths, foreign and hostile databases, no room, others at work."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest

from pipeline.store.disk import Space
from pipeline.store.library import UNFINISHED, shared_now
from pipeline.store.migrate import SCHEMA_VERSION
from supervisor.backups import files
from supervisor.backups.manifest import DATABASE, MANIFEST, Manifest, encode
from supervisor.exits import Exit
from tests.store.hands import page
from tests.unit.supervisor.kept import Kept


def refused(kept: Kept, atlas: Callable[..., Any], *arguments: str) -> tuple[int, str]:
    before = kept.there()
    told = atlas("restore", *arguments)
    assert kept.there() == before
    assert not [path.name for path in kept.folder.iterdir() if path.name.startswith((".restoring-", "replaced-"))]
    return told.code, told.err


@pytest.mark.parametrize("wanted", ["nope", "../backups", "/etc/passwd", "archive", ".", "", "20200101T000000Z"])
def test_only_an_id_of_the_list_is_taken(kept: Kept, atlas: Callable[..., Any], wanted: str) -> None:
    code, said = refused(kept, atlas, wanted)
    assert code == Exit.FAILED
    assert "atlas backup list" in said


def test_without_an_id_it_asks_for_one(kept: Kept, atlas: Callable[..., Any]) -> None:
    code, said = refused(kept, atlas)
    assert (code, "which backup?" in said) == (Exit.FAILED, True)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def link(path: Path) -> None:
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))


@pytest.mark.parametrize("hurt", [cut, flip, link, Path.unlink])
def test_a_backup_that_is_not_what_it_was_replaces_nothing(
    kept: Kept, atlas: Callable[..., Any], hurt: Callable[[Path], None]
) -> None:
    hurt(kept.path / DATABASE)
    code, said = refused(kept, atlas, kept.id)
    assert code == Exit.FAILED
    assert kept.id in said
    assert "another" in said


HOSTILE = {
    "trigger": "CREATE TRIGGER evil AFTER INSERT ON items BEGIN DELETE FROM tokens; END",
    "view": "CREATE VIEW evil AS SELECT hash FROM tokens",
    "table": "CREATE TABLE evil (x)",
    "trigger changed": "DROP TRIGGER items_moved;"
    " CREATE TRIGGER items_moved AFTER UPDATE ON items BEGIN DELETE FROM tags; END",
    "another program's": "PRAGMA application_id = 4711",
    "newer": f"PRAGMA user_version = {SCHEMA_VERSION + 1}",
    "wrong counts": "DELETE FROM tags; DELETE FROM steps",
    "rows that refer to nothing": "PRAGMA foreign_keys = OFF; INSERT INTO tags VALUES (4711, 'x')",
}


def forge(kept: Kept, sql: str) -> None:
    """A backup whose every hash is right, and whose database somebody has changed."""
    manifest = msgspec.json.decode((kept.path / MANIFEST).read_bytes(), type=Manifest)
    plain, packed = kept.folder / "forged.db", kept.path / DATABASE
    files.unpack(packed, plain, manifest.database)
    with contextlib.closing(apsw.Connection(str(plain))) as conn:
        conn.pragma("journal_mode", "delete")
        conn.execute(sql)
    packed.unlink()
    database = files.pack(plain, packed)
    plain.unlink()
    (kept.path / MANIFEST).write_bytes(encode(msgspec.structs.replace(manifest, database=database)))


@pytest.mark.parametrize("kind", HOSTILE)
def test_s13_a_hostile_or_foreign_database_replaces_nothing(kept: Kept, atlas: Callable[..., Any], kind: str) -> None:
    forge(kept, HOSTILE[kind])
    code, said = refused(kept, atlas, kept.id)
    assert code in {Exit.FAILED, Exit.UNAVAILABLE, Exit.CONFIG}, said
    assert said


def test_a_backup_of_a_newer_release_is_refused_with_what_to_do(kept: Kept, atlas: Callable[..., Any]) -> None:
    manifest = msgspec.json.decode((kept.path / MANIFEST).read_bytes(), type=Manifest)
    evidence = msgspec.structs.replace(manifest.evidence, schema=SCHEMA_VERSION + 1)
    newer = msgspec.structs.replace(manifest, release="9.9", evidence=evidence)
    (kept.path / MANIFEST).write_bytes(encode(newer))
    code, said = refused(kept, atlas, kept.id)
    assert code == Exit.CONFIG
    assert "release 9.9" in said
    assert "install that release" in said


def test_while_anybody_has_the_library_open_it_is_refused_and_names_them(kept: Kept, atlas: Callable[..., Any]) -> None:
    with shared_now(kept.folder):
        code, said = refused(kept, atlas, kept.id)
    assert code == Exit.TRY_LATER
    assert "is in use by" in said
    assert "systemctl stop" in said


def test_without_room_on_the_disk_nothing_is_begun(
    kept: Kept, atlas: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supervisor.backups.files.space_of", lambda _path: Space(total=10**9, free=10**6))
    code, said = refused(kept, atlas, kept.id)
    assert code == Exit.TRY_LATER
    assert "nothing was replaced" in said


@pytest.mark.parametrize("writes", range(4))
def test_a_disk_that_is_full_in_the_middle_replaces_nothing(
    kept: Kept, atlas: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    left, create = [writes], files.create

    def fills_up(path: Path) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        return create(path)

    kept.accept(page("https://example.org/new"))
    monkeypatch.setattr("supervisor.backups.files.create", fills_up)
    if writes == 3:
        assert atlas("restore", kept.id).code == Exit.OK, "no more than three are written"
        return
    code, said = refused(kept, atlas, kept.id)
    assert code == Exit.TRY_LATER
    assert "nothing was replaced" in said


def test_what_a_run_that_was_killed_before_has_left_is_removed(kept: Kept) -> None:
    left = kept.folder / ".restoring-20200101T000000Z"
    left.mkdir()
    (left / "atlas.db").write_bytes(b"half")
    kept.restore()
    assert not left.exists()


def test_a_restore_whose_restored_file_is_gone_says_what_to_do_by_hand(
    kept: Kept, atlas: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def dies(*_arguments: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("supervisor.backups.swap.finish", dies)
        with pytest.raises(Killed):
            atlas("restore", kept.id)
    for path in kept.folder.glob(".restoring-*"):
        shutil.rmtree(path)
    told = atlas("restore", kept.id)
    assert told.code == Exit.CONFIG
    assert UNFINISHED in told.err
    assert atlas("status").code == Exit.CONFIG
    (kept.folder / UNFINISHED).unlink()
    assert len(kept.items()) == 3
