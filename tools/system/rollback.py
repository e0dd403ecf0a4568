#!/usr/bin/env python3
"""Let the release before this one, or the one that is named, run again. The data stays as it is."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])  # the checkout, in place of this folder

from tools.system import aside, history, services, units
from tools.system import release as releases
from tools.system.change import Change, failed, interruptible, runs_well, undisturbed
from tools.system.layout import Layout
from tools.system.machine import Refused, main, need_root, need_systemd, only_one, say
from tools.system.release import Release

CHECK_SECONDS = 60


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="just rollback", description=__doc__)
    parser.add_argument("id", nargs="?", metavar="ID", help="a release that is kept (the one before this)")
    return parser.parse_args()


def rollback(args: argparse.Namespace) -> None:
    need_root("rollback")
    need_systemd()
    layout = Layout()
    with interruptible(), only_one(layout.lock):
        before = releases.current(layout)
        if before is None:
            raise Refused("Atlas is not installed here", "install it: sudo just install-system")
        target = _target(layout, args.id)
        chosen = units.settings(layout, target)
        services.need_same_address(chosen)
        if target.id == before.id and runs_well(target, chosen):
            say(f"{target.id} runs already, and is well: nothing to do")
            return
        # An older release may be too old for what a newer one has made of the data.
        what = f"{target.id} cannot be gone back to"
        aside.run(layout, target, "status", "--json", seconds=CHECK_SECONDS, what=what)
        try:
            Change(layout, chosen, before=before, after=target).make()
        except BaseException:
            with undisturbed():
                failed(layout, "rollback", before, target)
            raise
        history.note(layout, "rollback", before, target, "ok")
    say(f"{target.id} runs. Forward to {before.id} again: sudo just rollback {before.id}")


def _target(layout: Layout, named: str | None) -> Release:
    """Raises Refused when there is no such release."""
    known = releases.releases(layout)
    found = releases.previous(layout) if named is None else next((each for each in known if each.id == named), None)
    if found is None:
        what = "there is no release before this one" if named is None else f"{named} is no release that is kept"
        raise Refused(what, f"kept are: {', '.join(each.id for each in known) or 'none'}")
    return found


if __name__ == "__main__":
    sys.exit(main(lambda: rollback(arguments())))
