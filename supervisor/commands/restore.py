"""`atlas restore ID`: the library as it was at a backup, with what was accepted since; what was there is kept aside."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gateway.shape import iso
from pipeline.clock import SystemClock
from pipeline.errors import InvalidInput
from pipeline.ids import system_random
from supervisor.backups.restore import Restored, restore
from supervisor.commands import output
from supervisor.commands.session import as_owner, load_settings
from supervisor.exits import Exit


def run(args: argparse.Namespace) -> int:
    """Exit 0 when it is done, 1 when it is done and not all could be brought back, or another one was finished."""
    config = load_settings(args, quiet=args.json).config
    as_owner(config)
    done = restore(config, args.id, clock=SystemClock(), random=system_random, say=_say)
    if done is None:
        raise InvalidInput("which backup?", hint="choose one: atlas backup list; then atlas restore ID")
    if args.json:
        output.json(done)
    else:
        _tell(done, args.id)
    is_other = args.id not in (None, done.backup)
    return Exit.FAILED if done.doubts or done.unreadable or is_other else Exit.OK


def _all_since(done: Restored) -> int:
    return done.accepted_since + done.marks + done.feeds


def _say(what: str) -> None:
    if sys.stderr.isatty():
        output.complaint(f"{what}…")


def _tell_since(done: Restored) -> None:
    if done.was_empty:
        output.line("There was no library here: what was accepted since that backup is not known.")
        return
    items = f"{done.accepted_since:,} items ({done.notes:,} of them notes)"
    since = f"{items}, {done.marks:,} changed marks, {done.feeds:,} feeds"
    output.line(f"Since then: {since}. Brought back: {done.brought_back:,} of these {_all_since(done):,}.")
    output.line("What was fetched since is fetched again.")


def _tell(done: Restored, wanted: str | None) -> None:
    if done.was_cut_off:
        output.line("A restore that was cut off is finished:")
    made = f"{iso(done.made_at)} with {done.items:,} items"
    output.line(f"The library is that of the backup {done.backup}, made {made}.")
    if done.schema < done.schema_now:
        output.line(f"It was brought from schema {done.schema} to {done.schema_now}.")
    _tell_since(done)
    if done.unreadable:
        output.line(f"Of {done.unreadable:,} items accepted since nothing could be read: they are lost.")
    archive = "was sound, and is kept" if done.archive == "kept" else "was made anew from the backups"
    output.line(f"The archive {archive}; {done.bodies_added:,} bodies came from the backups.")
    output.line(
        f"What was replaced lies in {done.replaced}, with {Path(done.export).name}; remove it when you are sure."
    )
    for doubt in done.doubts:
        output.complaint(doubt)
    if wanted is not None and wanted != done.backup:
        output.complaint(f"{wanted} was not restored: call it again")
    output.line(
        "Now start Atlas: systemctl start atlas-api.socket atlas-api atlas-worker atlas-scheduler.timer, or `atlas up`."
    )
