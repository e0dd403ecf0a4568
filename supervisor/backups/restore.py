"""`atlas restore`: all is made and checked beside the library first; then it takes the library's place by renames.

What was accepted since is exported from the library that is replaced, and brought back into the restored one before
that takes its place: at every moment it is in one of them, and nothing is left for a person to do.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from pipeline.clock import Clock
from pipeline.errors import BackupFailed, StoreError, StoreFull, StoreTooNew
from pipeline.ids import Random
from pipeline.store import regain, since
from pipeline.store.damage import MARK
from pipeline.store.deep import examine, schema_of
from pipeline.store.figures import BACKUP, BACKUP_VERIFIED
from pipeline.store.library import UNFINISHED, alone
from pipeline.store.migrate import SCHEMA_VERSION
from pipeline.store.packs import assemble, fill
from pipeline.store.snapshot import sync
from supervisor.backups import files, swap
from supervisor.backups.archive import readable
from supervisor.backups.check import restore_checked
from supervisor.backups.folder import Backup, Folder
from supervisor.backups.swap import Move, Plan
from supervisor.settings import Config

SCRATCH: Final = ".restoring-"  # of a run that died before anything was replaced; removed by the next
ASIDE: Final = "replaced-"
EXPORT: Final = "accepted-since.jsonl"
_BESIDE: Final = ("", "-wal", "-shm", "-journal")


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What was done."""

    backup: str
    made_at: int  # wall ms
    items: int
    schema: int  # of the backup
    schema_now: int
    accepted_since: int  # items
    notes: int  # among them
    marks: int
    feeds: int
    brought_back: int  # of all these
    unreadable: int
    archive: str  # kept, rebuilt
    bodies_added: int
    replaced: str  # the folder of what was there
    export: str
    doubts: tuple[str, ...]
    was_cut_off: bool = False
    was_empty: bool = False  # there was no library, so nothing is known of what was accepted since


class _Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """The parts that a restore works with."""

    config: Config
    folder: Folder
    backup: Backup
    scratch: Path
    clock: Clock
    random: Random
    say: Callable[[str], None]

    @property
    def library(self) -> Path:
        return self.config.folder / self.config.database.path

    @property
    def archive(self) -> Path:
        return self.config.folder / self.config.database.archive_path


def restore(
    config: Config, wanted: str | None, *, clock: Clock, random: Random, say: Callable[[str], None]
) -> Restored | None:
    """Finish a restore that was cut off; else restore the backup `wanted`. None: there is nothing to finish.

    Raises LibraryHeld while anybody has the library open, BackupBusy while somebody works on the backups, NotFound,
    BackupDamaged, StoreTooNew, StoreFull; then nothing was replaced.
    """
    config.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with alone(config.folder):
        left = swap.unfinished(config.folder)
        if left is not None:
            swap.finish(config.folder, left)
            report = msgspec.json.decode(left.report, type=Restored)
            return msgspec.structs.replace(report, was_cut_off=True)
        if wanted is None:
            return None
        for old in config.folder.glob(f"{SCRATCH}*"):
            shutil.rmtree(old, ignore_errors=True)
        folder = Folder(config.backups)
        with folder.locked():
            stamp = datetime.fromtimestamp(clock.wall_ms() // 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
            chosen = _Chosen(
                config=config,
                folder=folder,
                backup=folder.listing().find(wanted),
                scratch=config.folder / f"{SCRATCH}{stamp}",
                clock=clock,
                random=random,
                say=say,
            )
            return _restore(chosen)


def _restore(chosen: _Chosen) -> Restored:
    folder = chosen.config.folder
    _check_usable(chosen)
    aside = _free(folder / f"{ASIDE}{chosen.scratch.name.removeprefix(SCRATCH)}")
    try:
        with _full_told():
            _need_room(chosen)
            chosen.scratch.mkdir(mode=0o700)
            plan = _prepare(chosen, aside)
            swap.begin(folder, plan)
    except BaseException:
        if not (folder / UNFINISHED).exists():  # else it is decided, and what is to move is needed: see `swap`
            shutil.rmtree(chosen.scratch, ignore_errors=True)
        raise
    chosen.say("putting it in its place")
    swap.finish(folder, plan)
    return msgspec.json.decode(plan.report, type=Restored)


@contextlib.contextmanager
def _full_told() -> Iterator[None]:
    """A full disk, whoever meets it: up to here nothing was replaced."""
    hint = "nothing was replaced; make room on the disk of the data folder, then call it again"
    try:
        yield
    except StoreFull as error:
        raise StoreFull(error.message, hint=hint) from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise StoreFull(f"the disk is full: {error}", hint=hint) from error


def _check_usable(chosen: _Chosen) -> None:
    manifest, folder = chosen.backup.manifest, chosen.config.folder
    if manifest.evidence.schema > SCHEMA_VERSION:
        raise StoreTooNew(
            f"the backup {manifest.id} was made by release {manifest.release}, and has schema"
            f" {manifest.evidence.schema}; this release knows {SCHEMA_VERSION}",
            hint="install that release or a newer one, or choose another backup: atlas backup list",
        )
    for path in (chosen.library, chosen.archive):
        if not path.parent.is_dir():
            raise BackupFailed(
                f"there is no folder {path.parent} for {path.name}", hint="check [database] path, or make it: mkdir"
            )
        if path.parent.stat().st_dev != folder.stat().st_dev:
            raise BackupFailed(
                f"{path} is on another disk than {folder}, so the files cannot be replaced all at once",
                hint="let [database] name paths inside the data folder",
            )


def _need_room(chosen: _Chosen) -> None:
    """The library, with room for what is brought back, and what the packs hold more than the archive."""
    packs = sum(pack.stat().st_size for pack in chosen.folder.packs())
    held = chosen.archive.stat().st_size if chosen.archive.exists() else 0
    wanted = chosen.backup.manifest.database.bytes * 5 // 4 + max(0, packs - held)
    files.need(chosen.config.folder, wanted, f"restoring {chosen.backup.id}")


def _free(path: Path) -> Path:
    return next(
        each for each in (path, *(path.with_name(f"{path.name}-{n}") for n in range(2, 100))) if not each.exists()
    )


def _prepare(chosen: _Chosen, aside: Path) -> Plan:
    """Make everything in the scratch folder, and say what has to move."""
    library, export = chosen.scratch / "atlas.db", chosen.scratch / EXPORT
    chosen.say("unpacking the backup and checking it")
    restore_checked(chosen.backup, library)
    chosen.say("reading the archive through")
    archive, added, doubts = _archive(chosen)
    chosen.say("exporting what was accepted since")
    with files.create(export) as file:
        found = since.export(chosen.library, chosen.archive, library, file)
    sync(export)
    chosen.say("bringing it back")
    with export.open("rb") as file:
        regained = regain.regain(
            library,
            archive,
            since.read(file),
            tokens=found.tokens,
            totals=_totals(chosen.folder),
            database=chosen.config.database,
            queue=chosen.config.queue,
            clock=chosen.clock,
            random=chosen.random,
        )
    sync(chosen.scratch)
    is_rebuilt = archive != chosen.archive
    report = Restored(
        backup=chosen.backup.id,
        made_at=chosen.backup.manifest.made_at,
        items=sum(n for state, n in chosen.backup.manifest.evidence.items.items() if state != "deleted"),
        schema=chosen.backup.manifest.evidence.schema,
        schema_now=regained.schema,
        accepted_since=found.items,
        notes=found.notes,
        marks=found.marks,
        feeds=found.feeds,
        brought_back=regained.lines,
        unreadable=found.unreadable,
        archive="rebuilt" if is_rebuilt else "kept",
        bodies_added=added,
        replaced=str(aside),
        export=str(aside / EXPORT),
        doubts=(*doubts, *found.doubts, *regained.doubts),
        was_empty=found.is_absent,
    )
    return _plan(chosen, aside, report, is_rebuilt=is_rebuilt)


def _archive(chosen: _Chosen) -> tuple[Path, int, tuple[str, ...]]:
    """The archive to go on with, how many bodies it got, and what is missing in it.

    One that is sound is kept and filled up: bodies go by the hash of their bytes, so that none can be an older one, and
    those fetched since the backup are only there. Any other is made anew from the packs. A damaged pack keeps nobody
    from what the others hold.
    """
    packs, unreadable = readable(chosen.folder)
    if chosen.archive.exists():
        try:
            if schema_of(chosen.archive) > 0 and not examine(chosen.archive):
                filled = fill(chosen.archive, packs)
                return chosen.archive, filled.bodies, (*unreadable, *filled.faults)
        except StoreError:
            pass  # it is made anew
    made = assemble(packs, chosen.scratch / "archive.db")
    return chosen.scratch / "archive.db", made.bodies, (*unreadable, *made.faults)


def _totals(folder: Folder) -> dict[str, int]:
    """What the restored library does not know: the backups made since."""
    backups = folder.listing().backups
    checked = [backup.check.checked_at for backup in backups if backup.check is not None and backup.is_good]
    figures = {BACKUP: max(backup.manifest.made_at for backup in backups)}
    return figures | ({BACKUP_VERIFIED: max(checked)} if checked else {})


def _plan(chosen: _Chosen, aside: Path, report: Restored, *, is_rebuilt: bool) -> Plan:
    replaced = [chosen.library] + ([chosen.archive] if is_rebuilt else [])
    aside_as = {chosen.library: chosen.library.name, chosen.archive: _other_than(chosen.library, chosen.archive.name)}
    away = [
        Move(source=f"{path}{ending}", target=str(aside / f"{aside_as[path]}{ending}"))
        for path in replaced
        for ending in _BESIDE
    ]
    away.append(Move(source=str(chosen.config.folder / MARK), target=str(aside / MARK)))  # where there is one
    # The library last: whoever should look past restoring.json finds none before all else is there.
    into = [(chosen.scratch / EXPORT, aside / EXPORT)]
    into += [(chosen.scratch / "archive.db", chosen.archive)] if is_rebuilt else []
    into += [(chosen.scratch / "atlas.db", chosen.library)]
    return Plan(
        scratch=str(chosen.scratch),
        aside=str(aside),
        away=tuple(away),
        into=tuple(Move(source=str(source), target=str(target)) for source, target in into),
        report=msgspec.Raw(msgspec.json.encode(report)),
    )


def _other_than(library: Path, name: str) -> str:
    """Both files may have one name, in two folders; aside they lie in one."""
    return f"archive-{name}" if name == library.name else name
