"""`atlas config check|show`."""

from __future__ import annotations

import argparse

from pipeline.errors import ConfigError
from supervisor.commands import installed, output
from supervisor.commands.session import load_settings
from supervisor.exits import Exit


def run(args: argparse.Namespace) -> int:
    return check(args) if args.action == "check" else show(args)


def check(args: argparse.Namespace) -> int:
    """Exit 78 with every fault, or say that all is well; installed units that say otherwise are a warning."""
    try:
        loaded = load_settings(args, quiet=args.json)
    except ConfigError as error:
        if not args.json:
            raise
        output.json({"ok": False, "faults": error.faults, "warnings": ()})
        return Exit.CONFIG
    differs = installed.mismatch(loaded, args.config)
    warnings = loaded.warnings + ((f"{differs}; {installed.MEND}",) if differs else ())
    if args.json:
        output.json({"ok": True, "faults": (), "warnings": warnings})
    else:
        if differs:
            output.complaint(warnings[-1])
        changed = sum(setting.origin != "default" for setting in loaded.settings)
        output.line(f"The settings are good: {len(loaded.settings)} in all, {changed} changed from their default.")
    return Exit.OK


def show(args: argparse.Namespace) -> int:
    """Every setting with its value and its origin; secrets are masked."""
    loaded = load_settings(args, quiet=args.json)
    if args.json:
        output.json(loaded.settings)
        return Exit.OK
    rows = [
        (f"[{each.section}] {each.key}", _plain(each.value), _origin(each.origin, each.name))
        for each in loaded.settings
    ]
    output.table(("SETTING", "VALUE", "FROM"), rows)
    return Exit.OK


def _plain(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "(none)"
    return '""' if value == "" else str(value)


def _origin(origin: str, name: str) -> str:
    return f"{origin}, {name}" if name and not name.startswith("[") else origin
