"""`atlas errors`: the unexpected errors, which are faults of Atlas itself, and one of them with its traceback."""

from __future__ import annotations

import argparse

from gateway import shape, wire
from pipeline.clock import SystemClock
from pipeline.store.handle import Store
from pipeline.store.mishaps import Mishap
from supervisor.commands import output
from supervisor.commands.session import load_settings, with_store
from supervisor.exits import Exit


def run(args: argparse.Namespace) -> int:
    """Exit 0 also when there is none, 1 when none has the id."""
    return several(args) if args.id is None else one(args)


def several(args: argparse.Namespace) -> int:
    """The last seen first."""
    config = load_settings(args, quiet=args.json).config
    found, total = with_store(config, lambda store: _list(store, args.limit))
    if args.json:
        output.json(wire.MishapList(errors=tuple(shape.mishap(each) for each in found)))
        return Exit.OK
    now = SystemClock().wall_ms()
    rows = [(each.id, each.count, f"{output.ago(now, each.last_seen)} ago", each.place, _what(each)) for each in found]
    output.table(("ID", "TIMES", "LAST", "WHERE", "WHAT"), rows)
    if total > len(found):
        output.complaint(f"{total:,} in all, the last {len(found):,} shown")
    return Exit.OK


async def _list(store: Store, limit: int) -> tuple[tuple[Mishap, ...], int]:
    return await store.mishaps.list(limit=limit), await store.mishaps.since(0)


def one(args: argparse.Namespace) -> int:
    """All that is known of one kind of error. Raises NotFound."""
    # What is no text in this locale comes as surrogates, which no database takes; it is no id anyway.
    error_id = args.id.encode(errors="replace").decode().upper()
    config = load_settings(args, quiet=args.json).config
    found = with_store(config, lambda store: store.mishaps.get(error_id))
    if args.json:
        output.json(shape.mishap_detail(found))
        return Exit.OK
    now = SystemClock().wall_ms()
    facts = {
        "id": found.id,
        "what": _what(found),
        "where": f"{found.place}, in the {found.role}",
        "times": f"{found.count:,}",
        "first seen": f"{shape.iso(found.first_seen)}, {output.ago(now, found.first_seen)} ago",
        "last seen": f"{shape.iso(found.last_seen)}, {output.ago(now, found.last_seen)} ago",
        "item": found.item,
        "request": found.correlation_id,
    }
    for name, value in facts.items():
        if value:
            output.line(f"{name:<13} {value}")
    output.line("")
    output.text(found.traceback.rstrip("\n"))
    return Exit.OK


def _what(found: Mishap) -> str:
    return f"{found.kind}: {found.message}" if found.message else found.kind
