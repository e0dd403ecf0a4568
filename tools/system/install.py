#!/usr/bin/env python3
"""Install Atlas as a system service, or bring an installation in step with this checkout; again and again as you like.

It does only what is not done yet, so it may be run twice, or once more after it was interrupted.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])  # the checkout, in place of this folder

from tools.system import health, interpreter, release, services, units
from tools.system.layout import Layout
from tools.system.machine import Refused, main, nameservers, need_resolver, need_root, need_systemd, only_one, run, say

CHECKOUT = Path(__file__).resolve().parents[2]
HEALTHY_SECONDS = 30.0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="just install-system", description=__doc__)
    parser.add_argument("--python", metavar="PATH", help="the interpreter that the services run on")
    parser.add_argument("--no-resolver-check", action="store_true", help="a resolver elsewhere is reached all the same")
    parser.add_argument(
        "--units", action="store_true", help="no new release: only bring units in step with a changed configuration"
    )
    return parser.parse_args()


def install(args: argparse.Namespace) -> None:
    need_root("install-system")
    need_systemd()
    layout, resolvers = Layout(), nameservers()
    if not args.no_resolver_check:
        need_resolver(resolvers)
    with only_one(layout.lock):
        built = _current(layout) if args.units else _built(layout, args)
        users_and_folders(layout, built)
        chosen = units.settings(layout, built)
        services.need_free_address(chosen)
        has_switched = release.switch(layout, built)
        say(f"/opt/atlas/current is {built.id}" if has_switched else f"/opt/atlas/current is {built.id} already")
        written = units.install(layout, built, chosen, resolvers)
        say(f"written: {', '.join(written)}" if written else "the units are in place already")
        is_new = services.bring_up(layout, built)
        say("started" if is_new else "all of it runs already")
        took = health.wait(chosen, HEALTHY_SECONDS)
    say(f"Atlas is well ({took:.1f} s); it listens on {chosen.host}:{chosen.port}.")
    say("Next: `sudo atlas sign-in` prints a link for your browser; `systemctl status 'atlas-*'` shows the services.")


def _current(layout: Layout) -> release.Release:
    found = release.current(layout)
    if found is None:
        raise Refused("Atlas is not installed here", "install it: sudo just install-system")
    return found


def _built(layout: Layout, args: argparse.Namespace) -> release.Release:
    chosen = interpreter.choose(args.python, os.environ.get("PATH", ""))
    checkout = release.Checkout.at(CHECKOUT)
    if checkout.is_dirty:
        say("this checkout has changes that are not committed: they are not installed")
    return release.build(layout, checkout, chosen)


def users_and_folders(layout: Layout, built: release.Release) -> None:
    """The user atlas, its folders, and a configuration to begin with; what is there stays as it is."""
    for name in ("atlas.sysusers", "atlas.tmpfiles"):
        target = layout.snippets[name]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(built.folder / "systemd" / name, target)
    run("systemd-sysusers", layout.snippets["atlas.sysusers"])
    run("systemd-tmpfiles", "--create", layout.snippets["atlas.tmpfiles"])
    if not layout.config.exists():
        shutil.copyfile(built.folder / "config.example.toml", layout.config)
        say(f"{layout.config} is new: every setting with its default")


if __name__ == "__main__":
    sys.exit(main(lambda: install(arguments())))
