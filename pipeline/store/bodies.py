"""`store.bodies`: raw bodies by the SHA-256 of their bytes, compressed, in archive.db.

A body is written before anything refers to it, so a crash leaves at worst an orphan, never a dangling reference.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import apsw
import zstandard

from pipeline import errors
from pipeline.clock import Clock
from pipeline.store.readers import Readers
from pipeline.store.writer import Writer

LEVEL = 3  # zstd's default: a page in under 2 ms
BODY_MOST = 268_435_456  # what decompression may give at most, whatever the frame claims
# Bodies just written, kept in memory for the stages that come next: about as many as there are claims in memory.
RECENT_BYTES = 16_777_216
RECENT_BODIES = 64


@dataclass(kw_only=True)
class Archive:
    """archive.db: open, or with the `fault` for which it is left alone.

    A fault found while it is open ends writing to it until the next start: what is damaged is repaired by a person.
    """

    writer: Writer | None = None
    readers: Readers | None = None
    fault: errors.StoreError | None = None


class BodyStore:
    """`store.bodies`. Raises ArchiveAway while the archive cannot be used."""

    def __init__(self, archive: Archive, clock: Clock) -> None:
        self._archive = archive
        self._clock = clock
        self._recent = _Recent(RECENT_BYTES, RECENT_BODIES)

    @property
    def fault(self) -> errors.StoreError | None:
        """Why bodies can neither be kept nor relied on; None while all is well."""
        return self._archive.fault

    def check(self) -> None:
        """Raises ArchiveAway while bodies can neither be kept nor relied on."""
        if self._archive.fault is not None:
            raise _away(self._archive.fault)

    async def put(self, content: bytes) -> str:
        """Keep a body; returns its key. On the disk when it returns; the same bytes are stored once."""
        digest = hashlib.sha256(content).hexdigest()
        now = self._clock.wall_ms()

        def write(conn: apsw.Connection) -> None:
            if conn.execute("SELECT 1 FROM bodies WHERE hash = ?", (digest,)).get is None:
                data = zstandard.ZstdCompressor(level=LEVEL).compress(content)
                conn.execute(
                    "INSERT INTO bodies (hash, size, stored_at, data) VALUES (?, ?, ?, ?)",
                    (digest, len(content), now, data),
                )

        self.check()
        assert self._archive.writer is not None, "an archive that is not open has a fault"
        with self._noting_faults():
            await self._archive.writer.submit(write)
        self._recent.keep(digest, content)
        return digest

    async def get(self, digest: str) -> bytes:
        """The body, checked against its hash. Raises StoreUnreadable when it is missing or damaged."""
        recent = self._recent.get(digest)
        if recent is not None:
            return recent

        def job(conn: apsw.Connection) -> tuple[bytes, int] | None:
            found = conn.execute("SELECT data, size FROM bodies WHERE hash = ?", (digest,)).get
            return None if found is None else (cast(bytes, found[0]), cast(int, found[1]))

        if self._archive.readers is None:
            self.check()
        assert self._archive.readers is not None, "an archive that is not open has a fault"
        with self._noting_faults():
            found = await self._archive.readers.read(job)
        if found is None:
            raise _damaged(digest, "is missing")
        return unpack(*found, digest)

    @contextlib.contextmanager
    def _noting_faults(self) -> Iterator[None]:
        """SQLite's word that the file is damaged counts for all of it; a body that is not what it was does not."""
        try:
            yield
        except errors.StoreUnreadable as error:
            self._archive.fault = error
            raise _away(error) from error


class _Recent:
    """The last bodies that were written, bounded in bytes and in number: what was written is what would be read."""

    def __init__(self, limit: int, most: int) -> None:
        self._limit = limit
        self._most = most
        self._size = 0
        self._bodies: OrderedDict[str, bytes] = OrderedDict()

    def keep(self, digest: str, content: bytes) -> None:
        if digest in self._bodies or len(content) > self._limit:
            return
        self._bodies[digest] = content
        self._size += len(content)
        while self._size > self._limit or len(self._bodies) > self._most:
            _, oldest = self._bodies.popitem(last=False)
            self._size -= len(oldest)

    def get(self, digest: str) -> bytes | None:
        return self._bodies.get(digest)


def unpack(data: bytes, size: int, digest: str) -> bytes:
    """A body as it was put, checked against its hash. Raises StoreUnreadable."""
    try:
        content = zstandard.ZstdDecompressor().decompress(data, max_output_size=min(size, BODY_MOST))
    except zstandard.ZstdError as error:
        raise _damaged(digest, "cannot be unpacked") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise _damaged(digest, "does not match its hash")
    return content


def _away(fault: errors.StoreError) -> errors.ArchiveAway:
    return errors.ArchiveAway(
        f"the archive cannot be used: {fault.message}", hint=fault.hint or "repair it, then start Atlas again"
    )


def _damaged(digest: str, what: str) -> errors.StoreUnreadable:
    return errors.StoreUnreadable(
        f"the body {digest[:12]}… {what} in archive.db", hint="retry the item to fetch it again, or restore a backup"
    )
