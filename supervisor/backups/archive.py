"""The packs of a backup folder: what is new goes into new ones, many small ones become a large one, none is changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from pipeline.errors import StoreError
from pipeline.store.evidence import referenced
from pipeline.store.packs import PACK_BYTES, Packed, examine_pack, export, keys, lacking, merge, union
from pipeline.store.snapshot import sync
from supervisor.backups import files
from supervisor.backups.folder import Folder

SMALL_BYTES: Final = PACK_BYTES // 2
SMALL_MOST: Final = 12  # small packs before they are merged


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a set of packs holds, and what of a library's bodies it does not."""

    packs: int
    bodies: int
    bytes: int
    missing: int


def readable(folder: Folder) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """The packs whose keys can be read, and what is wrong with the others.

    Without one that cannot be read its bodies count as new, and are taken from the live archive again.
    """
    good: list[Path] = []
    faults: list[str] = []
    for pack in folder.packs():
        try:
            for _ in keys(pack):
                pass
            good.append(pack)
        except StoreError as error:
            told = "; once a backup was made that does not lack its bodies, delete it"
            faults.append(f"the pack {pack} cannot be used: {error.message}{told}")
    return tuple(good), tuple(faults)


def held(packs: Sequence[Path], library: Path) -> Held:
    """Reads the keys of the packs and the references of an unpacked library, not the bodies."""
    return Held(
        packs=len(packs),
        bodies=sum(1 for _ in union(packs)),
        bytes=sum(pack.stat().st_size for pack in packs),
        missing=sum(1 for _ in lacking(referenced(library), union(packs))),
    )


def take_new(packs: Sequence[Path], archive: Path, aside: Path) -> Packed:
    """Export what is in no pack yet into `aside`. What keeps an archive from being read is a fault told."""
    if not archive.exists():
        return Packed(packs=(), faults=(f"{archive.name} is missing",))
    try:
        return export(archive, packs, aside)
    except StoreError as error:
        if error.retryable:
            raise
        return Packed(packs=(), faults=(error.message,))


def check_new(packed: Packed) -> tuple[str, ...]:
    """What is wrong with packs just written, read back."""
    return tuple(fault for pack in packed.packs for fault in examine_pack(pack.path)[1])


def add(folder: Folder, packed: Packed) -> None:
    """Let new packs be part of the archive."""
    for pack in packed.packs:
        pack.path.rename(folder.archive / pack.path.name)
    sync(folder.archive)


def tidy(folder: Folder) -> tuple[str, ...]:
    """Merge the small packs when there are many; the names that are gone by it.

    The new ones are there before an old one goes, so at every moment all bodies are.
    """
    small = [pack for pack in readable(folder)[0] if pack.stat().st_size < SMALL_BYTES]
    if len(small) <= SMALL_MOST:
        return ()
    files.need(folder.path, sum(pack.stat().st_size for pack in small), "merging the packs")
    aside = folder.aside("packs")
    merged = merge(small, aside)
    if merged.faults or check_new(merged):
        return ()  # the drill tells what is wrong with which
    names = {pack.path.name for pack in merged.packs}
    add(folder, merged)
    gone = [pack for pack in small if pack.name not in names]
    for pack in gone:
        pack.unlink()
    sync(folder.archive)
    aside.rmdir()
    return tuple(pack.name for pack in gone)
