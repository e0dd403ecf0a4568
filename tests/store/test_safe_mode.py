"""A damaged library: from SQLite's first word about it nothing is written to it, by anybody, until it is restored."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import apsw
import pytest
import trio

from pipeline import errors
from pipeline.items import Kind, Submission
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.damage import MARK, Damage, clear, condemn, known, mark
from pipeline.store.handle import Store, open_store
from tests.store.hands import TestClock, claim_all, page, run_through

PAGE = 4096
NEW = "https://example.org/new"
DAMAGE = Damage(at=1, where="read", file="atlas.db", said="it is torn")


def opened(folder: Path, *, told: list[Damage] | None = None) -> AbstractAsyncContextManager[Store]:
    settings = (DatabaseSettings(), QueueSettings(), RetrySettings())
    return open_store(*settings, folder=folder, clock=TestClock(), on_damage=None if told is None else told.append)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A library of some articles, closed."""

    async def fill() -> None:
        async with opened(tmp_path) as store:
            for n in range(20):
                await store.items.accept(page(f"https://example.org/{n}"))
                (claim,) = await claim_all(store)
                await run_through(store, claim, text=f"text {n} " + f"word{n} " * 800)

    trio.run(fill)
    return tmp_path


def root_of(path: Path, name: str) -> int:
    with contextlib.closing(apsw.Connection(str(path))) as conn:
        return int(conn.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).get)


def tear(path: Path, number: int) -> None:
    """Overwrite a page."""
    with path.open("r+b") as file:
        file.seek((number - 1) * PAGE)
        file.write(b"\xa7" * PAGE)


def tear_table(folder: Path, name: str) -> None:
    tear(folder / "atlas.db", root_of(folder / "atlas.db", name))


def bytes_of(folder: Path) -> tuple[bytes, ...]:
    return tuple((folder / name).read_bytes() for name in ("atlas.db",))


async def refused(store: Store) -> errors.StoreDamaged:
    with pytest.raises(errors.StoreDamaged) as error:
        await store.items.accept(page(NEW))
    return error.value


async def test_a_read_that_meets_a_damage_ends_all_writing_and_other_reads_go_on(folder: Path) -> None:
    torn, told = root_of(folder / "atlas.db", "steps"), list[Damage]()
    async with opened(folder, told=told) as store:
        tear(folder / "atlas.db", torn)  # opening it reads here and there, and would find it
        before = bytes_of(folder)
        (first, *_rest) = (await store.items.list(_all())).items
        with pytest.raises(errors.StoreDamaged, match="damaged"):
            await store.items.steps(first.item.uid)
        why = await refused(store)
        assert "atlas restore ID" in why.hint
        for write in (
            lambda: store.items.delete(first.item.uid),
            lambda: store.tokens.create("phone", "read"),
            lambda: store.queue.claim({100: 5}, boot="b"),
            store.status.sweep,
            lambda: store.status.check(seconds=1),
        ):
            with pytest.raises(errors.StoreDamaged):
                await write()
        assert (await store.items.get(first.item.uid)).uid == first.item.uid
        assert store.status.damage() == known(folder) == told[0]
    assert bytes_of(folder) == before
    assert (told[0].where, told[0].file, len(told)) == ("read", "atlas.db", 1)
    assert "malformed" in told[0].said


def _all():
    from pipeline.store.items import ItemFilter

    return ItemFilter()


async def test_a_write_that_meets_a_damage_is_undone_with_all_that_was_to_be_written_beside_it(folder: Path) -> None:
    def meets_it(conn: apsw.Connection) -> None:
        conn.execute("UPDATE items SET read_at = 1")
        raise apsw.CorruptError("page 9 is not a page")

    def innocent(conn: apsw.Connection) -> None:
        conn.execute("UPDATE items SET starred_at = 1")

    before, failed = bytes_of(folder), list[errors.StoreError]()
    async with opened(folder) as store:

        async def submit(write: Callable[[], Awaitable[object]]) -> None:
            with pytest.raises(errors.StoreDamaged) as error:
                await write()
            failed.append(error.value)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(submit, lambda: store.items._db.write(meets_it))
            nursery.start_soon(submit, lambda: store.items._db.write(innocent))
        await refused(store)
        found = known(folder)
        assert found is not None
        assert (found.where, found.said) == ("write", "page 9 is not a page")
        assert len((await store.items.list(_all())).items) == 20
    assert len(failed) == 2
    assert bytes_of(folder) == before


async def test_what_one_process_finds_ends_the_writing_of_all_others(folder: Path) -> None:
    async with opened(folder) as other, opened(folder):
        assert (await other.items.accept(page(NEW))).created
        mark(folder, DAMAGE)
        assert other.status.damage() == DAMAGE
        with pytest.raises(errors.StoreDamaged):
            await other.items.accept(page("https://example.org/later"))


async def test_a_marked_library_is_opened_for_reading_and_not_a_byte_of_it_changes(folder: Path) -> None:
    async with opened(folder) as store:
        await store.items.accept(page(NEW))
        mark(folder, DAMAGE)
    wal = folder / "atlas.db-wal"
    assert wal.stat().st_size > 0, "what was committed last stays where it is"
    before, log = bytes_of(folder), wal.read_bytes()
    async with opened(folder) as store:
        assert store.status.damage() == DAMAGE
        assert len((await store.items.list(_all())).items) == 21, "with what is in the write-ahead log"
        await refused(store)
        with pytest.raises(errors.StoreDamaged):
            await store.items.accept(Submission(url=None, url_key=None, kind=Kind.NOTE, text="a note"))
    assert (bytes_of(folder), wal.read_bytes()) == (before, log)


async def test_a_text_that_is_none_any_more_is_a_damage(folder: Path) -> None:
    path = folder / "atlas.db"
    path.write_bytes(path.read_bytes().replace(b"word5 word5", b"word5\xffword5"))
    async with opened(folder) as store:
        with contextlib.suppress(errors.StoreDamaged):
            for row in (await store.items.list(_all())).items:
                await store.items.document(row.item.uid)
        assert store.status.damage() is not None
        await refused(store)


def no_header(path: Path) -> None:
    tear(path, 1)


def no_schema(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[100:PAGE] = b"\xff" * (PAGE - 100)
    path.write_bytes(content)


@pytest.mark.parametrize("hurt", [no_header, no_schema])
async def test_a_library_that_cannot_be_read_at_all_keeps_the_role_up_and_says_so(
    folder: Path, hurt: Callable[[Path], None]
) -> None:
    hurt(folder / "atlas.db")
    before = bytes_of(folder)
    async with opened(folder) as store:
        damage = store.status.damage()
        assert damage is not None
        assert damage.where == "open"
        for read in (store.status.figures, store.status.roles, store.tokens.list):
            with pytest.raises(errors.StoreDamaged):
                await read()
        await refused(store)
    assert bytes_of(folder) == before


async def test_a_missing_library_is_not_made_anew_in_safe_mode(folder: Path) -> None:
    mark(folder, DAMAGE)
    (folder / "atlas.db").unlink()
    with pytest.raises(errors.StoreUnreadable):
        async with opened(folder):
            pass
    assert not (folder / "atlas.db").exists()


async def test_the_first_word_about_a_damage_stays(folder: Path) -> None:
    mark(folder, DAMAGE)
    mark(folder, Damage(at=2, where="write", file="atlas.db", said="another"))
    assert known(folder) == DAMAGE
    assert (folder / MARK).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []  # noqa: ASYNC240


@pytest.mark.parametrize("content", [b"", b"{", b'{"at": "x"}'])
async def test_a_mark_that_cannot_be_understood_is_a_mark_all_the_same(folder: Path, content: bytes) -> None:
    (folder / MARK).write_bytes(content)
    async with opened(folder) as store:
        await refused(store)


async def test_a_damage_that_cannot_be_marked_still_ends_the_writing_of_this_process(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.store.damage.keep", full)
    tear_table(folder, "documents")
    async with opened(folder) as store:
        with pytest.raises(errors.StoreDamaged):
            await store.items.list(_all())
        await refused(store)
    assert known(folder) is None


def test_the_live_file_is_condemned_only_when_it_is_damaged_itself(folder: Path) -> None:
    assert condemn(folder, folder / "atlas.db", TestClock()) == ()
    assert known(folder) is None
    tear_table(folder, "links_key")
    before = bytes_of(folder)
    faults = condemn(folder, folder / "atlas.db", TestClock())
    assert faults
    found = known(folder)
    assert found is not None
    assert (found.where, found.said) == ("examine", "; ".join(faults)[:500])
    assert bytes_of(folder) == before


async def test_once_the_mark_is_gone_everything_is_written_again(folder: Path) -> None:
    mark(folder, DAMAGE)
    async with opened(folder) as store:
        await refused(store)
    clear(folder)
    clear(folder)
    async with opened(folder) as store:
        assert (await store.items.accept(page(NEW))).created
