"""A disk whose power can be cut: what was written is safe only once it was synced; the rest is kept, lost or torn.

Between two syncs a sector may reach the disk in any state it had, in any order, whatever happens to its neighbours; so
may the length of a file and each name in the folder. What is appended but not synced may also come out as rubbish. The
folder itself is synced when SQLite's unix VFS does it: at the first sync of a handle that may have created a journal or
WAL, and at a deletion that asks for it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TypeVar

import apsw

T = TypeVar("T")

NAME = "power-cut"
REAL = apsw.vfs_names()[0]
SECTOR = 512
RUBBISH = 0.3  # of the sectors that were appended and not synced
JOURNALS = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL


@dataclass(eq=False)
class Inode:
    """One file's content: as it is read now, as it was synced, and what each sector and the length were in between."""

    now: bytearray = field(default_factory=bytearray)
    synced: bytes = b""
    sectors: dict[int, list[bytes]] = field(default_factory=dict)
    lengths: list[int] = field(default_factory=list)

    def write(self, data: bytes, offset: int) -> None:
        end = offset + len(data)
        if end > len(self.now):
            self.now.extend(bytes(end - len(self.now)))
        self.now[offset:end] = data
        self._note(offset, end)

    def truncate(self, length: int) -> None:
        del self.now[length:]
        self._note(length, length)

    def _note(self, begin: int, end: int) -> None:
        for number in range(begin // SECTOR, -(-end // SECTOR)):
            self.sectors.setdefault(number, []).append(self._sector(self.now, number))
        self.lengths.append(len(self.now))

    @staticmethod
    def _sector(content: bytes | bytearray, number: int) -> bytes:
        return bytes(content[number * SECTOR : (number + 1) * SECTOR]).ljust(SECTOR, b"\0")

    def sync(self) -> None:
        if self.lengths:
            self.synced = bytes(self.now)
            self.sectors.clear()
            self.lengths.clear()

    def after_cut(self, dice: Random, kept: float) -> bytes:
        """What the disk holds: each sector and the length as they were at some moment since the last sync."""
        length = _one_of(dice, len(self.synced), self.lengths, kept)
        content = bytearray(self.synced.ljust(max(length, len(self.synced)), b"\0"))
        for number, states in self.sectors.items():
            before = self._sector(self.synced, number)
            if number * SECTOR >= len(self.synced) and dice.random() < RUBBISH * (1 - kept):
                before = dice.randbytes(SECTOR)
            content[number * SECTOR : (number + 1) * SECTOR] = _one_of(dice, before, states, kept)
        return bytes(content[:length].ljust(length, b"\0"))


def _one_of(dice: Random, before: T, states: list[T], kept: float) -> T:
    """The last state with the probability `kept`, else any earlier one."""
    if not states or dice.random() < kept:
        return states[-1] if states else before
    return dice.choice([before, *states[:-1]])


class PowerCut(apsw.VFS):
    """Files live in a real folder while there is power. `cut_at` counts the operations until it goes."""

    def __init__(self) -> None:
        super().__init__(NAME, REAL, makedefault=True)
        self.files: dict[str, Inode] = {}  # as they are seen now, by path
        self._named: dict[str, Inode] = {}  # as the folder was last synced
        self._entries: dict[str, list[Inode | None]] = {}  # what each name stood for since then
        self.operations = 0
        self.cut_at: int | None = None

    @property
    def dead(self) -> bool:
        return self.cut_at is not None and self.operations >= self.cut_at

    def step(self) -> None:
        """One more operation; once the power is off all of them fail."""
        if self.dead:
            raise apsw.IOError("the power is off")
        self.operations += 1

    def insert(self, folder: Path) -> None:
        """A disk that holds the files of a folder, all of it synced, and power."""
        for path in folder.iterdir():
            content = path.read_bytes()
            self.files[str(path)] = Inode(now=bytearray(content), synced=content)
        self._named = dict(self.files)
        self._entries.clear()
        self.operations, self.cut_at = 0, None

    def remove(self) -> None:
        self.files, self._named = {}, {}
        self._entries.clear()

    def images(self, dice: Random) -> dict[str, bytes]:
        """What is on the disk after the cut, by file name."""
        kept = dice.choice([0.0, 0.5, 0.9, 1.0])
        found: dict[str, bytes] = {}
        for path in sorted(self._named.keys() | self._entries.keys()):  # in an order that a seed repeats
            inode = _one_of(dice, self._named.get(path), self._entries.get(path, []), kept)
            if inode is not None:
                found[Path(path).name] = inode.after_cut(dice, kept)
        return found

    def name(self, path: str, inode: Inode | None) -> None:
        """A name in the folder stands for a file, or for none any more; not synced yet."""
        if inode is None:
            self.files.pop(path, None)
        else:
            self.files[path] = inode
        self._entries.setdefault(path, []).append(inode)

    def sync_folder(self) -> None:
        self._named = dict(self.files)
        self._entries.clear()

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return _File(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        self.step()
        super().xDelete(filename, syncdir)
        self.name(filename, None)
        if syncdir:
            self.sync_folder()


class _File(apsw.VFSFile):
    def __init__(self, disk: PowerCut, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        self._path = (name.filename() if isinstance(name, apsw.URIFilename) else name) or ""
        disk.step()
        asked = flags[0]
        super().__init__(REAL, name, flags)
        if self._path and self._path not in disk.files:
            disk.name(self._path, Inode())
        self._inode = disk.files.get(self._path, Inode())  # a temporary file has no name and no future
        self._syncs_folder = bool(asked & JOURNALS and asked & apsw.SQLITE_OPEN_CREATE)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._disk.step()
        super().xWrite(data, offset)
        self._inode.write(bytes(data), offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self._disk.step()
        super().xTruncate(newsize)
        self._inode.truncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802 - the real sync is left out: the model decides what is kept
        self._disk.step()
        self._inode.sync()
        if self._syncs_folder:
            self._disk.sync_folder()
            self._syncs_folder = False


@contextlib.contextmanager
def power_cut() -> Iterator[PowerCut]:
    """Connections opened inside the block are on this disk."""
    disk = PowerCut()
    try:
        yield disk
    finally:
        disk.unregister()
