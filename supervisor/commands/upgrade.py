"""`atlas migrate` and `atlas rehearse BACKUP`: what a deploy asks of the release that it brings."""

from __future__ import annotations

import argparse
import shutil

from pipeline.store.deep import schema_of
from pipeline.store.handle import Store
from pipeline.store.status import Format
from supervisor.backups import files
from supervisor.backups.check import LIBRARY, restore_checked
from supervisor.backups.folder import Backup, Folder
from supervisor.commands import output
from supervisor.commands.session import as_owner, load_settings, with_store
from supervisor.exits import Exit
from supervisor.rehearsal import real_configuration, rehearse
from supervisor.settings import Config


def run(args: argparse.Namespace) -> int:
    config = load_settings(args).config
    as_owner(config)
    return _migrate(config) if args.command == "migrate" else _rehearse(config, args)


def _migrate(config: Config) -> int:
    """Bring the databases to this release's schema, as the next start would; also while roles run, since migrations
    only add. Raises StoreError."""
    path = config.folder / config.database.path
    was = schema_of(path) if path.exists() else 0

    async def formats(store: Store) -> tuple[Format, ...]:
        return await store.status.formats()

    now = with_store(config, formats)[0].schema
    output.line(f"schema {now}, as it was" if now == was else f"schema {was or 'none'} → {now}")
    return Exit.OK


def _rehearse(config: Config, args: argparse.Namespace) -> int:
    """Try this release on a copy of a backup. Raises RehearsalFailed, and what restoring one raises.

    The copy lies among the backups and is removed at the end; killed, the next command that works there removes it.
    Bodies are not copied: what needs them waits, as it does without an archive.
    """
    folder = Folder(config.backups)
    with folder.locked():
        backup = folder.listing().find(args.backup)
        files.need(folder.path, 2 * backup.manifest.database.bytes, "a copy to try the release on")
        copy = folder.aside("rehearsal")
        try:
            restore_checked(backup, copy / LIBRARY)
            output.line(f"{backup.id} is restored")
            settings = real_configuration(args.config)
            rehearse(copy, settings=settings, items=_items(backup), before=args.before, say=output.line)
        finally:
            shutil.rmtree(copy, ignore_errors=True)
    return Exit.OK


def _items(backup: Backup) -> int:
    return sum(n for state, n in backup.manifest.evidence.items.items() if state != "deleted")
