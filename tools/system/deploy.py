#!/usr/bin/env python3
"""Make a commit of this checkout the release that runs, or leave everything as it is.

Built, checked, and tried on a copy of a new backup before anything that runs is touched; watched afterwards, and taken
back when it does not stay well. Asking twice does nothing twice.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])  # the checkout, in place of this folder

from tools.system import aside, history, interpreter, services, units
from tools.system import release as releases
from tools.system.change import Change, failed, interruptible, is_in_use, runs_well, undisturbed
from tools.system.layout import BACKUP, Layout
from tools.system.machine import Refused, main, need_root, need_systemd, only_one, run, say
from tools.system.release import Checkout, Release

CHECKOUT = Path(__file__).resolve().parents[2]
CHECK_SECONDS = 60
BACKUP_SECONDS = 3600
MIGRATE_SECONDS = 900
REHEARSAL_SECONDS = 3600  # a copy of the library is unpacked and read: minutes for gigabytes
KEPT = 3


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="just deploy", description=__doc__)
    parser.add_argument("ref", nargs="?", default="HEAD", metavar="REF", help="a commit, a branch or a tag (HEAD)")
    parser.add_argument("--python", metavar="PATH", help="the interpreter that the services run on")
    parser.add_argument("--again", action="store_true", help="also when this release runs already")
    parser.add_argument(
        "--no-backup",
        action="store_true",
        help="without a new backup, and so without trying the release on it: when backups are what it mends",
    )
    return parser.parse_args()


def deploy(args: argparse.Namespace) -> None:
    need_root("deploy")
    need_systemd()
    layout = Layout()
    with interruptible(), only_one(layout.lock):
        before = releases.current(layout)
        if before is None:
            raise Refused("Atlas is not installed here", "install it: sudo just install-system")
        after, is_new = _built(layout, args)
        if after.id == before.id:
            if not args.again and runs_well(after, units.settings(layout, after)):
                say(f"{after.id} runs already, and is well: nothing to do")
                return
            before = releases.previous(layout) or before  # a deploy was killed after it had switched
        try:
            chosen = units.settings(layout, after)
            services.need_same_address(chosen)
            _try(layout, before, after, with_backup=not args.no_backup)
            Change(layout, chosen, before=before, after=after).make()
        except BaseException:
            with undisturbed():
                failed(layout, "deploy", before, after)
                if is_new and not is_in_use(layout, after):
                    releases.remove(after)
            raise
        history.note(layout, "deploy", before, after, "ok")
        for removed in releases.prune(layout, KEPT):
            say(f"removed {removed}")
    say(f"{after.id} runs. Back to {before.id}: sudo just rollback")


def _built(layout: Layout, args: argparse.Namespace) -> tuple[Release, bool]:
    """The release, and whether it was built just now."""
    checkout = Checkout.at(CHECKOUT, args.ref)
    if checkout.is_dirty:
        say("this checkout has changes that are not committed: they are not deployed")
    known = {each.id for each in releases.releases(layout)}
    with _step("the release is built"):
        built = releases.build(layout, checkout, interpreter.choose(args.python, os.environ.get("PATH", "")))
    return built, built.id not in known


def _try(layout: Layout, before: Release, after: Release, *, with_backup: bool) -> None:
    """All that can be known before anything that runs is touched. Raises Refused."""
    with _step("the configuration suits it"):
        command, what = ("config", "check"), "the configuration does not suit the release"
        aside.run(layout, after, *command, seconds=CHECK_SECONDS, what=what)
    if with_backup:
        with _step("a backup is made and verified"):
            backup = _backup(layout, before)
        with _step(f"the release works on a copy of {backup}, and {before.id} still does afterwards"):
            command = ("rehearse", backup, "--before", str(before.launcher))
            aside.run(layout, after, *command, seconds=REHEARSAL_SECONDS, what="it was tried on a copy")
    with _step("the schema is up to date"):
        aside.run(layout, after, "migrate", seconds=MIGRATE_SECONDS, what="the migration failed")


def _backup(layout: Layout, before: Release) -> str:
    """The id of a backup made now, by the release that runs: a newer one would migrate the library first."""
    run("systemctl", "reset-failed", BACKUP, check=False)  # or the fourth deploy within an hour would be refused
    made = run("systemctl", "start", BACKUP, seconds=BACKUP_SECONDS, check=False)
    if made.returncode != 0:
        raise Refused("the backup failed", f"see: journalctl -u {BACKUP} -n 50; or do without: --no-backup")
    command, what = ("backup", "list", "--json"), "the backups cannot be listed"
    listed = json.loads(aside.run(layout, before, *command, seconds=CHECK_SECONDS, what=what))
    return str(listed["backups"][0]["id"])


@contextmanager
def _step(what: str) -> Iterator[None]:
    begun = time.monotonic()
    yield
    say(f"{what} ({time.monotonic() - begun:.1f} s)")


if __name__ == "__main__":
    sys.exit(main(lambda: deploy(arguments())))
