"""Files that are whole or not there: written aside, synced, renamed; packed and unpacked in a stream."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import zstandard

from pipeline.errors import BackupDamaged, BackupFailed, StoreFull
from pipeline.store.disk import MIB, space_of
from pipeline.store.snapshot import sync
from supervisor.backups.manifest import BYTES_MOST, DatabaseFile

PARTIAL: Final = ".partial-"  # what begins so is removed by the next who works in the folder
CHUNK: Final = 1_048_576
LEVEL: Final = 3
WINDOW_MOST: Final = 8_388_608  # of memory that a frame may ask for; level 3 asks for a quarter of it
SPARE: Final = 67_108_864  # left free beside what is reckoned


def create(path: Path) -> BinaryIO:
    """A new file of our own (0600); it must not be there."""
    number = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    return os.fdopen(number, "wb")


def open_plain(path: Path) -> BinaryIO:
    """A file that is no symlink, folder, device or pipe. BackupDamaged for those, and when it is missing."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise BackupDamaged(f"{path} cannot be opened: {error.strerror}", hint="use another backup") from error
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise BackupDamaged(f"{path} is no plain file", hint="use another backup")
    return os.fdopen(number, "rb")


def read_small(path: Path) -> bytes:
    """A manifest or the like. BackupDamaged when it cannot be read, or is longer than any of ours."""
    with open_plain(path) as file:
        content = file.read(BYTES_MOST + 1)
    if len(content) > BYTES_MOST:
        raise BackupDamaged(f"{path} is longer than any that Atlas writes", hint="use another backup")
    return content


def write(path: Path, content: bytes) -> None:
    """Replace a file: whoever reads it finds the old content or the new one, after a power cut too."""
    aside = path.with_name(f"{PARTIAL}{path.name}")
    aside.unlink(missing_ok=True)
    with create(aside) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    sync(path.parent)


def pack(source: Path, target: Path) -> DatabaseFile:
    """Compress `source` into the new file `target`, synced."""
    plain, packed = hashlib.sha256(), hashlib.sha256()
    size = packed_size = 0
    stream = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compressobj(size=source.stat().st_size)
    with source.open("rb") as reading, create(target) as writing:

        def put(piece: bytes) -> int:
            packed.update(piece)
            writing.write(piece)
            return len(piece)

        while chunk := reading.read(CHUNK):
            plain.update(chunk)
            size += len(chunk)
            packed_size += put(stream.compress(chunk))
        packed_size += put(stream.flush())
        writing.flush()
        os.fsync(writing.fileno())
    return DatabaseFile(
        bytes=size, sha256=plain.hexdigest(), packed_bytes=packed_size, packed_sha256=packed.hexdigest()
    )


def unpack(source: Path, target: Path, expected: DatabaseFile, *, durable: bool = True) -> None:
    """Decompress `source` into the new file `target` (0600), never more of it than is expected; `durable`: synced.

    BackupDamaged when either of the two is not what the manifest says; `target` is then gone again.
    """
    with open_plain(source) as reading:
        size = os.fstat(reading.fileno()).st_size
        if size != expected.packed_bytes:
            raise _other(source, f"is {size:,} bytes long, not {expected.packed_bytes:,}")
        with create(target) as writing, _removed_on_error(target):
            _unpack(reading, writing, source, expected)
            writing.flush()
            if durable:
                os.fsync(writing.fileno())


def _unpack(reading: BinaryIO, writing: BinaryIO, source: Path, expected: DatabaseFile) -> None:
    plain, packed, size = hashlib.sha256(), hashlib.sha256(), 0
    stream = zstandard.ZstdDecompressor(max_window_size=WINDOW_MOST).decompressobj()
    try:
        while chunk := reading.read(CHUNK // 16):  # a chunk may unpack to many times its length
            packed.update(chunk)
            piece = b"" if stream.eof else stream.decompress(chunk)
            if stream.eof and (not piece or stream.unused_data):
                raise _other(source, "goes on after its end")
            size += len(piece)
            if size > expected.bytes:
                raise _other(source, "unpacks to more than was packed")
            plain.update(piece)
            writing.write(piece)
    except zstandard.ZstdError as error:
        raise _other(source, f"cannot be unpacked ({error})") from error
    if packed.hexdigest() != expected.packed_sha256:
        raise _other(source, "does not match the hash in its manifest")
    if not stream.eof or size != expected.bytes or plain.hexdigest() != expected.sha256:
        raise _other(source, "does not unpack to what was packed")


def _other(source: Path, what: str) -> BackupDamaged:
    return BackupDamaged(f"{source} {what}", hint="use another backup: `atlas backup list`")


@contextlib.contextmanager
def _removed_on_error(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def need(folder: Path, wanted: int, what: str, *, reserve: Callable[[int], int] | None = None) -> None:
    """Raise StoreFull unless so many bytes can be written on the disk of `folder`.

    `reserve`: what is kept free on a disk of a given size, when it is the library's own.
    """
    space = space_of(folder)
    if space is None:
        return
    kept = SPARE if reserve is None else max(SPARE, reserve(space.total))
    if space.free - kept < wanted:
        raise StoreFull(
            f"{what} needs {_mib(wanted)} on the disk of {folder}: {_mib(space.free)} are free, of which {_mib(kept)}"
            " are to stay so",
            hint="nothing was written; make room, or let [backup] dir name a folder on another disk",
        )


def _mib(size: int) -> str:
    return f"{-(-size // MIB):,} MiB"


@contextlib.contextmanager
def room_told(folder: Path) -> Iterator[None]:
    """A disk that fills up meanwhile is told as that of the backups; what `need` says stays."""
    try:
        yield
    except StoreFull as error:
        if error.__cause__ is None:
            raise
        raise StoreFull(error.message, hint=f"make room on the disk of {folder}; no backup was made") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull(f"{folder}: {error.strerror}", hint="make room on that disk; no backup was made") from error
        raise BackupFailed(f"{folder}: {error}", hint="check who owns that folder, and its disk") from error
