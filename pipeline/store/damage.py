"""damaged.json: the safe mode. A library whose file is damaged is read as far as it can be and never written to.

The mark is kept beside the database and not in it, so every process sees it, also after a restart. `atlas restore`
takes it aside with the damaged file; `atlas recheck` clears it when the whole file turns out to be sound.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from pipeline import errors
from pipeline.clock import Clock
from pipeline.store.connection import RESTORE
from pipeline.store.deep import examine
from pipeline.store.library import shared_now

MARK: Final = "damaged.json"
HINT: Final = RESTORE
SAID_MOST: Final = 500  # letters of what SQLite said
_MAGIC: Final = b"SQLite format 3\0"
_IDENTITY: Final = b"ATLS"  # migrate.APPLICATION_ID, where every header has it
_IDENTITY_AT: Final = 68


class Damage(msgspec.Struct, frozen=True, kw_only=True):
    """When the damage was found (wall ms), at what, in which file, and SQLite's own words."""

    at: int
    where: str
    file: str
    said: str


def known(folder: Path) -> Damage | None:
    """The damage that the library of a folder is marked with."""
    try:
        content = (folder / MARK).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        return Damage(at=0, where="", file="", said=f"{MARK} cannot be read: {error.strerror}")
    try:
        return msgspec.json.decode(content, type=Damage)
    except msgspec.DecodeError:
        return Damage(at=0, where="", file="", said=f"{MARK} cannot be understood")


def mark(folder: Path, damage: Damage) -> None:
    """Keep it, on the disk when this returns; the first one stays. Raises OSError."""
    draft = folder / f".{MARK}.{os.getpid()}"
    try:
        keep(draft, msgspec.json.format(msgspec.json.encode(damage)) + b"\n")
        with contextlib.suppress(FileExistsError):
            os.link(draft, folder / MARK)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(folder)


def clear(folder: Path) -> None:
    """Take the mark away: only for who has the library alone and knows its file to be sound."""
    (folder / MARK).unlink(missing_ok=True)
    sync_folder(folder)


@contextlib.contextmanager
def sound_library(folder: Path) -> Iterator[None]:
    """For who opens the library's file past the store: LibraryHeld while it is restored, StoreDamaged in safe mode."""
    with shared_now(folder):
        if known(folder) is not None:
            raise _refusal()
        yield


def condemn(folder: Path, path: Path, clock: Clock) -> tuple[str, ...]:
    """Read the library's file through, and mark it when it is damaged; returns what is wrong with it.

    For who has reason to doubt it. Blocks for as long as that takes. Raises StoreError when it cannot be looked at.
    """
    try:
        faults = examine(path, tidy=known(folder) is None)
    except errors.StoreDamaged as error:
        faults = (error.message,)
    if faults:
        guard = Guard(folder, path, clock)
        guard.found("; ".join(faults), "examine")
    return faults


def keep(path: Path, content: bytes) -> None:
    """Write a file that only its owner reads; its bytes, not yet its name, are on the disk when this returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refusal() -> errors.StoreDamaged:
    return errors.StoreDamaged(
        "the database is damaged: nothing is written to it any more, so that it gets no worse", hint=HINT
    )


Tell = Callable[[Damage], None]


def nobody(_damage: Damage) -> None:
    """Nobody is told."""


class Guard:
    """What stands between a process and the library's file. `damage` is not None in safe mode, and stays so.

    `tell` is called once, when safe mode is entered or found; perhaps in the writer's thread.
    """

    def __init__(self, folder: Path, path: Path, clock: Clock, tell: Tell = nobody) -> None:
        self._folder = folder
        self._path = path
        self._clock = clock
        self._told = tell
        self.damage = known(folder)
        if self.damage is not None:
            self._told(self.damage)

    def refuse(self) -> None:
        """Raises StoreDamaged in safe mode."""
        if self.damage is not None:
            raise _refusal()

    def seen(self) -> Damage | None:
        """The damage, also one that another process has found meanwhile: one look for a file."""
        if self.damage is None and (self._folder / MARK).exists():
            self.damage = known(self._folder)
            if self.damage is not None:
                self._told(self.damage)
        return self.damage

    def look(self) -> None:
        """Before each transaction: `refuse()` with what others have found."""
        self.seen()
        self.refuse()

    def found(self, said: str, where: str) -> None:
        """Enter safe mode. What cannot be kept on the disk still holds for this process."""
        if self.damage is not None:
            return
        self.damage = Damage(at=self._clock.wall_ms(), where=where, file=self._path.name, said=said[:SAID_MOST])
        with contextlib.suppress(OSError):
            mark(self._folder, self.damage)
        self._told(self.damage)

    def is_ours(self, archive: Path) -> bool:
        """Whether a file that SQLite cannot read was the library: its header says so, or the archive beside it."""
        try:
            with self._path.open("rb") as file:
                header = file.read(100)
        except OSError:
            return False
        is_named = header.startswith(_MAGIC) and header[_IDENTITY_AT : _IDENTITY_AT + 4] == _IDENTITY
        return is_named or (len(header) > 0 and archive.exists())
