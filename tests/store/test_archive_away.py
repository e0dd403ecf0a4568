"""The library without its archive: search, reading and saving of URLs need none of what is in archive.db."""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import apsw
import pytest

from pipeline import errors
from pipeline.items import Kind, Submission
from pipeline.settings import DatabaseSettings, QueueSettings, RetrySettings
from pipeline.store.handle import Store, open_store
from tests.store.hands import TestClock, claim_all, page, run_through

TEXT = "an article about tides"
NOTE = Submission(url=None, url_key=None, kind=Kind.NOTE, text="a note")


def opened(folder: Path) -> AbstractAsyncContextManager[Store]:
    return open_store(DatabaseSettings(), QueueSettings(), RetrySettings(), folder=folder, clock=TestClock())


@contextlib.asynccontextmanager
async def library(folder: Path, hurt: Callable[[Path], None]) -> AsyncIterator[tuple[Store, str]]:
    """A store with one kept article, closed, its archive hurt, and opened again; the article's uid."""
    async with opened(folder) as store:
        uid = (await store.items.accept(page("https://example.com/kept"))).uid
        (claim,) = await claim_all(store)
        await run_through(store, claim, text=TEXT)
    hurt(folder / "archive.db")
    async with opened(folder) as store:
        yield store, uid


def missing(path: Path) -> None:
    path.unlink()


def no_database(path: Path) -> None:
    path.write_bytes(b"this is no database, and it is long enough to be looked at as one " * 100)


def somebody_elses(path: Path) -> None:
    path.unlink()
    with contextlib.closing(apsw.Connection(str(path))) as other:
        other.execute("CREATE TABLE theirs (x); PRAGMA application_id = 7")


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def torn_schema(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[100:200] = b"\xff" * 100  # the first page's own header, after the file's
    path.write_bytes(content)


@pytest.mark.parametrize("hurt", [missing, no_database, somebody_elses, a_folder, torn_schema])
async def test_with_an_archive_that_cannot_be_read_the_library_works_and_urls_are_accepted(
    tmp_path: Path, hurt: Callable[[Path], None]
) -> None:
    async with library(tmp_path, hurt) as (store, uid):
        assert store.bodies.fault is not None
        assert store.bodies.fault.hint
        assert (await store.items.document(uid)).text == TEXT
        assert len((await store.search.find("tides")).hits) == 1
        assert (await store.items.accept(page("https://example.com/new"))).created
        capture = await store.items.capture(uid)
        assert capture is not None
        with pytest.raises(errors.ArchiveAway, match="archive cannot be used"):
            await store.bodies.get(capture.body)
        with pytest.raises(errors.ArchiveAway) as refused:
            await store.items.accept(NOTE)
        assert refused.value.retryable


async def test_a_missing_archive_is_not_replaced_by_an_empty_one_behind_the_owner_s_back(tmp_path: Path) -> None:
    async with library(tmp_path, missing) as (store, _uid):
        assert store.bodies.fault is not None
        assert "restore archive.db from a backup" in store.bodies.fault.hint
    assert not (tmp_path / "archive.db").exists()


async def test_an_archive_that_was_given_up_by_an_empty_file_begins_anew(tmp_path: Path) -> None:
    async with library(tmp_path, lambda path: path.write_bytes(b"")) as (store, _uid):
        assert store.bodies.fault is None
        assert (await store.items.accept(NOTE)).created


async def test_a_damage_found_while_it_is_open_ends_writing_to_the_archive_and_not_the_store(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        whole = await store.bodies.put(b"a small body")
        torn = await store.bodies.put(random.Random(1).randbytes(200_000))  # on pages of its own, behind the first
    path = tmp_path / "archive.db"
    content = bytearray(path.read_bytes())
    content[-150_000:] = b"\xff" * 150_000
    path.write_bytes(content)
    async with opened(tmp_path) as store:
        assert store.bodies.fault is None, "damage deep inside is not looked for at the start"
        with pytest.raises(errors.ArchiveAway, match="damaged"):
            await store.bodies.get(torn)
        with pytest.raises(errors.ArchiveAway):
            await store.bodies.put(b"nothing is written to what is damaged")
        assert await store.bodies.get(whole) == b"a small body", "what can be read is still read"
        assert (await store.items.accept(page("https://example.com/new"))).created
