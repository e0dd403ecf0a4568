"""`atlas backup`: copy, pack, take the archive's new bodies, restore it to see, and only then give it its name."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from observability.log import Logger
from observability.names import Event
from pipeline.clock import Clock
from pipeline.errors import AtlasError, BackupFailed, StoreDamaged, StoreError
from pipeline.store.damage import HINT, condemn, sound_library
from pipeline.store.disk import reserve
from pipeline.store.evidence import Evidence, gather
from pipeline.store.figures import BACKUP, BACKUP_VERIFIED
from pipeline.store.packs import Packed
from pipeline.store.snapshot import note, snapshot, sync
from supervisor.arguments import version
from supervisor.backups import archive, files, retention
from supervisor.backups.check import LIBRARY, check
from supervisor.backups.folder import Backup, Folder
from supervisor.backups.manifest import CHECK, DATABASE, MANIFEST, Bodies, Check, DatabaseFile, Manifest, encode
from supervisor.settings import Config

PACKS: Final = "packs"  # of the folder in which a backup is made


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that passed its check. `doubts`: what it nevertheless is without."""

    backup: Backup
    doubts: tuple[str, ...]
    deleted: tuple[str, ...]
    seconds: float


Say = Callable[[str], None]


def make(config: Config, *, clock: Clock, log: Logger, say: Say) -> Made:
    """Make a backup of the library and the archive, check it, then delete one that has served its time.

    Whatever happens, a name in the folder stands for a whole backup. Raises BackupFailed when the one that was made did
    not pass, BackupBusy when another command is at work, StoreFull when there is no room, and the store's own errors.
    """
    folder = Folder(config.backups)
    try:
        with folder.locked(), files.room_told(folder.path):
            made = _make(folder, config, clock, say)
    except AtlasError as error:
        # Expected: whoever called tells it, and no traceback says more.
        log.error(Event.BACKUP_FAILED, code=error.code, detail=error.message, hint=error.hint)  # noqa: TRY400
        raise
    log.info(
        Event.BACKUP_MADE,
        backup=made.backup.id,
        bytes=made.backup.manifest.database.packed_bytes,
        items=sum(made.backup.manifest.evidence.items.values()),
        bodies=made.backup.manifest.archive.added,
        duration=made.seconds,
    )
    for doubt in made.doubts:
        log.error(Event.BACKUP_INCOMPLETE, backup=made.backup.id, detail=doubt)
    for name in made.deleted:
        log.info(Event.BACKUP_DELETED, backup=name)
    return made


class _Parts(msgspec.Struct, kw_only=True):
    """What is measured while a backup is made."""

    name: str
    made_at: int
    clock: Clock
    say: Say
    seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        self.say(name)
        begun = self.clock.monotonic()
        yield
        self.seconds[name] = round(self.clock.monotonic() - begun, 3)


def _make(folder: Folder, config: Config, clock: Clock, say: Say) -> Made:
    begun, made_at = clock.monotonic(), clock.wall_ms()
    _need_room(folder, config)
    name = folder.name_for(made_at)
    with sound_library(config.folder):
        return _make_of(folder, config, name, begun=begun, made_at=made_at, clock=clock, say=say)


def _make_of(folder: Folder, config: Config, name: str, *, begun: float, made_at: int, clock: Clock, say: Say) -> Made:
    aside = folder.aside(name)
    try:
        (aside / PACKS).mkdir(mode=0o700)
        parts = _Parts(name=name, made_at=made_at, clock=clock, say=say)
        manifest, packed = _write(folder, config, aside, parts)
        with parts.part("check"):
            found = _check(folder, aside, manifest, packed, clock)
        if found.faults:
            raise _did_not_pass(folder, aside, name, found, is_library_damaged=_is_damaged(config, clock))
        archive.add(folder, packed)
        (aside / PACKS).rmdir()
        backup = Backup(path=folder.publish(aside, name), manifest=manifest, check=found)
    except StoreDamaged:
        shutil.rmtree(aside, ignore_errors=True)
        _is_damaged(config, clock)  # met before there was anything to check: what runs has to know it all the same
        raise
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    doubts = list(packed.faults)
    if manifest.archive.missing:
        doubts.append(f"{manifest.archive.missing:,} bodies that the library refers to are in no backup")
    doubts += _noted(config, {BACKUP: made_at, BACKUP_VERIFIED: found.checked_at})
    deleted, untidy = _thin_out(folder, config, backup)
    return Made(
        backup=backup,
        doubts=(*doubts, *untidy),
        deleted=deleted,
        seconds=round(clock.monotonic() - begun, 3),
    )


def _need_room(folder: Folder, config: Config) -> None:
    """The library twice (copied and packed, then packed and restored), and what the packs lack of the archive."""
    library, bodies = config.folder / config.database.path, config.folder / config.database.archive_path
    packs = sum(pack.stat().st_size for pack in folder.packs())
    wanted = 2 * _size(library) + max(0, _size(bodies) - packs)
    is_same_disk = folder.path.stat().st_dev == config.folder.stat().st_dev
    kept = (lambda total: reserve(total, config.database)) if is_same_disk else None
    files.need(folder.path, wanted, "a backup", reserve=kept)


def _size(path: Path) -> int:
    total = 0
    for each in (path, path.with_name(f"{path.name}-wal")):
        with contextlib.suppress(OSError):
            total += each.stat().st_size
    return total


def _write(folder: Folder, config: Config, aside: Path, parts: _Parts) -> tuple[Manifest, Packed]:
    """The library before the archive: a body is stored before it is referred to, so what the copy names is there."""
    copy = aside / LIBRARY
    with parts.part("copy"):
        # Removed in a minute: to sync it would hold up the library's own commits.
        snapshot(config.folder / config.database.path, copy, durable=False)
    with parts.part("count"):
        evidence = gather(copy)
    with parts.part("pack"):
        database = files.pack(copy, aside / DATABASE)
    with parts.part("archive"):
        packs, unreadable = archive.readable(folder)
        packed = archive.take_new(packs, config.folder / config.database.archive_path, aside / PACKS)
        packed = msgspec.structs.replace(packed, faults=(*unreadable, *packed.faults))
        held = archive.held([*packs, *(pack.path for pack in packed.packs)], copy)
    copy.unlink()
    manifest = _manifest(parts, evidence, database, packed, held)
    with files.create(aside / MANIFEST) as file:
        file.write(encode(manifest))
    sync(aside / MANIFEST)
    return manifest, packed


def _manifest(
    parts: _Parts, evidence: Evidence, database: DatabaseFile, packed: Packed, held: archive.Held
) -> Manifest:
    bodies = Bodies(
        packs=held.packs,
        bodies=held.bodies,
        bytes=held.bytes,
        added=packed.bodies,
        missing=held.missing,
        faults=packed.faults,
    )
    return Manifest(
        id=parts.name,
        made_at=parts.made_at,
        release=version(),
        database=database,
        evidence=evidence,
        archive=bodies,
        seconds=dict(parts.seconds),
    )


def _check(folder: Folder, aside: Path, manifest: Manifest, packed: Packed, clock: Clock) -> Check:
    packs = [*archive.readable(folder)[0], *(pack.path for pack in packed.packs)]
    found = check(folder, aside, manifest, packs, clock)
    found = msgspec.structs.replace(found, faults=(*found.faults, *archive.check_new(packed)))
    files.write(aside / CHECK, encode(found))
    return found


def _is_damaged(config: Config, clock: Clock) -> bool:
    """Whether the fault of the copy is one of the library itself, which is in safe mode then."""
    with contextlib.suppress(StoreError):
        return bool(condemn(config.folder, config.folder / config.database.path, clock))
    return False


def _did_not_pass(folder: Folder, aside: Path, name: str, found: Check, *, is_library_damaged: bool) -> BackupFailed:
    shutil.rmtree(aside / PACKS, ignore_errors=True)
    path = folder.set_aside(aside, name)
    return BackupFailed(
        f"the backup {name} did not pass its check: {'; '.join(found.faults)}",
        hint=f"the library itself is damaged; nothing is written to it any more; {HINT}"
        if is_library_damaged
        else f"it is kept in {path}; see how the library is: `atlas doctor --deep`",
    )


def _noted(config: Config, figures: dict[str, int]) -> list[str]:
    """Monitors learn of a backup from the library. One that is too busy to be told has a backup all the same."""
    try:
        with sound_library(config.folder):
            note(config.folder / config.database.path, figures)
    except StoreError as error:
        return [f"the library was not told of it, so monitors will not know: {error.message}"]
    return []


def _thin_out(folder: Folder, config: Config, made: Backup) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What was deleted, and what kept it from being tidy: the backup is made and good all the same."""
    gone: tuple[str, ...] = ()
    try:
        gone = _delete_old(folder, config, made)
        folder.retire(packs=archive.tidy(folder))
    except (AtlasError, OSError) as error:
        return gone, (f"what has served its time could not be tidied away: {error}",)
    return gone, ()


def _delete_old(folder: Folder, config: Config, made: Backup) -> tuple[str, ...]:
    listing = folder.listing()
    moments = {backup.id: backup.moment for backup in listing.backups}
    before = [backup.id for backup in listing.backups if backup.is_good and backup.id != made.id]
    gone = retention.doomed(moments, config.backup, spare={made.id, *before[:1]})
    folder.retire(backups=gone)
    for each in gone:
        folder.delete(folder.path / each)
    return gone
