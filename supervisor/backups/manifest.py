"""What lies in a backup's folder beside the library: what was backed up, and how the last check of it went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, TypeVar

import msgspec

from pipeline.errors import BackupDamaged
from pipeline.store.evidence import Evidence

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
CHECK: Final = "check.json"
DATABASE: Final = "atlas.db.zst"
BYTES_MOST: Final = 4_194_304  # of either file: one of Atlas has some kilobytes

Sha256 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Bytes = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Wall = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799_999)]  # ms; up to the year 9999
T = TypeVar("T")


class DatabaseFile(msgspec.Struct, frozen=True, kw_only=True):
    """The library, as it is kept and as it is unpacked."""

    packed_bytes: Bytes
    packed_sha256: Sha256
    bytes: Bytes
    sha256: Sha256


class Bodies(msgspec.Struct, frozen=True, kw_only=True):
    """The archive, which all backups share: what its packs held when this one was made."""

    packs: int
    bodies: int
    bytes: int  # of the packs' files
    added: int  # bodies that no backup had before
    missing: int  # the library refers to them, and they were in no pack
    faults: tuple[str, ...] = ()  # why some could not be had


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Of one backup. Written once, by the release that made it."""

    format: int = FORMAT
    id: str
    made_at: Wall
    release: str
    database: DatabaseFile
    evidence: Evidence
    archive: Bodies
    seconds: Mapping[str, float]  # that each part took


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """How the last check of a backup went. `faults` empty: it was restored, and is what it was."""

    format: int = FORMAT
    checked_at: Wall
    release: str
    faults: tuple[str, ...]
    seconds: float

    @property
    def is_good(self) -> bool:
        return not self.faults


class _Versioned(msgspec.Struct, frozen=True):
    format: int = 0


def decode(content: bytes, what: type[T], *, where: str) -> T:
    """`content` as a Manifest or a Check; BackupDamaged for anything else, be it of a later release."""
    try:
        version = msgspec.json.decode(content, type=_Versioned).format
        if version > FORMAT:
            raise BackupDamaged(
                f"{where} was written by a newer release (format {version}, this one knows {FORMAT})",
                hint="use that release or a newer one",
            )
        return msgspec.json.decode(content, type=what)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BackupDamaged(f"{where} cannot be read: {error}", hint="use another backup") from error


def encode(value: Manifest | Check) -> bytes:
    """As a person can read it."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
