"""Whether a backup is what it says: it is restored into a folder of its own and looked through, whoever made it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from observability.log import Logger
from observability.names import Event
from pipeline.clock import Clock
from pipeline.errors import AtlasError, BackupDamaged, StoreBroken
from pipeline.store.deep import examine
from pipeline.store.evidence import differences, strangers
from supervisor.arguments import version
from supervisor.backups import files
from supervisor.backups.archive import held, readable
from supervisor.backups.folder import Backup, Folder
from supervisor.backups.manifest import CHECK, DATABASE, Check, Manifest, encode

FAULTS_MOST: Final = 20
LIBRARY: Final = "atlas.db"


def check(folder: Folder, path: Path, manifest: Manifest, packs: Sequence[Path], clock: Clock) -> Check:
    """Restore the backup in `path` into a scratch folder, compare it with its manifest, and remove the scratch again.

    `packs` is where the bodies have to be that it refers to. Raises StoreFull, before anything is written, when there
    is no room; whatever else is wrong is a fault of the backup.
    """
    begun = clock.monotonic()
    files.need(folder.path, manifest.database.bytes, "restoring the backup to check it")
    scratch = folder.aside("scratch")
    try:
        faults = tuple(_faults(path / DATABASE, scratch / LIBRARY, manifest, packs))
    except (BackupDamaged, StoreBroken) as error:
        faults = (error.message,)
    except AtlasError as error:
        if error.retryable:
            raise
        faults = (error.message,)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Check(
        checked_at=clock.wall_ms(),
        release=version(),
        faults=faults[:FAULTS_MOST],
        seconds=round(clock.monotonic() - begun, 3),
    )


def check_again(folder: Folder, backup: Backup, clock: Clock, log: Logger) -> Check:
    """Check a backup that is there, and note beside it how that went."""
    found = check(folder, backup.path, backup.manifest, readable(folder)[0], clock)
    files.write(backup.path / CHECK, encode(found))
    if found.is_good:
        log.info(Event.BACKUP_CHECKED, backup=backup.id, duration=found.seconds)
    for fault in found.faults:
        log.error(Event.BACKUP_DAMAGED, backup=backup.id, detail=fault)
    return found


def restore_checked(backup: Backup, target: Path) -> None:
    """Unpack the library of a backup to the new file `target`, and be sure of it.

    Raises BackupDamaged with all that is wrong; what lies at `target` is then not to be used.
    """
    faults = tuple(_library_faults(backup.database, target, backup.manifest, durable=True))
    if faults:
        raise BackupDamaged(
            f"the backup {backup.id} is not what it was: {'; '.join(faults[:FAULTS_MOST])}",
            hint="use another one: `atlas backup list`",
        )


def _faults(packed: Path, library: Path, manifest: Manifest, packs: Sequence[Path]) -> Iterator[str]:
    # What is removed in a minute need not be on the disk: to sync it would hold up the library's own commits.
    faults = tuple(_library_faults(packed, library, manifest, durable=False))
    yield from faults
    if not faults:
        missing = held(packs, library).missing
        if missing > manifest.archive.missing:
            yield (
                f"{missing:,} bodies that it refers to are in no pack, and {manifest.archive.missing:,} were missing"
                " when it was made"
            )


def _library_faults(packed: Path, library: Path, manifest: Manifest, *, durable: bool) -> Iterator[str]:
    """Of the least trusting question first: a file that is not ours is asked nothing that could harm."""
    files.unpack(packed, library, manifest.database, durable=durable)
    found = strangers(library, "atlas")
    yield from found
    if not found:
        sick = examine(library)
        yield from sick
        if not sick:
            yield from differences(library, manifest.evidence)
