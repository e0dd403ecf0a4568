"""A library with a backup of it, for tests of what a restore makes of the two."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from pipeline.items import Kind, Submission
from pipeline.store.handle import Store
from pipeline.store.items import ItemFilter
from pipeline.store.library import LOCK
from supervisor.exits import Exit
from tests.unit.supervisor.library import Library

NOTE = Submission(url=None, url_key=None, kind=Kind.NOTE, text="# Tides\n\nHigh at noon.", title="Tides", tags=("sea",))


class Kept:
    """A library with a backup of it, and the commands."""

    def __init__(self, library: Library, atlas: Callable[..., Any]) -> None:
        self.library = library
        self.folder = library.folder
        self._atlas = atlas
        library.keep(pages=3)
        made = json.loads(atlas("backup", "--json").out)
        self.id: str = made["backup"]["id"]
        self.path = self.folder / "backups" / self.id

    def run(self, job: Callable[[Store], Awaitable[Any]]) -> Any:
        return self.library.run(job)

    def accept(self, *submissions: Submission) -> list[str]:
        async def job(store: Store) -> list[str]:
            return [(await store.items.accept(each)).uid for each in submissions]

        uids: list[str] = self.run(job)
        return uids

    def restore(self, *arguments: str) -> dict[str, Any]:
        told = self._atlas("restore", *(arguments or (self.id,)), "--json")
        assert told.code in {Exit.OK, Exit.FAILED}, told.err
        done: dict[str, Any] = json.loads(told.out)
        return done

    def items(self) -> dict[str, Any]:
        async def job(store: Store) -> dict[str, Any]:
            return {row.item.uid: row.item for row in (await store.items.list(ItemFilter(limit=200))).items}

        found: dict[str, Any] = self.run(job)
        return found

    def there(self) -> dict[str, bytes]:
        """What lies in the data folder, without backups and locks; an empty write-ahead log is none."""
        return {
            path.name: path.read_bytes()
            for path in self.folder.iterdir()
            if path.is_file() and path.name != LOCK and not path.name.endswith("-shm")
            if path.stat().st_size or not path.name.endswith("-wal")
        }
