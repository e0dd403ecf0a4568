"""`atlas recheck`: is the library damaged? Reads all of it, and enters or leaves safe mode by what it finds."""

from __future__ import annotations

import argparse
import contextlib

import msgspec

from pipeline.clock import SystemClock
from pipeline.errors import NotFound
from pipeline.store.damage import HINT, clear, condemn, known
from pipeline.store.library import alone, shared_now
from supervisor.commands import output
from supervisor.commands.session import as_owner, load_settings
from supervisor.exits import Exit


class Rechecked(msgspec.Struct, frozen=True, kw_only=True):
    """For --json. `faults` is empty for a sound library."""

    safe_mode: bool
    was_in_safe_mode: bool
    faults: tuple[str, ...]


def run(args: argparse.Namespace) -> int:
    """Exit 0 when the library is sound, and out of safe mode; 1 when it is damaged.

    To leave safe mode it must have the library alone: what runs would go on with what it knows.
    """
    config = load_settings(args, quiet=args.json).config
    path = config.folder / config.database.path
    as_owner(config)
    if not path.exists():
        raise NotFound(f"there is no {path}", hint="see what there is: atlas doctor")
    was = known(config.folder) is not None
    with alone(config.folder) if was else contextlib.nullcontext(), contextlib.ExitStack() as stack:
        if not was:
            stack.enter_context(shared_now(config.folder))
        faults = condemn(config.folder, path, SystemClock())
        if not faults and was:
            clear(config.folder)
    if args.json:
        output.json(Rechecked(safe_mode=bool(faults), was_in_safe_mode=was, faults=faults))
    elif faults:
        output.line(f"damaged: {'; '.join(faults)}")
        output.line(f"Nothing is written to it any more. Next: {HINT}")
    else:
        output.line("All of it is sound." + (" It is out of safe mode: start Atlas again." if was else ""))
    return Exit.FAILED if faults else Exit.OK
