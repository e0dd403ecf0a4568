"""The folder of the backups: what is in it, by which names, and who works there.

    20261125T031700Z/       a backup: atlas.db.zst, manifest.json, check.json; never without all it needs
    archive/<sha256>.db     packs of bodies, which all backups share
    .partial-…              being made or deleted; left over by a run that died, and removed by the next
    .failed-<id>/           did not pass its check; kept for a person to look at, the last two

An id that comes from outside is looked for among the names that are there; no path is ever made of it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import stat
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from pipeline.errors import AtlasError, BackupBusy, BackupDamaged, BackupFailed, NotFound
from pipeline.store.snapshot import sync
from supervisor.backups import files
from supervisor.backups.files import PARTIAL
from supervisor.backups.manifest import CHECK, DATABASE, MANIFEST, Check, Manifest, decode

FAILED: Final = ".failed-"
FAILED_KEPT: Final = 2
_ID: Final = re.compile(r"(?P<moment>[0-9]{8}T[0-9]{6}Z)(-[2-9])?")
_LEFTOVERS: Final = re.compile(re.escape(PARTIAL) + ".*", re.DOTALL)
# In somebody's folder, where a copy is: what may be somebody else's stays.
COPYING: Final = re.compile(re.escape(PARTIAL) + r"(pack|(gone-)?[0-9]{8}T[0-9]{6}Z(-[2-9])?)")
_PACK: Final = re.compile(r"[0-9a-f]{64}\.db")
RETIRED: Final = "retired.json"
RETIRED_MOST: Final = 1000  # names remembered of each kind
COPIED: Final = "copied.json"
_OURS: Final = frozenset({".lock", "archive", COPIED, RETIRED})


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """One that is there under its name."""

    path: Path
    manifest: Manifest
    check: Check | None  # None: it was never checked, or nobody can read how that went

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def is_good(self) -> bool:
        """Whether it was restored and found to be what it was, the last time that it was checked."""
        return self.check is not None and self.check.is_good

    @property
    def moment(self) -> datetime:
        found = moment_of(self.id)
        assert found is not None, "it was listed by its name"
        return found

    @property
    def database(self) -> Path:
        return self.path / DATABASE


class Stranger(msgspec.Struct, frozen=True, kw_only=True):
    """What lies among the backups and is none that can be used."""

    name: str
    why: str


class Retired(msgspec.Struct, frozen=True, kw_only=True):
    """Names that a rule of ours has deleted here: the only ones that may be deleted in a copy."""

    backups: tuple[str, ...] = ()
    packs: tuple[str, ...] = ()


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the folder, the newest backup first."""

    backups: tuple[Backup, ...]
    strangers: tuple[Stranger, ...] = ()

    def find(self, wanted: str) -> Backup:
        """The backup of that id, else NotFound, or BackupDamaged with the reason for which it cannot be used."""
        for backup in self.backups:
            if backup.id == wanted:
                return backup
        for stranger in self.strangers:
            if stranger.name == wanted and moment_of(wanted) is not None:
                raise BackupDamaged(f"the backup {wanted} cannot be used: {stranger.why}", hint="use another one")
        raise NotFound(f"there is no backup {wanted!r}", hint="choose one of `atlas backup list`")

    def newest(self) -> Backup:
        """Raises NotFound when there is none."""
        if not self.backups:
            raise NotFound("there is no backup yet", hint="make one: `atlas backup`")
        return self.backups[0]

    def newest_good(self) -> Backup | None:
        """The newest whose last check it passed."""
        return next((backup for backup in self.backups if backup.is_good), None)


def moment_of(name: str) -> datetime | None:
    """When the backup of that name was made, in UTC; None for a name that is none of ours."""
    found = _ID.fullmatch(name)
    if found is None:
        return None
    try:
        return datetime.fromisoformat(found["moment"])  # strptime would import what the owner may not be able to read
    except ValueError:
        return None


class Folder:
    """See the module. Nothing here asks the clock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.archive = path / "archive"

    def create(self) -> None:
        """Make it (0700) where it is not there. Raises BackupFailed."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.archive.mkdir(mode=0o700, exist_ok=True)
        except PermissionError as error:
            raise BackupFailed(
                f"{self.path} belongs to somebody else, or lies in what does",
                hint="call it as root (sudo) or as the owner of the data folder",
            ) from error
        except OSError as error:
            raise BackupFailed(
                f"{self.path} cannot be made: {error.strerror}", hint="let [backup] dir name another folder"
            ) from error

    @contextlib.contextmanager
    def locked(self, *, leftovers: re.Pattern[str] = _LEFTOVERS) -> Iterator[None]:
        """Work in it, alone: BackupBusy when somebody else does. What a run that died has left is removed."""
        self.create()
        try:
            descriptor = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise BackupFailed(
                f"{self.path}/.lock cannot be opened: {error.strerror}", hint="check who owns that folder"
            ) from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BackupBusy(
                    f"another command works on the backups in {self.path}",
                    hint="wait until it has ended, then try again",
                ) from None
            for entry in (*self._entries(self.path, PARTIAL), *self._entries(self.archive, PARTIAL)):
                if leftovers.fullmatch(entry.name):
                    _remove(entry)
            yield
        finally:
            os.close(descriptor)

    def listing(self) -> Listing:
        """What is there; empty when the folder is not. Reads the small files of each backup."""
        backups, strangers = [], []
        for entry in self._entries(self.path):
            name = entry.name
            if name in _OURS or name.startswith((PARTIAL, FAILED)):
                continue
            try:
                backups.append(_read(entry))
            except AtlasError as error:
                strangers.append(Stranger(name=name, why=error.message))
        backups.sort(key=lambda backup: backup.id, reverse=True)
        return Listing(backups=tuple(backups), strangers=tuple(strangers))

    def packs(self) -> tuple[Path, ...]:
        """The files of the archive's packs."""
        return tuple(entry for entry in self._entries(self.archive) if self.is_pack(entry.name) and _is_file(entry))

    @staticmethod
    def is_pack(name: str) -> bool:
        return _PACK.fullmatch(name) is not None

    def name_for(self, made_at: int) -> str:
        """An id that no backup has, for one made at that wall time in ms."""
        name = datetime.fromtimestamp(made_at // 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
        for each in (name, *(f"{name}-{n}" for n in range(2, 10))):
            if not any(os.path.lexists(self.path / f"{prefix}{each}") for prefix in ("", FAILED)):
                return each
        raise BackupBusy(f"nine backups were made within the second {name}", hint="wait a second")

    def aside(self, name: str) -> Path:
        """A new folder (0700) to work in, which the next run removes if this one dies."""
        path = self.path / f"{PARTIAL}{name}"
        path.mkdir(mode=0o700)
        return path

    def publish(self, aside: Path, name: str) -> Path:
        """Give what is complete and synced its name, for good."""
        sync(aside)
        path = aside.rename(self.path / name)
        sync(self.path)
        return path

    def set_aside(self, aside: Path, name: str) -> Path:
        """Keep what did not pass, the last FAILED_KEPT of it."""
        path = self.publish(aside, f"{FAILED}{name}")
        for old in sorted(self._entries(self.path, FAILED), reverse=True)[FAILED_KEPT:]:
            self.delete(old)
        return path

    def retired(self) -> Retired:
        """What was deleted here by rule. Empty when nobody can read it: then nothing is deleted elsewhere."""
        with contextlib.suppress(BackupDamaged):
            return decode(files.read_small(self.path / RETIRED), Retired, where=RETIRED)
        return Retired()

    def retire(self, *, backups: Sequence[str] = (), packs: Sequence[str] = ()) -> None:
        """Note what is deleted here, so that it may be deleted elsewhere too; before it is done."""
        if backups or packs:
            was = self.retired()
            told = Retired(backups=(*was.backups, *backups)[-RETIRED_MOST:], packs=(*was.packs, *packs)[-RETIRED_MOST:])
            files.write(self.path / RETIRED, msgspec.json.encode(told))

    def delete(self, path: Path) -> None:
        """Remove an entry: it loses its name first, so that there is never half a backup."""
        gone = path.rename(path.with_name(f"{PARTIAL}gone-{path.name.lstrip('.')}"))
        sync(path.parent)
        self.remove(gone)

    def remove(self, path: Path) -> None:
        """Remove what has no name of a backup, or not any more. What is left over goes with the next run."""
        _remove(path)

    def _entries(self, folder: Path, prefix: str = "") -> list[Path]:
        try:
            return sorted(entry for entry in folder.iterdir() if entry.name.startswith(prefix))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise BackupFailed(f"{folder} cannot be read: {error.strerror}", hint="check who owns it") from error


def _read(entry: Path) -> Backup:
    if moment_of(entry.name) is None:
        raise BackupDamaged("not a name of a backup")
    if not stat.S_ISDIR(entry.lstat().st_mode):
        raise BackupDamaged("no folder")
    manifest = decode(files.read_small(entry / MANIFEST), Manifest, where=MANIFEST)
    if manifest.id != entry.name:
        raise BackupDamaged(f"its manifest is of {manifest.id}")
    check = None
    if os.path.lexists(entry / CHECK):
        with contextlib.suppress(BackupDamaged):
            check = decode(files.read_small(entry / CHECK), Check, where=CHECK)
    return Backup(path=entry, manifest=manifest, check=check)


def _is_file(path: Path) -> bool:
    return stat.S_ISREG(path.lstat().st_mode)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
