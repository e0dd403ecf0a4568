"""Other places for backups: a folder (another disk, a mounted share), what rclone knows, a machine behind ssh."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

from pipeline.errors import BackupDamaged, BackupFailed
from pipeline.store.snapshot import sync
from supervisor.backups import files
from supervisor.backups.folder import COPYING, Folder
from supervisor.backups.manifest import CHECK, DATABASE, MANIFEST

PROGRAM_SECONDS: Final = 6 * 3600.0  # for the largest first copy over a slow line
TOLD_CHARACTERS: Final = 400  # of what a program said
CONNECT_SECONDS: Final = 20


class Deletions(msgspec.Struct, frozen=True, kw_only=True):
    """Names of our own form that a rule has deleted here."""

    backups: tuple[str, ...]
    packs: tuple[str, ...]


class Place(Protocol):
    """Somewhere else. Both raise BackupFailed; both may be called again after they did."""

    def bring(self, backups: Sequence[str], packs: Sequence[str]) -> None:
        """Let these be there too. A backup is complete before its manifest is there."""
        ...

    def delete(self, names: Deletions) -> None:
        """Let these be gone, and nothing else."""
        ...


class Directory:
    """A folder of this machine: what is there was copied, synced, and then given its name."""

    def __init__(self, here: Folder, path: Path) -> None:
        self._here = here
        self._there = Folder(path)

    def bring(self, backups: Sequence[str], packs: Sequence[str]) -> None:
        there = self._there
        if there.path.resolve().is_relative_to(self._here.path.resolve()):
            inside = "" if there.path.resolve() == self._here.path.resolve() else "inside "
            raise BackupFailed(
                f"[backup] copy_to is {inside}the folder of the backups itself", hint="name one on another disk"
            )
        if not there.path.is_dir():
            raise BackupFailed(
                f"{there.path} is not there, or is no folder",
                hint="make it, or mount its disk: it is not made unasked, for then an unmounted disk would go unseen",
            )
        with there.locked(leftovers=COPYING), files.room_told(there.path):
            has = {pack.name: pack.stat().st_size for pack in there.packs()}
            for name in packs:
                if has.get(name) != (self._here.archive / name).stat().st_size:
                    self._bring_pack(name)
            for name in backups:
                self._bring_backup(name)

    def _bring_pack(self, name: str) -> None:
        there = self._there
        files.need(there.path, (self._here.archive / name).stat().st_size, f"the pack {name[:12]}…")
        aside = there.aside("pack")
        if _copied(self._here.archive / name, aside / name) != name.removesuffix(".db"):
            there.remove(aside)
            raise BackupDamaged(
                f"the pack {name[:12]}… does not match its name: its bytes have changed",
                hint="see `atlas backup drill`",
            )
        (aside / name).rename(there.archive / name)
        sync(there.archive)
        aside.rmdir()

    def _bring_backup(self, name: str) -> None:
        source, target = self._here.path / name, self._there.path / name
        if target.is_dir():
            self._mend(source, target)
            self._renew_check(source, target)
            return
        files.need(self._there.path, (source / DATABASE).stat().st_size, f"the backup {name}")
        aside = self._there.aside(name)
        for each in (DATABASE, MANIFEST, CHECK):
            _copied(source / each, aside / each)
        self._there.publish(aside, name)

    def _mend(self, source: Path, target: Path) -> None:
        """What was lost or cut short there comes again, the manifest last."""
        for each in (DATABASE, MANIFEST):
            if _size(target / each) != _size(source / each):
                files.need(self._there.path, _size(source / each), f"the backup {source.name}")
                aside = self._there.aside(source.name)
                _copied(source / each, aside / each)
                (aside / each).rename(target / each)
                sync(target)
                aside.rmdir()

    def _renew_check(self, source: Path, target: Path) -> None:
        with contextlib.suppress(BackupDamaged):
            if files.read_small(source / CHECK) == files.read_small(target / CHECK):
                return
        files.write(target / CHECK, files.read_small(source / CHECK))

    def delete(self, names: Deletions) -> None:
        there = self._there
        with there.locked(leftovers=COPYING):
            for name in names.backups:
                if (there.path / name).is_dir():
                    there.delete(there.path / name)
            for name in names.packs:
                (there.archive / name).unlink(missing_ok=True)


def _size(path: Path) -> int:
    """-1 for what is not there, or no plain file."""
    with contextlib.suppress(FileNotFoundError):
        found = path.lstat()
        return found.st_size if stat.S_ISREG(found.st_mode) else -1
    return -1


def _copied(source: Path, target: Path) -> str:
    """Copy a plain file to a new one (0600), synced; its SHA-256 on the way."""
    digest = hashlib.sha256()
    with files.open_plain(source) as reading, files.create(target) as writing:
        while chunk := reading.read(files.CHUNK):
            digest.update(chunk)
            writing.write(chunk)
        writing.flush()
        os.fsync(writing.fileno())
    return digest.hexdigest()


class Rclone:
    """A remote of rclone's own configuration. It compares by size and time, or by hash where the remote has them."""

    def __init__(self, here: Folder, remote: str) -> None:
        self._here = here
        self._remote = remote if remote.endswith((":", "/")) else f"{remote}/"

    def bring(self, backups: Sequence[str], packs: Sequence[str]) -> None:
        for names in _in_order(backups, packs):
            self._run("copy", "--files-from-raw", "-", "--", str(self._here.path), self._remote, given="\n".join(names))

    def delete(self, names: Deletions) -> None:
        there = set(self._run("lsf", "--dirs-only", "--", self._remote).split("/\n"))
        backups = [name for name in names.backups if name in there]
        gone = [f"{name}/{each}" for name in backups for each in (MANIFEST, CHECK, DATABASE)]
        gone += [f"archive/{name}" for name in names.packs]
        if gone:  # what is not there any more is passed over
            self._run("delete", "--files-from-raw", "-", "--", self._remote, given="\n".join(gone))
        for name in backups:
            self._run("rmdir", "--", f"{self._remote}{name}")

    def _run(self, *arguments: str, given: str = "") -> str:
        return _run("rclone", *arguments, given=given)


class Ssh:
    """Another machine, by rsync over ssh with a key that needs no passphrase; its host key is known already."""

    def __init__(self, here: Folder, host: str, path: str) -> None:
        self._here = here
        self._target = f"{host}:{path.rstrip('/') or '/'}/"

    def bring(self, backups: Sequence[str], packs: Sequence[str]) -> None:
        for names in _in_order(backups, packs):
            self._run("--files-from=-", "--", f"{self._here.path}/", self._target, given="\n".join(names))

    def delete(self, names: Deletions) -> None:
        """What is not here and not excluded is deleted there: and nothing but these is not excluded."""
        rules = [f"+ /{name}/***" for name in names.backups]
        if names.packs:
            rules += ["+ /archive/", *(f"+ /archive/{name}" for name in names.packs)]
        if rules:
            self._run(
                "--delete", "--existing", "--filter=merge -", "--", f"{self._here.path}/", self._target,
                given="\n".join([*rules, "- *"]),
            )  # fmt: skip

    def _run(self, *arguments: str, given: str) -> None:
        # -s: the other side's shell sees no path. Written aside there, and renamed when whole.
        ssh = f"--rsh=ssh -o BatchMode=yes -o ConnectTimeout={CONNECT_SECONDS}"
        options = ("-rt", "-s", "--chmod=D0700,F0600", "--mkpath", "--fsync", "--timeout=600", ssh)
        _run("rsync", *options, *arguments, given=given + "\n")


def _in_order(backups: Sequence[str], packs: Sequence[str]) -> list[list[str]]:
    """What is copied together: whoever finds a manifest finds all that it speaks of."""
    parts = [
        [f"archive/{name}" for name in packs],
        [f"{name}/{DATABASE}" for name in backups],
        [f"{name}/{each}" for name in backups for each in (MANIFEST, CHECK)],
    ]
    return [part for part in parts if part]


def _run(program: str, *arguments: str, given: str) -> str:
    """What a program prints, run without a shell; BackupFailed with its own words when it fails."""
    found = shutil.which(program)
    if found is None:
        raise BackupFailed(f"{program} is not installed", hint=f"install it (Debian: apt install {program})")
    try:
        ended = subprocess.run(  # noqa: S603 - no shell; every name is of our own form, the place is the operator's
            [found, *arguments],
            input=given.encode(),
            capture_output=True,
            check=False,
            timeout=PROGRAM_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        hours = f"{PROGRAM_SECONDS / 3600:g} hours"
        raise BackupFailed(f"{program} had not ended after {hours}", hint="see how fast the line is") from error
    if ended.returncode != 0:
        told = " ".join(ended.stderr.decode("utf-8", "replace").split())[-TOLD_CHARACTERS:]
        raise BackupFailed(
            f"{program} ended with {ended.returncode}: {told or 'it said nothing'}",
            hint=f"try it by hand as the user that runs Atlas; {_HINTS[program]}",
        )
    return ended.stdout.decode("utf-8", "replace")


_HINTS: Final = {
    "rclone": "`rclone listremotes` must name the remote",
    "rsync": "`ssh -o BatchMode=yes` to that host must ask nothing, and rsync 3.2.4 or newer be there",
}
