"""`atlas backup drill`: the newest backup restored for real, every pack read through, and how long that took."""

from __future__ import annotations

import msgspec

from observability.log import Logger
from observability.names import Event
from pipeline.clock import Clock
from pipeline.errors import StoreError
from pipeline.store.damage import sound_library
from pipeline.store.figures import DRILLED
from pipeline.store.packs import assemble, examine_pack
from pipeline.store.snapshot import note
from supervisor.backups import files
from supervisor.backups.check import check_again
from supervisor.backups.folder import Backup, Folder
from supervisor.settings import Config

GB = 1_000_000_000


class Drilled(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore would have taken now, and what was wrong."""

    backup: str
    faults: tuple[str, ...]
    doubts: tuple[str, ...]
    library_bytes: int
    library_seconds: float
    bodies: int
    archive_bytes: int
    archive_seconds: float

    @property
    def seconds_per_gb(self) -> float:
        seconds, size = self.library_seconds + self.archive_seconds, self.library_bytes + self.archive_bytes
        return seconds / size * GB if size else 0.0


def drill(config: Config, *, clock: Clock, log: Logger) -> Drilled:
    """Restore and check the newest backup, read all packs through, and assemble an archive of them; remove it again.

    Raises NotFound without any backup, BackupBusy and StoreFull.
    """
    folder = Folder(config.backups)
    with folder.locked(), files.room_told(folder.path):
        backup = folder.listing().newest()
        found = check_again(folder, backup, clock, log)
        done = _with_archive(folder, backup, clock, found.faults, found.seconds)
    for fault in done.faults[len(found.faults) :]:
        log.error(Event.BACKUP_DAMAGED, backup=backup.id, detail=fault)
    if done.faults:
        return done
    log.info(Event.BACKUP_DRILLED, backup=backup.id, bytes=done.library_bytes, bodies=done.bodies)
    try:
        with sound_library(config.folder):
            note(config.folder / config.database.path, {DRILLED: clock.wall_ms()})
    except StoreError as error:
        doubt = f"the library was not told of it, so monitors will not know: {error.message}"
        return msgspec.structs.replace(done, doubts=(doubt,))
    return done


def _with_archive(folder: Folder, backup: Backup, clock: Clock, faults: tuple[str, ...], seconds: float) -> Drilled:
    packs = folder.packs()
    packed = sum(pack.stat().st_size for pack in packs)
    files.need(folder.path, packed, "assembling the archive")
    begun = clock.monotonic()
    wrong = [fault for pack in packs for fault in examine_pack(pack)[1]]
    aside = folder.aside("drill")
    try:
        archive = assemble(packs, aside / "archive.db") if not wrong else None
    finally:
        folder.remove(aside)
    took = clock.monotonic() - begun
    return Drilled(
        backup=backup.id,
        faults=(*faults, *wrong, *(archive.faults if archive is not None else ())),
        doubts=(),
        library_bytes=backup.manifest.database.bytes,
        library_seconds=seconds,
        bodies=archive.bodies if archive is not None else 0,
        archive_bytes=packed,
        archive_seconds=round(took, 3),
    )
