"""A disk that fails on demand: SQLite's file layer below every connection, with faults where a test asks for them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw

NAME = "faulty"
REAL = apsw.vfs_names()[0]


class FaultyDisk(apsw.VFS):
    """The hooks get a file's name before it is opened, synced or written; what they raise, the disk says.

    `on_any` gets what is about to be done, too: open, read, write, sync, truncate, delete, lock.
    """

    def __init__(self) -> None:
        super().__init__(NAME, REAL, makedefault=True)
        self.on_open: Callable[[str], None] = lambda _name: None
        self.on_sync: Callable[[str], None] = lambda _name: None
        self.on_write: Callable[[str], None] = lambda _name: None
        self.on_any: Callable[[str, str], None] = lambda _what, _name: None

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - the name SQLite calls it by
        self.on_any("delete", Path(filename).name)
        super().xDelete(filename, syncdir)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - the name SQLite calls it by
        return _File(self, name, flags)


class _File(apsw.VFSFile):
    def __init__(self, disk: FaultyDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        given = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._name = Path(given or "temporary").name
        disk.on_open(self._name)
        disk.on_any("open", self._name)
        super().__init__(REAL, name, flags)
        self._disk = disk

    def xSync(self, flags: int) -> None:  # noqa: N802 - the name SQLite calls it by
        self._disk.on_sync(self._name)
        self._disk.on_any("sync", self._name)
        super().xSync(flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - the name SQLite calls it by
        self._disk.on_write(self._name)
        self._disk.on_any("write", self._name)
        super().xWrite(data, offset)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 - the name SQLite calls it by
        self._disk.on_any("read", self._name)
        return super().xRead(amount, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - the name SQLite calls it by
        self._disk.on_any("truncate", self._name)
        super().xTruncate(newsize)

    def xLock(self, level: int) -> None:  # noqa: N802 - the name SQLite calls it by
        self._disk.on_any("lock", self._name)
        super().xLock(level)


def fails(code: int) -> Callable[[str], None]:
    """Each call fails with an error code of SQLite's."""

    def fail(_name: str) -> None:
        raise apsw.exception_for(code)

    return fail


@contextlib.contextmanager
def faulty_disk() -> Iterator[FaultyDisk]:
    """Connections opened inside the block are on this disk."""
    disk = FaultyDisk()
    try:
        yield disk
    finally:
        disk.unregister()
