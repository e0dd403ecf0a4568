"""`atlas restore` and the bodies: with packs that are damaged, and with files that are not where they mostly are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from supervisor.exits import Exit
from tests.unit.supervisor.kept import NOTE, Kept
from tests.unit.supervisor.library import PAGE, damage


def the_pack(kept: Kept) -> Path:
    (pack,) = (kept.folder / "backups" / "archive").iterdir()
    return pack


def bodies(archive: Path) -> int:
    connection = apsw.Connection(str(archive))
    found: int = connection.execute("SELECT count(*) FROM bodies").get
    connection.close()
    return found


def without_archive(kept: Kept) -> None:
    for path in kept.folder.glob("archive.db*"):
        path.unlink()


def cut(pack: Path) -> None:
    pack.write_bytes(pack.read_bytes()[:100])


def first_page(pack: Path) -> None:
    damage(pack, 1)


def page_of_a_body(pack: Path) -> None:
    """The last one: with a bit of luck the keys are elsewhere."""
    damage(pack, pack.stat().st_size // PAGE)


@pytest.mark.parametrize("hurt", [cut, first_page, page_of_a_body])
def test_a_damaged_pack_is_told_and_keeps_nobody_from_a_sound_archive(kept: Kept, hurt: Callable[[Path], None]) -> None:
    hurt(the_pack(kept))
    (new,) = kept.accept(NOTE)
    done = kept.restore()
    assert (done["archive"], done["accepted_since"], done["brought_back"]) == ("kept", 1, 1)
    assert new in kept.items()
    assert bodies(kept.folder / "archive.db") == 4


@pytest.mark.parametrize("hurt", [cut, first_page, page_of_a_body])
def test_what_a_damaged_pack_lacks_is_told_and_the_others_are_restored(
    kept: Kept, hurt: Callable[[Path], None], atlas: Callable[..., Any]
) -> None:
    sick = the_pack(kept)
    kept.library.keep(2, first=50)
    atlas("backup")
    hurt(sick)
    without_archive(kept)
    done = kept.restore()
    assert done["archive"] == "rebuilt"
    assert done["doubts"]
    assert bodies(kept.folder / "archive.db") >= 2


def test_library_and_archive_of_one_name_are_both_kept_aside(
    kept: Kept, atlas: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for n, name in enumerate(("atlas.db", "archive.db")):
        (kept.folder / str(n)).mkdir()
        (kept.folder / name).rename(kept.folder / str(n) / "x.db")
    monkeypatch.setenv("ATLAS_DATABASE_PATH", "0/x.db")
    monkeypatch.setenv("ATLAS_DATABASE_ARCHIVE_PATH", "1/x.db")
    (kept.folder / "1" / "x.db").write_bytes(b"rubbish" * 1000)
    library = (kept.folder / "0" / "x.db").read_bytes()
    aside = Path(kept.restore()["replaced"])
    assert (aside / "x.db").read_bytes() == library
    assert (aside / "archive-x.db").read_bytes() == b"rubbish" * 1000
    assert bodies(kept.folder / "1" / "x.db") == 3


def test_a_folder_that_is_not_there_is_not_called_another_disk(
    kept: Kept, atlas: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATLAS_DATABASE_PATH", "sub/atlas.db")
    told = atlas("restore", kept.id)
    assert told.code == Exit.FAILED
    assert f"there is no folder {kept.folder / 'sub'}" in told.err
