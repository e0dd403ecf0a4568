"""F26, S13: a backup is restored and compared before it counts; whatever was changed in one is found."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest
import zstandard

from pipeline.store.evidence import QUERIES, gather
from supervisor.backups import files
from supervisor.backups.folder import Backup
from supervisor.cli import main
from supervisor.exits import Exit
from tests.test_reliability.sizes import figure
from tests.unit.supervisor.backups.hands import Hands
from tests.unit.supervisor.library import Library


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = Library(tmp_path_factory.mktemp("original"))
    library.keep(30)
    return library.folder


@pytest.fixture
def kept(original: Path, data_dir: Path) -> Library:
    shutil.copytree(original, data_dir, dirs_exist_ok=True)
    return Library(data_dir)


@pytest.fixture
def hands(kept: Library, monkeypatch: pytest.MonkeyPatch) -> Hands:
    for name, value in {"DATA_DIR": str(kept.folder), "CONFIG": "/dev/null", "ENV_FILE": "/dev/null"}.items():
        monkeypatch.setenv(f"ATLAS_{name}", value)
    return Hands(kept.folder)


@pytest.fixture
def atlas(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Any]]:
    """The exit code of a command, and the JSON that it prints."""

    def run(*arguments: str) -> tuple[int, Any]:
        code = main([*arguments, "--json"])
        printed = capsys.readouterr().out
        return code, json.loads(printed) if printed else None

    return run


def forged(hands: Hands, backup: Backup, *statements: str, is_honest: bool = False) -> None:
    """Change the library inside a backup, and its manifest with it, so that all hashes are right.

    `is_honest`: also what the manifest says of the contents is then right.
    """
    library = hands.config.folder / "forged.db"
    files.unpack(backup.database, library, backup.manifest.database)
    with closing(apsw.Connection(str(library))) as conn:
        for statement in statements:
            conn.execute(statement)
    exchanged(hands, backup, library)
    if is_honest:
        hands.rewrite(backup, evidence=msgspec.to_builtins(gather(library)))
    library.unlink()


def exchanged(hands: Hands, backup: Backup, library: Path) -> None:
    backup.database.unlink()
    database = files.pack(library, backup.database)
    hands.rewrite(backup, database=msgspec.to_builtins(database))


# As it should be


def test_the_drill_restores_everything_and_all_golden_queries_find_what_they_found(hands: Hands, atlas: Any) -> None:
    made = hands.make().backup
    assert len(made.manifest.evidence.golden) == QUERIES
    assert made.manifest.evidence.items == {"done": 30}
    code, told = atlas("backup", "drill")
    assert (code, told["backup"], told["faults"], told["doubts"], told["bodies"]) == (Exit.OK, made.id, [], [], 30)
    figures = hands_figures(hands)
    assert figures["drilled_at"] > 0
    assert figures["backup_verified_at"] == hands.clock.wall  # what a drill reads may be a week old
    size = told["library_bytes"] + told["archive_bytes"]
    took = told["library_seconds"] + told["archive_seconds"]
    figure("backup_drill", f"{QUERIES} golden queries equal, {size / 1e6:.1f} MB restored and compared in {took:.2f} s")
    assert not [name for name in hands.names if name.startswith(".partial")]


def hands_figures(hands: Hands) -> dict[str, int]:
    with closing(apsw.Connection(str(hands.config.folder / "atlas.db"))) as conn:
        return dict(conn.execute("SELECT name, n FROM totals"))  # type: ignore[arg-type]


# Files that are not what they were


def truncated(_hands: Hands, backup: Backup) -> None:
    content = backup.database.read_bytes()
    backup.database.write_bytes(content[:-100])


def flipped(_hands: Hands, backup: Backup) -> None:
    content = bytearray(backup.database.read_bytes())
    content[len(content) // 2] ^= 1
    backup.database.write_bytes(content)


def swapped(hands: Hands, backup: Backup) -> None:
    other = hands.make().backup
    backup.database.write_bytes(other.database.read_bytes())
    hands.folder.delete(other.path)


def missing(_hands: Hands, backup: Backup) -> None:
    backup.database.unlink()


def linked(_hands: Hands, backup: Backup) -> None:
    backup.database.rename(backup.path / "elsewhere")
    backup.database.symlink_to("elsewhere")


def bomb(hands: Hands, backup: Backup) -> None:
    """Little that unpacks to much more than the manifest says."""
    backup.database.write_bytes(zstandard.compress(b"\0" * 100_000_000))
    _renamed(hands, backup)


def greedy(hands: Hands, backup: Backup) -> None:
    """A frame that asks for a gigabyte of memory to be unpacked."""
    parameters = zstandard.ZstdCompressionParameters(window_log=30, compression_level=1)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    backup.database.write_bytes(compressor.compress(b"\0" * 10_000) + compressor.flush())
    _renamed(hands, backup)


def longer(hands: Hands, backup: Backup) -> None:
    backup.database.write_bytes(backup.database.read_bytes() + zstandard.compress(b"more"))
    _renamed(hands, backup)


def _renamed(hands: Hands, backup: Backup) -> None:
    """As somebody would who can compute a hash: what is packed is as the manifest says."""
    content = backup.database.read_bytes()
    hands.rewrite(
        backup, database__packed_bytes=len(content), database__packed_sha256=hashlib.sha256(content).hexdigest()
    )


def told_other_hash(hands: Hands, backup: Backup) -> None:
    hands.rewrite(backup, database__sha256="0" * 64)


def told_other_size(hands: Hands, backup: Backup) -> None:
    hands.rewrite(backup, database__bytes=backup.manifest.database.bytes + 1)


def told_huge(hands: Hands, backup: Backup) -> None:
    hands.rewrite(backup, database__bytes=10**17)


# Contents that are not what they were


def told_other_counts(hands: Hands, backup: Backup) -> None:
    hands.rewrite(backup, evidence__items__done=31)


def told_other_golden(hands: Hands, backup: Backup) -> None:
    golden = msgspec.to_builtins(backup.manifest.evidence.golden)
    golden[0]["items"] = [999]
    hands.rewrite(backup, evidence__golden=golden)


def told_fewer_missing(hands: Hands, backup: Backup) -> None:
    for pack in hands.folder.packs():
        pack.unlink()


def other_identity(hands: Hands, backup: Backup) -> None:
    forged(hands, backup, "PRAGMA application_id = 7")


def triggered(hands: Hands, backup: Backup) -> None:
    evil = "CREATE TRIGGER evil AFTER UPDATE ON totals BEGIN DELETE FROM items; END"
    forged(hands, backup, evil, is_honest=True)


def viewed(hands: Hands, backup: Backup) -> None:
    forged(hands, backup, "CREATE VIEW evil AS SELECT * FROM tokens", is_honest=True)


def foreign(hands: Hands, backup: Backup) -> None:
    """The database of another program, honestly described but for its contents."""
    library = hands.config.folder / "foreign.db"
    with closing(apsw.Connection(str(library))) as conn:
        conn.execute("CREATE TABLE moz_places (id INTEGER PRIMARY KEY, url TEXT)")
    exchanged(hands, backup, library)
    library.unlink()


def no_database(hands: Hands, backup: Backup) -> None:
    library = hands.config.folder / "text.db"
    library.write_bytes(b"no database " * 10_000)
    exchanged(hands, backup, library)
    library.unlink()


def dangling(hands: Hands, backup: Backup) -> None:
    statements = ("PRAGMA foreign_keys = OFF", "UPDATE captures SET item_id = 999 WHERE id = 1")
    forged(hands, backup, *statements, is_honest=True)


def unindexed(hands: Hands, backup: Backup) -> None:
    forged(hands, backup, "UPDATE search_data SET block = zeroblob(length(block)) WHERE id > 10")


CHANGES: dict[Callable[[Hands, Backup], None], str] = {
    truncated: "bytes long, not",
    flipped: "does not match the hash|cannot be unpacked",
    swapped: "bytes long, not|does not match the hash",
    missing: "cannot be opened: No such file",
    linked: "cannot be opened: Too many levels of symbolic links",
    bomb: "unpacks to more than was packed",
    greedy: "cannot be unpacked",
    longer: "goes on after its end",
    told_other_hash: "does not unpack to what was packed",
    told_other_size: "does not unpack to what was packed",
    told_other_counts: "items done: 30, and 31 were noted",
    told_other_golden: "a search for .* finds",
    told_fewer_missing: "30 bodies that it refers to are in no pack, and 0 were missing",
    other_identity: "is a database, but not one of Atlas",
    triggered: "trigger evil is unknown to Atlas",
    viewed: "view evil is unknown to Atlas",
    foreign: "is a database, but not one of Atlas",
    no_database: "the file is no SQLite database",
    dangling: "refers to one of items that is not there",
    unindexed: "search|fts5|malformed",
}


@pytest.mark.parametrize(("change", "told"), CHANGES.items(), ids=lambda each: getattr(each, "__name__", ""))
def test_whatever_is_changed_in_a_backup_is_found_and_told(
    hands: Hands, atlas: Any, change: Callable[[Hands, Backup], None], told: str
) -> None:
    backup = hands.make().backup
    change(hands, backup)
    before = hands_figures(hands)
    code, (found,) = atlas("backup", "verify", backup.id)
    assert code == Exit.FAILED
    assert len(found["faults"]) >= 1
    assert re.search(told, "; ".join(found["faults"])), found["faults"]
    assert not hands.folder.listing().newest().is_good
    assert hands_figures(hands) == before
    assert not [name for name in hands.names if name.startswith(".partial")]


def test_one_that_would_need_more_than_the_disk_has_is_refused_before_anything_is_written(
    hands: Hands, capsys: pytest.CaptureFixture[str]
) -> None:
    backup = hands.make().backup
    told_huge(hands, backup)
    assert main(["backup", "verify", backup.id]) == Exit.TRY_LATER
    assert "restoring the backup to check it needs 95,367,431,641 MiB" in capsys.readouterr().err


def test_a_damaged_backup_is_found_again_when_it_is_whole_again(hands: Hands, atlas: Any) -> None:
    backup = hands.make().backup
    content = backup.database.read_bytes()
    truncated(hands, backup)
    assert atlas("backup", "verify")[0] == Exit.FAILED
    backup.database.write_bytes(content)
    assert atlas("backup", "verify")[0] == Exit.OK
    assert hands.folder.listing().newest().is_good


def test_a_flipped_byte_in_a_pack_is_found_by_the_drill(hands: Hands, atlas: Any) -> None:
    hands.make()
    (pack,) = hands.folder.packs()
    content = bytearray(pack.read_bytes())
    content[-100] ^= 1
    pack.write_bytes(content)
    code, told = atlas("backup", "drill")
    assert code == Exit.FAILED
    assert f"the pack {pack.name[:12]}… does not match its name: its bytes have changed" in told["faults"]
