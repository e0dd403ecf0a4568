"""Packs: the bodies of archive.db for backups, in files that never change, each named by the SHA-256 of its bytes.

A pack is a database of the archive's own schema. Together they hold what the archive holds; a body that is in two of
them is the same. Everything is read in the order of the hashes and a body at a time, so memory stays flat.
"""

from __future__ import annotations

import contextlib
import hashlib
import heapq
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import apsw
import msgspec
import zstandard

from pipeline.errors import StoreError, StoreUnreadable
from pipeline.store.bodies import BODY_MOST
from pipeline.store.connection import mapped
from pipeline.store.evidence import strangers
from pipeline.store.migrate import migrate, migrations
from pipeline.store.snapshot import fresh, frozen, live, reading, sync

PACK_BYTES: Final = 268_435_456  # about; a pack of a large archive can be written again in seconds
PAGE_KEYS: Final = 5000  # keys fetched at a time, so that no read transaction of the live archive lasts
CHUNK: Final = 1_048_576
FAULTS_MOST: Final = 20
COMMIT_BYTES: Final = 8_388_608  # what is written between two commits may be in memory


class Pack(msgspec.Struct, frozen=True, kw_only=True):
    """A pack that is written."""

    path: Path
    bodies: int
    bytes: int  # of the file


class Packed(msgspec.Struct, frozen=True, kw_only=True):
    """What was written, and what could not be read: those bodies are in no new pack."""

    packs: tuple[Pack, ...]
    faults: tuple[str, ...] = ()

    @property
    def bodies(self) -> int:
        return sum(pack.bodies for pack in self.packs)


class _Body(NamedTuple):
    hash: str
    size: int
    stored_at: int
    data: bytes


def keys(path: Path, *, is_live: bool = False) -> Iterator[str]:
    """The hashes in an archive or a pack, in order. Raises StoreError."""
    with mapped(f"read {path.name}"), contextlib.closing(live(path)) if is_live else reading(path) as conn:
        last = ""
        while page := conn.execute(
            "SELECT hash FROM bodies WHERE hash > ? ORDER BY hash LIMIT ?", (last, PAGE_KEYS)
        ).fetchall():
            for (key,) in page:
                if not (isinstance(key, str) and last < key):
                    raise _torn(path)
                last = key
                yield key


def union(packs: Iterable[Path]) -> Iterator[str]:
    """The hashes in all of them, each once, in order."""
    return (key for key, _ in itertools.groupby(heapq.merge(*map(keys, packs))))


def lacking(wanted: Iterable[str], held: Iterable[str]) -> Iterator[str]:
    """What is wanted and not held; both in order, and each once."""
    there = iter(held)
    last = next(there, None)
    for key in wanted:
        while last is not None and last < key:
            last = next(there, None)
        if last != key:
            yield key


def export(archive: Path, packs: Sequence[Path], folder: Path) -> Packed:
    """Write what is in the live archive and in none of `packs` into new packs in `folder`; synced, under their names.

    A body that cannot be read is a fault told; so is an archive that cannot be read further.
    """
    faults: list[str] = []
    with contextlib.closing(_Packer(folder)) as packer:
        try:
            with mapped(f"read {archive.name}"), contextlib.closing(live(archive)) as conn:
                for key in lacking(keys(archive, is_live=True), union(packs)):
                    _take(packer, conn, key, faults)
        except StoreUnreadable as error:
            faults.append(error.message)
        return Packed(packs=packer.finish(), faults=_few(faults))


def merge(packs: Sequence[Path], folder: Path) -> Packed:
    """Write the bodies of `packs` into as few new ones in `folder`. With faults nothing may be deleted."""
    faults: list[str] = []
    with contextlib.closing(_Packer(folder)) as packer:
        _take_all(packer, packs, faults)
        return Packed(packs=packer.finish(), faults=_few(faults))


def assemble(packs: Sequence[Path], target: Path) -> Packed:
    """Make `target` an archive.db (a new file, 0600, synced) of the bodies of all packs, each checked on the way."""
    faults: list[str] = []
    with contextlib.closing(_File(target)) as file:
        _take_all(file, packs, faults)
        file.close()
    return Packed(packs=(Pack(path=target, bodies=file.bodies, bytes=target.stat().st_size),), faults=_few(faults))


def fill(archive: Path, packs: Sequence[Path]) -> Packed:
    """Put the bodies of `packs` that a sound archive.db lacks into it, each checked on the way. Nobody has it open.

    It holds more at every moment: cut off, it is filled by the next call.
    """
    faults: list[str] = []
    with mapped(f"write {archive.name}"), contextlib.closing(_Filled(archive)) as file, contextlib.ExitStack() as stack:
        opened = [stack.enter_context(contextlib.closing(frozen(path))) for path in packs]
        for key in lacking(union(packs), keys(archive, is_live=True)):
            holders = [conn for conn in opened if conn.execute("SELECT 1 FROM bodies WHERE hash = ?", (key,)).get]
            _take_first_good(file, holders, key, faults)
    return Packed(packs=(Pack(path=archive, bodies=file.bodies, bytes=archive.stat().st_size),), faults=_few(faults))


def examine_pack(path: Path) -> tuple[int, tuple[str, ...]]:
    """How many bodies a pack holds, and what is wrong with it: its name, its schema, or a body."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if path.name != f"{digest}.db":
        return 0, (f"the pack {path.name[:12]}… does not match its name: its bytes have changed",)
    bodies, faults = 0, []
    try:
        faults += [f"the pack {path.name[:12]}…: {each}" for each in strangers(path, "archive")]
        for body in () if faults else _bodies(path):
            bodies += 1
            faults += [f"the pack {path.name[:12]}…: {fault}" for fault in _wrong(body)]
    except StoreError as error:
        faults.append(error.message)
    return bodies, _few(faults)


def _few(faults: Sequence[str]) -> tuple[str, ...]:
    more = len(faults) - FAULTS_MOST
    return (*faults[:FAULTS_MOST], *([f"and {more:,} more"] if more > 0 else []))


# Reading


def _torn(path: Path) -> StoreUnreadable:
    return StoreUnreadable(f"{path.name} is damaged: its hashes are none, or in no order", hint="use another one")


def _bodies(path: Path) -> Iterator[_Body]:
    with reading(path) as conn:
        for key in keys(path):
            yield _body(conn, key)


def _body(conn: apsw.Connection, key: str) -> _Body:
    found = conn.execute("SELECT 1, size, stored_at, data FROM bodies WHERE hash = ?", (key,)).fetchone()
    if found is None:
        raise StoreUnreadable(f"the body {key[:12]}… is in the index and not in the table", hint="restore a backup")
    if not (isinstance(found[1], int) and isinstance(found[2], int) and isinstance(found[3], bytes)):
        raise _torn(Path(conn.filename))
    return _Body(key, found[1], found[2], found[3])


def _wrong(body: _Body) -> Iterator[str]:
    """What is wrong with a body, a chunk in memory at a time: it may unpack to much."""
    digest, left = hashlib.sha256(), min(body.size, BODY_MOST)
    try:
        for chunk in zstandard.ZstdDecompressor().read_to_iter(body.data, write_size=CHUNK):
            left -= len(chunk)
            if left < 0:
                break
            digest.update(chunk)
    except zstandard.ZstdError:
        yield f"the body {body.hash[:12]}… cannot be unpacked"
        return
    if left or digest.hexdigest() != body.hash:
        yield f"the body {body.hash[:12]}… does not match its hash"


# Writing


class _File:
    """A new database of bodies, which come in the order of their hashes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bodies = self.bytes = 0
        self._unwritten = 0
        with mapped(f"write {path.name}"):
            self._conn: apsw.Connection | None = fresh(path)
            migrate(self._conn, migrations("archive"))
            self._conn.execute("BEGIN")

    def add(self, body: _Body) -> None:
        assert self._conn is not None
        self.bodies += 1
        self.bytes += len(body.data)
        self._unwritten += len(body.data)
        with mapped(f"write {self.path.name}"):
            self._conn.execute("INSERT INTO bodies (hash, size, stored_at, data) VALUES (?, ?, ?, ?)", body)
            if self._unwritten >= COMMIT_BYTES:
                self._conn.execute("COMMIT; BEGIN")
                self._unwritten = 0

    def close(self) -> None:
        """Synced when it returns; may be called again."""
        if self._conn is not None:
            conn, self._conn = self._conn, None
            with mapped(f"write {self.path.name}"), contextlib.closing(conn):
                conn.execute("COMMIT")
            sync(self.path)


class _Filled:
    """An archive that is there, and gets more."""

    def __init__(self, path: Path) -> None:
        self.bodies = 0
        self._conn = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        self._conn.set_busy_timeout(5000)
        self._conn.pragma("synchronous", "FULL")

    def add(self, body: _Body) -> None:
        self.bodies += 1
        self._conn.execute("INSERT OR IGNORE INTO bodies (hash, size, stored_at, data) VALUES (?, ?, ?, ?)", body)

    def close(self) -> None:
        self._conn.close()


class _Packer:
    """Packs being written into a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: _File | None = None
        self._done: list[Pack] = []

    def add(self, body: _Body) -> None:
        if self._open is None:
            self._open = _File(self._folder / "unfinished.db")
        self._open.add(body)
        if self._open.bytes >= PACK_BYTES:
            self._finish_one(self._open)

    def finish(self) -> tuple[Pack, ...]:
        if self._open is not None:
            self._finish_one(self._open)
        sync(self._folder)
        return tuple(self._done)

    def close(self) -> None:
        if self._open is not None:  # whoever uses it has met an error, which says more than one of closing would
            with contextlib.suppress(StoreError, OSError):
                self._open.close()

    def _finish_one(self, written: _File) -> None:
        self._open = None
        written.close()
        with written.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        path = written.path.rename(self._folder / f"{digest}.db")
        self._done.append(Pack(path=path, bodies=written.bodies, bytes=path.stat().st_size))


def _take(into: _File | _Filled | _Packer, conn: apsw.Connection, key: str, faults: list[str]) -> None:
    """A damaged body is left out: a backup of it would be none."""
    try:
        body = _body(conn, key)
    except (apsw.CorruptError, StoreUnreadable) as error:  # its pages: others may be whole
        told = error.message if isinstance(error, StoreUnreadable) else str(error)
        faults.append(f"the body {key[:12]}… cannot be read: {told}")
        return
    wrong = tuple(_wrong(body))
    faults += wrong
    if not wrong:
        into.add(body)


def _take_all(into: _File | _Filled | _Packer, packs: Sequence[Path], faults: list[str]) -> None:
    with contextlib.ExitStack() as stack:
        opened = []
        for path in packs:
            with mapped(f"read {path.name}"):
                opened.append(stack.enter_context(contextlib.closing(frozen(path))))
        streams = [zip(keys(path), itertools.repeat(n)) for n, path in enumerate(packs)]
        with mapped("read the packs"):
            for key, holders in itertools.groupby(heapq.merge(*streams), key=lambda each: each[0]):
                _take_first_good(into, [opened[n] for _, n in holders], key, faults)


def _take_first_good(
    into: _File | _Filled | _Packer, holders: Sequence[apsw.Connection], key: str, faults: list[str]
) -> None:
    wrong: list[str] = []
    for conn in holders:
        met = len(wrong)
        _take(into, conn, key, wrong)
        if len(wrong) == met:
            return
    faults += wrong
