#!/usr/bin/env python3
"""Remove the services, releases and commands of Atlas. What you saved, its backups and the configuration stay."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])  # the checkout, in place of this folder

from tools.system import units
from tools.system.layout import ENABLED, RUNNING, Layout
from tools.system.machine import Refused, main, need_root, need_systemd, only_one, run, say, systemctl


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="just uninstall", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--purge-data", action="store_true", help="remove the library, its backups and the configuration as well"
    )
    return parser.parse_args()


def uninstall(args: argparse.Namespace) -> None:
    need_root("uninstall")
    need_systemd()
    layout = Layout()
    with only_one(layout.lock):
        installed = [unit for unit in RUNNING if (layout.units / unit).exists()]
        if installed:
            systemctl("stop", *installed)
            systemctl("disable", "--quiet", *(unit for unit in ENABLED if unit in installed))
            systemctl("disable", "--quiet", "atlas-backup-copy.service", check=False)
        for path in files(layout):
            path.unlink(missing_ok=True)
        for folder in (layout.worker_drop_in.parent, layout.library):
            if folder.is_dir() and not any(folder.iterdir()):  # a drop-in of yours stays
                folder.rmdir()
        systemctl("daemon-reload")
        systemctl("reset-failed", "atlas-*", check=False)
        shutil.rmtree(layout.opt)
    say("Atlas is stopped and removed.")
    kept = [layout.data, layout.backups, layout.etc]
    if not args.purge_data:
        say(f"Kept, with the user atlas: {', '.join(map(str, kept))}. To remove them: just uninstall --purge-data")
        return
    for folder in kept:
        purge(folder)
    run("userdel", "atlas", check=False)
    say(f"Removed for good: {', '.join(map(str, kept))}, and the user atlas.")


def purge(folder: Path) -> None:
    """Remove a folder with all that is in it, also where a symlink leads to; a mount point stays, empty. Refused when
    anything is left: it must not be taken for removed."""
    real = folder.resolve()
    shutil.rmtree(real, ignore_errors=True)
    if folder.is_symlink():
        folder.unlink()
    left = sum(1 for path in real.rglob("*") if not path.is_dir()) if real.exists() else 0
    if left:
        raise Refused(f"not all of {real} could be removed: {left} files are left", "remove it by hand")


def files(layout: Layout) -> list[Path]:
    """Every file of ours outside /opt/atlas and the folders that are kept."""
    command = [layout.command] if _is_ours(layout.command) else []
    return [*units.ours(layout), layout.worker_drop_in, *layout.snippets.values(), *command]


def _is_ours(command: Path) -> bool:
    return command.is_file() and "install-system wrote this file" in command.read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(lambda: uninstall(arguments())))
