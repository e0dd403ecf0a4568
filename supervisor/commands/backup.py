"""`atlas backup`: make one; list, verify and drill them; copy them elsewhere."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import msgspec

from gateway.shape import iso
from observability import log
from pipeline.clock import SystemClock
from supervisor.backups.check import check_again
from supervisor.backups.drill import GB, Drilled, drill
from supervisor.backups.elsewhere import copy
from supervisor.backups.folder import Backup, Folder, Listing
from supervisor.backups.make import make
from supervisor.commands import output
from supervisor.commands.findings import size
from supervisor.commands.session import as_owner, load_settings
from supervisor.exits import Exit
from supervisor.settings import Config


class BackupOut(msgspec.Struct, frozen=True, kw_only=True):
    """One backup, for programs."""

    id: str
    made_at: str
    bytes: int  # of its own files, without the bodies, which all share
    items: int
    bodies: int
    release: str
    schema: int
    checked_at: str | None
    faults: tuple[str, ...] | None  # of the last check; None: never checked


class MadeOut(msgspec.Struct, frozen=True, kw_only=True):
    backup: BackupOut
    doubts: tuple[str, ...]
    deleted: tuple[str, ...]
    seconds: float


class ListOut(msgspec.Struct, frozen=True, kw_only=True):
    folder: str
    backups: tuple[BackupOut, ...]
    strangers: tuple[dict[str, str], ...]


def run(args: argparse.Namespace) -> int:
    config = load_settings(args, quiet=args.json).config
    as_owner(config)
    _log(config)
    match args.action:
        case "list":
            return _list(config, as_json=args.json)
        case "verify":
            return _verify(config, args)
        case "drill":
            return _drill(config, as_json=args.json)
        case "copy":
            return _copy(config, as_json=args.json)
        case _:
            return _make(config, as_json=args.json)


def _log(config: Config) -> None:
    """For whoever reads the journal; on a terminal what is printed says it all."""
    stream = Path(os.devnull).open("w", encoding="utf-8") if sys.stderr.isatty() else None  # noqa: SIM115 - to the end
    log.configure(config.log, "backup", data=config.folder, stream=stream)


def _say(what: str) -> None:
    if sys.stderr.isatty():
        output.complaint(f"{what}…")


def _make(config: Config, *, as_json: bool) -> int:
    """Exit 1 also when the backup is good and without something."""
    made = make(config, clock=SystemClock(), log=log.get_logger(), say=lambda part: _say(_PARTS[part]))
    if as_json:
        output.json(MadeOut(backup=_out(made.backup), doubts=made.doubts, deleted=made.deleted, seconds=made.seconds))
        return Exit.FAILED if made.doubts else Exit.OK
    manifest = made.backup.manifest
    output.line(
        f"{made.backup.id}: {_items(made.backup):,} items in {size(manifest.database.packed_bytes)},"
        f" {manifest.archive.added:,} new bodies; restored and checked, all in {made.seconds:.1f} s"
    )
    for name in made.deleted:
        output.line(f"{name} has served its time and was deleted")
    for doubt in made.doubts:
        output.complaint(f"the backup is good, but: {doubt}")
    return Exit.FAILED if made.doubts else Exit.OK


_PARTS = {
    "copy": "copying the library",
    "count": "counting what is in it",
    "pack": "packing it",
    "archive": "taking what is new in the archive",
    "check": "restoring it to check it",
}


def _list(config: Config, *, as_json: bool) -> int:
    """Exit 0 also when there is none."""
    folder = Folder(config.backups)
    listing = folder.listing()
    if as_json:
        strangers = tuple({"name": each.name, "why": each.why} for each in listing.strangers)
        backups = tuple(_out(backup) for backup in listing.backups)
        output.json(ListOut(folder=str(folder.path), backups=backups, strangers=strangers))
        return Exit.OK
    now = SystemClock().wall_ms()
    rows = [
        (
            backup.id,
            output.ago(now, backup.manifest.made_at),
            size(backup.manifest.database.packed_bytes),
            f"{_items(backup):,}",
            _checked(backup, now),
        )
        for backup in listing.backups
    ]
    output.table(("ID", "AGE", "SIZE", "ITEMS", "CHECKED"), rows)
    _tell_strangers(listing)
    return Exit.OK


def _tell_strangers(listing: Listing) -> None:
    for stranger in listing.strangers:
        output.complaint(f"{stranger.name} is no backup that can be used: {stranger.why}")


def _checked(backup: Backup, now: int) -> str:
    if backup.check is None:
        return "never"
    when = f"{output.ago(now, backup.check.checked_at)} ago"
    return when if backup.is_good else f"{when}: DAMAGED"


def _verify(config: Config, args: argparse.Namespace) -> int:
    """Exit 1 when one of those asked for is not what it was."""
    folder, clock, logger = Folder(config.backups), SystemClock(), log.get_logger()
    with folder.locked():
        listing = folder.listing()
        chosen = listing.backups if args.all else (listing.find(args.id) if args.id else listing.newest(),)
        for backup in chosen:
            _say(f"restoring {backup.id} to check it")
            check_again(folder, backup, clock, logger)
        listing = folder.listing()
    found = [backup for backup in listing.backups if backup.id in {each.id for each in chosen}]
    is_well = all(backup.is_good for backup in found) and not (args.all and listing.strangers)
    if args.json:
        output.json([_out(backup) for backup in found])
        return Exit.OK if is_well else Exit.FAILED
    for backup in found:
        assert backup.check is not None
        if backup.is_good:
            output.line(
                f"{backup.id}: restored in {backup.check.seconds:.1f} s, all {_items(backup):,} items are there"
            )
        for fault in backup.check.faults:
            output.line(f"{backup.id}: DAMAGED: {fault}")
    if args.all:
        _tell_strangers(listing)
    return Exit.OK if is_well else Exit.FAILED


def _drill(config: Config, *, as_json: bool) -> int:
    """Exit 1 when anything is not what it was, or monitors could not be told."""
    _say("restoring the newest backup, and reading all bodies")
    done = drill(config, clock=SystemClock(), log=log.get_logger())
    is_well = not done.faults and not done.doubts
    if as_json:
        output.json(done)
        return Exit.OK if is_well else Exit.FAILED
    for fault in done.faults:
        output.line(f"{done.backup}: DAMAGED: {fault}")
    if not done.faults:
        output.line(
            f"{done.backup}: the library ({size(done.library_bytes)}) restored in {done.library_seconds:.1f} s,"
            f" {done.bodies:,} bodies ({size(done.archive_bytes)}) in {done.archive_seconds:.1f} s{_rate(done)};"
            " all is what it was"
        )
    for doubt in done.doubts:
        output.complaint(doubt)
    return Exit.OK if is_well else Exit.FAILED


def _rate(done: Drilled) -> str:
    """Of little, the time that it takes to begin would be told."""
    return f", {done.seconds_per_gb:.1f} s/GB" if done.library_bytes + done.archive_bytes >= GB // 10 else ""


def _copy(config: Config, *, as_json: bool) -> int:
    _say(f"copying to {config.backup.copy_to}" if config.backup.copy_to else "copying")
    done = copy(config, clock=SystemClock(), log=log.get_logger())
    if as_json:
        output.json(done)
    else:
        backups = f"{len(done.backups)} {'backup' if len(done.backups) == 1 else 'backups'}"
        packs = f"{done.packs} {'pack' if done.packs == 1 else 'packs'}"
        output.line(f"{backups} with the bodies in {packs}: all of it is at {done.to}")
    return Exit.OK


def _items(backup: Backup) -> int:
    return sum(n for state, n in backup.manifest.evidence.items.items() if state != "deleted")


def _out(backup: Backup) -> BackupOut:
    manifest, check = backup.manifest, backup.check
    return BackupOut(
        id=backup.id,
        made_at=iso(manifest.made_at),
        bytes=manifest.database.packed_bytes,
        items=_items(backup),
        bodies=manifest.archive.bodies,
        release=manifest.release,
        schema=manifest.evidence.schema,
        checked_at=None if check is None else iso(check.checked_at),
        faults=None if check is None else check.faults,
    )
