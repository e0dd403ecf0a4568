"""`atlas failed` and `breakers`: the dead letters, one by one or in groups, and who is left alone for now."""

from __future__ import annotations

import argparse

from gateway import causes, shape, wire
from pipeline.breaker import Breaker, BreakerState
from pipeline.clock import SystemClock
from pipeline.lifecycle import State
from pipeline.selection import Selection, parse, within
from pipeline.store.handle import Store
from pipeline.store.items import LIST_MOST, ItemFilter
from pipeline.store.retries import Group
from pipeline.store.rows import ItemRow
from supervisor.commands import output
from supervisor.commands.session import load_settings, with_store
from supervisor.exits import Exit


def run(args: argparse.Namespace) -> int:
    return breakers(args) if args.command == "breakers" else failed(args)


def failed(args: argparse.Namespace) -> int:
    """Exit 0 also when nothing has failed."""
    selection = within(parse(args.where or "state:dead"), [State.DEAD])
    config = load_settings(args, quiet=args.json).config
    if args.by is not None:
        _print_groups(with_store(config, lambda store: store.retries.groups(selection, args.by)), args)
        return Exit.OK
    rows, total = with_store(config, lambda store: _list(store, selection, args.limit))
    now = SystemClock().wall_ms()
    if args.json:
        output.json(wire.ItemList(items=tuple(shape.row(each, now) for each in rows), cursor=None))
        return Exit.OK
    table = [
        (
            each.item.uid,
            each.item.reason and each.item.reason.code,
            output.ago(now, each.item.changed_at),
            each.item.attempts,
            each.item.reason and each.item.reason.error_id,
            each.item.title or each.item.url,
        )
        for each in rows
    ]
    output.table(("ID", "WHY", "AGO", "TRIES", "ERROR ID", "TITLE"), table)
    if total > len(rows):
        output.complaint(f"{total:,} in all, the newest {len(rows):,} shown")
    return Exit.OK


async def _list(store: Store, selection: Selection, limit: int) -> tuple[list[ItemRow], int]:
    rows: list[ItemRow] = []
    cursor = None
    while len(rows) < limit:
        wanted = ItemFilter(limit=min(LIST_MOST, limit - len(rows)), cursor=cursor, where=selection)
        page = await store.items.list(wanted)
        rows += page.items
        cursor = page.cursor
        if cursor is None:
            break
    return rows, await store.retries.count(selection)


def _print_groups(groups: tuple[Group, ...], args: argparse.Namespace) -> None:
    if args.json:
        output.json(groups)
        return
    now = SystemClock().wall_ms()
    rows = [
        (group.name, group.n, output.ago(now, group.newest_at), causes.cause(group.name) if args.by == "code" else "")
        for group in groups
    ]
    output.table((args.by.upper(), "ITEMS", "LAST", "MEANS"), rows)


def breakers(args: argparse.Namespace) -> int:
    """Who has failed lately, and until when it is left alone."""
    config = load_settings(args, quiet=args.json).config
    found = with_store(config, lambda store: store.breakers.all())
    if args.json:
        output.json(wire.BreakerList(breakers=tuple(shape.breaker(each) for each in found)))
        return Exit.OK
    now = SystemClock().wall_ms()
    rows = [(each.name, each.state, each.failures, each.reason, _until(each, now)) for each in found]
    output.table(("NAME", "STATE", "FAILURES", "WHY", "NEXT TRY"), rows)
    return Exit.OK


def _until(breaker: Breaker, now: int) -> str:
    if breaker.state is BreakerState.CLOSED or breaker.probe_at is None:
        return ""
    left = breaker.probe_at - now
    return f"in {output.ago(left, 0)}" if left > 0 else "now"
