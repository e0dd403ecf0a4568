"""`atlas restore`: the library of a backup, with what was accepted since, in the place of the one that was there."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from pipeline.errors import NotFound
from pipeline.store.damage import MARK, Damage, known, mark
from pipeline.store.handle import Store
from pipeline.store.library import UNFINISHED
from supervisor.exits import Exit
from tests.store.hands import claim_all, page, run_through
from tests.unit.supervisor.kept import NOTE, Kept
from tests.unit.supervisor.library import damage, root_of


def sound(path: Path) -> None:
    with contextlib.closing(apsw.Connection(str(path))) as conn:
        assert conn.pragma("integrity_check") == "ok"
        assert conn.execute("PRAGMA foreign_key_check").fetchall() == []
        counted = "SELECT stage, state, n FROM counts WHERE n <> 0 ORDER BY stage, state"
        columns = "stage, iif(deleted_at IS NULL, state, 'deleted'), count(*)"
        real = conn.execute(f"SELECT {columns} FROM items GROUP BY 1, 2 ORDER BY 1, 2").fetchall()
        assert conn.execute(counted).fetchall() == real


def test_what_was_accepted_since_is_in_the_restored_library_as_it_was(kept: Kept) -> None:
    before = kept.items()
    new, note = kept.accept(page("https://example.org/new", title="New", tags=("a", "b")), NOTE)
    old = next(iter(before))
    gone = list(before)[1]

    async def mark_some(store: Store) -> None:
        await store.items.mark(new, starred=True)
        await store.items.mark(old, read=True, archived=True)
        await store.items.delete(gone)
        await store.feeds.add("https://example.org/feed", interval_seconds=600)
        await store.tokens.create("phone", "read")

    kept.run(mark_some)
    was = kept.items()
    done = kept.restore()
    assert (done["backup"], done["items"], done["accepted_since"], done["notes"]) == (kept.id, 3, 2, 1)
    assert (done["marks"], done["feeds"], done["brought_back"], done["doubts"]) == (2, 1, 5, [])
    assert (done["archive"], done["unreadable"]) == ("kept", 0)
    found = kept.items()
    assert found.keys() == was.keys()
    for uid in was:
        for field in ("url", "kind", "given_title", "tags", "created_at", "raised_at", "read_at", "starred_at"):
            assert getattr(found[uid], field) == getattr(was[uid], field), (uid, field)
        assert found[uid].archived_at == was[uid].archived_at

    async def others(store: Store) -> tuple[Any, ...]:
        capture = await store.items.capture(note)
        assert capture is not None
        text = (await store.bodies.get(capture.body)).decode()
        feeds = [(feed.url, feed.interval_seconds) for feed in await store.feeds.list()]
        with pytest.raises(NotFound):
            await store.items.get(gone)
        return text, feeds, [token.name for token in await store.tokens.list()]

    assert kept.run(others) == (NOTE.text, [("https://example.org/feed", 600)], ["phone"])
    sound(kept.folder / "atlas.db")
    sound_archive = examine_archive(kept.folder / "archive.db")
    assert sound_archive == 4  # three pages and the note


def examine_archive(path: Path) -> int:
    with contextlib.closing(apsw.Connection(str(path))) as conn:
        assert conn.pragma("integrity_check") == "ok"
        return int(conn.execute("SELECT count(*) FROM bodies").get)


def test_what_was_replaced_is_kept_aside_byte_by_byte(kept: Kept) -> None:
    kept.accept(page("https://example.org/new"))
    before = kept.there()["atlas.db"]
    done = kept.restore()
    aside = Path(done["replaced"])
    assert (aside / "atlas.db").read_bytes() == before
    assert aside.parent == kept.folder
    assert aside.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in aside.iterdir() if not path.name.endswith("-shm"))
    (line,) = (aside / "accepted-since.jsonl").read_bytes().splitlines()
    assert json.loads(line)["url"] == "https://example.org/new"
    assert not [path for path in kept.folder.iterdir() if path.name.startswith((".restoring-", UNFINISHED))]


def test_it_goes_on_working_after_it_and_can_be_called_again(kept: Kept) -> None:
    kept.accept(page("https://example.org/new"))
    first, second = kept.restore(), kept.restore()
    assert first["replaced"] != second["replaced"]
    assert second["accepted_since"] == 1
    assert len(kept.items()) == 4
    sound(kept.folder / "atlas.db")

    async def goes_on(store: Store) -> None:
        (claim,) = await claim_all(store)
        await run_through(store, claim, text="the text of the new one")
        assert len((await store.search.find("new")).hits) == 1

    kept.run(goes_on)


def test_a_damaged_library_is_replaced_with_its_mark_and_what_can_be_read_of_it_is_brought_back(kept: Kept) -> None:
    (note, new) = kept.accept(NOTE, page("https://example.org/new"))
    damage(kept.library.atlas, root_of(kept.library.atlas, "documents"))
    mark(kept.folder, Damage(at=1, where="read", file="atlas.db", said="torn"))
    bad = kept.library.atlas.read_bytes()
    done = kept.restore()
    assert {note, new} <= kept.items().keys()
    assert known(kept.folder) is None
    aside = Path(done["replaced"])
    assert (aside / MARK).exists()
    assert (aside / "atlas.db").read_bytes() == bad


def test_of_an_item_whose_row_is_torn_the_address_comes_back(kept: Kept) -> None:
    kept.accept(*(page(f"https://example.org/many/{n}", title="x" * 900) for n in range(40)))
    tear_leaves(kept.library.atlas, "items")
    mark(kept.folder, Damage(at=1, where="read", file="atlas.db", said="torn"))
    done = kept.restore()
    urls = {item.url for item in kept.items().values()}
    assert {f"https://example.org/many/{n}" for n in range(40)} <= urls
    assert done["unreadable"] == 0


def tear_leaves(path: Path, table: str) -> None:
    """Overwrite the last leaf page of a table."""
    with contextlib.closing(apsw.Connection(str(path))) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        root = conn.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).get
    content = path.read_bytes()[(root - 1) * 4096 : root * 4096]
    assert content[0] == 5, "an interior page of a table"
    damage(path, int.from_bytes(content[8:12], "big"))


@pytest.mark.parametrize("hurt", ["no database", "empty", "missing"])
def test_a_library_of_which_nothing_can_be_read_is_replaced_and_that_is_said(kept: Kept, hurt: str) -> None:
    match hurt:
        case "no database":
            kept.library.atlas.write_bytes(b"\xa7" * 40960)
        case "empty":
            kept.library.atlas.write_bytes(b"")
        case _:
            kept.library.atlas.unlink()
    done = kept.restore()
    assert done["was_empty"] == (hurt == "missing")  # as on a new machine: nothing to doubt
    assert bool(done["doubts"]) == (hurt != "missing")
    assert len(kept.items()) == 3


def test_a_sound_archive_is_kept_and_gets_what_only_the_backups_have(kept: Kept) -> None:
    with contextlib.closing(apsw.Connection(str(kept.library.archive))) as conn:
        conn.execute("DELETE FROM bodies WHERE rowid = 1")
        conn.execute(
            "INSERT INTO bodies (hash, size, stored_at, data) VALUES (?, 1, 1, x'00')", ("f" * 64,)
        )  # of nobody any more, and kept
    done = kept.restore()
    assert (done["archive"], done["bodies_added"]) == ("kept", 1)
    assert examine_archive(kept.library.archive) == 4


@pytest.mark.parametrize("hurt", ["torn", "missing"])
def test_an_archive_that_is_damaged_or_missing_is_made_anew_from_the_backups(kept: Kept, hurt: str) -> None:
    if hurt == "torn":
        damage(kept.library.archive, root_of(kept.library.archive, "bodies"))
    else:
        kept.library.archive.unlink()
    bad = kept.library.archive.read_bytes() if hurt == "torn" else None
    done = kept.restore()
    assert (done["archive"], done["bodies_added"]) == ("rebuilt", 3)
    assert examine_archive(kept.library.archive) == 3
    aside = Path(done["replaced"]) / "archive.db"
    assert (aside.read_bytes() if aside.exists() else None) == bad


# As it is told


def test_it_says_in_words_what_was_done(kept: Kept, atlas: Callable[..., Any]) -> None:
    kept.accept(page("https://example.org/new"), NOTE)
    told = atlas("restore", kept.id)
    assert told.code == Exit.OK
    for part in (
        f"the backup {kept.id}", "with 3 items", "2 items (1 of them notes)", "Brought back: 2 of these 2",
        "was sound, and is kept", f"{kept.folder}/replaced-", "systemctl start", "atlas up",
    ):  # fmt: skip
        assert part in told.out, part


def test_monitors_go_on_to_see_the_age_of_the_newest_backup(kept: Kept, atlas: Callable[..., Any]) -> None:
    atlas("backup")

    async def figures(store: Store) -> Any:
        return await store.status.figures()

    before = kept.run(figures)
    kept.restore()
    after = kept.run(figures)
    assert after.backup_at == before.backup_at
    assert after.backup_verified_at is not None
