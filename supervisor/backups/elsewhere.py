"""`atlas backup copy`: what was checked is brought to another place, which keeps the same form.

A copy is complete before it can be found: packs first, then the library, its manifest last. Nothing is deleted there
but what a rule of ours has deleted here, by its name: a folder that was lost here empties no copy.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from observability.log import Logger
from observability.names import Event
from pipeline.clock import Clock
from pipeline.errors import AtlasError, BackupDamaged, BackupFailed, StoreError
from pipeline.store.damage import sound_library
from pipeline.store.figures import COPIED as COPIED_AT
from pipeline.store.snapshot import note
from supervisor.backups import files
from supervisor.backups.folder import COPIED, Folder, moment_of
from supervisor.backups.manifest import decode
from supervisor.backups.places import Deletions, Directory, Place, Rclone, Ssh
from supervisor.settings import COPY_TO, Config


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the other place, as of the last time that all of it went well."""

    copied_at: int  # wall ms
    to: str
    backups: tuple[str, ...]
    packs: int
    format: int = 1


def copy(config: Config, *, clock: Clock, log: Logger) -> Copied:
    """Bring all backups that passed their check, and all packs, to `[backup] copy_to`.

    Raises BackupFailed when that cannot be done, or there is none; BackupBusy while another command is at work.
    """
    folder = Folder(config.backups)
    try:
        with folder.locked():
            _check_apart(config)
            done = _copy(folder, _place(folder, config.backup.copy_to), config.backup.copy_to, clock)
    except AtlasError as error:
        # Expected: whoever called tells it, and no traceback says more.
        log.error(Event.BACKUP_NOT_COPIED, code=error.code, detail=error.message, hint=error.hint)  # noqa: TRY400
        raise
    log.info(Event.BACKUP_COPIED, backups=len(done.backups), packs=done.packs)
    with contextlib.suppress(StoreError), sound_library(config.folder):  # copied.json tells it as well
        note(config.folder / config.database.path, {COPIED_AT: done.copied_at})
    return done


def last_copied(folder: Folder) -> Copied | None:
    """The last time that all went well; None when there was none, or nobody can read it."""
    try:
        return decode(files.read_small(folder.path / COPIED), Copied, where=COPIED)
    except BackupDamaged:
        return None


def _copy(folder: Folder, place: Place, to: str, clock: Clock) -> Copied:
    good = [backup for backup in folder.listing().backups if backup.is_good]
    if not good:
        raise BackupFailed(
            "there is no backup that passed its check, so there is nothing to copy", hint="make one: `atlas backup`"
        )
    packs = folder.packs()
    place.bring([backup.id for backup in good], [pack.name for pack in packs])
    place.delete(_deletions(folder, [pack.name for pack in packs]))
    done = Copied(copied_at=clock.wall_ms(), to=to, backups=tuple(backup.id for backup in good), packs=len(packs))
    files.write(folder.path / COPIED, msgspec.json.encode(done))
    return done


def _deletions(folder: Folder, packs: Sequence[str]) -> Deletions:
    """By name, and only what is not here: a merge may have made a pack that there was before."""
    retired = folder.retired()
    here = {backup.id for backup in folder.listing().backups}
    return Deletions(
        backups=tuple(name for name in retired.backups if moment_of(name) is not None and name not in here),
        packs=tuple(name for name in retired.packs if Folder.is_pack(name) and name not in packs),
    )


def _check_apart(config: Config) -> None:
    """Among the library's own files a copy would be none, and its folders would lie between them."""
    to = config.backup.copy_to
    if to.startswith("/") and Path(to).resolve() == config.folder.resolve():
        raise BackupFailed("[backup] copy_to is the data folder itself", hint="name one on another disk")


def _place(folder: Folder, to: str) -> Place:
    found = COPY_TO.fullmatch(to)
    if found is None:
        raise BackupFailed("there is no other place", hint="name one in [backup] copy_to; see config.example.toml")
    if found["folder"]:
        return Directory(folder, Path(found["folder"]))
    if found["remote"]:
        return Rclone(folder, found["remote"])
    return Ssh(folder, found["host"], found["path"])
