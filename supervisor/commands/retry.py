"""`atlas retry` and `replay`: do again what failed or is kept, by id or by selection, and say what became of it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

import anyio
import msgspec

from gateway import shape
from gateway.api.redo import STARTS
from pipeline.clock import SystemClock
from pipeline.ids import is_uid
from pipeline.lifecycle import State
from pipeline.selection import Selection, parse
from pipeline.store.handle import Store
from pipeline.store.redo import Deed
from pipeline.store.retries import Ended, Redone
from supervisor.commands import output
from supervisor.commands.session import load_settings, with_store
from supervisor.doorbell import ring
from supervisor.exits import Exit
from supervisor.settings import Config

LOOK_SECONDS = 0.25  # between two looks at what is waited for
RING_SECONDS = 5.0  # between two questions whether a worker is still there
PATIENCE_SECONDS = 600.0  # without a single item that ends
SHOWN = 50  # items of a dry run

WORDS = {
    Deed.REQUEUED: "tried again from the beginning",
    Deed.HASTENED: "going on now instead of waiting",
    Deed.REFRESHED: "fetched again, readable meanwhile",
    Deed.REPLAYED: "made again from the archived body",
    Deed.IN_FLIGHT: "on the way already",
    Deed.DUPLICATE: "a duplicate of what is kept",
    Deed.DELETED: "deleted",
    Deed.UNKNOWN: "there is no such item",
    Deed.NO_BODY: "nothing was ever fetched for it",
    Deed.NO_TEXT: "no text was ever extracted from it",
}
FINE = frozenset({Deed.REQUEUED, Deed.HASTENED, Deed.REFRESHED, Deed.REPLAYED, Deed.IN_FLIGHT})


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay that was waited for has changed, for --json."""

    unchanged: int
    changed: tuple[Ended, ...]
    failed: tuple[Ended, ...]
    unfinished: int


def run(args: argparse.Namespace) -> int:
    """Exit 0 when all is done again, 1 when something is not or nothing matches, 75 when the backlog is full."""
    if (args.where is None) == (not args.ids):
        output.complaint(f"give ids or --where, and not both: see `atlas {args.command} --help`")
        return Exit.USAGE
    selection = None if args.where is None else parse(args.where)
    config = load_settings(args, quiet=args.json).config
    start = STARTS[args.start] if args.command == "replay" else None
    # What is no text in this locale comes as surrogates, which no database takes; it is no id anyway.
    uids = tuple(uid.encode(errors="replace").decode().upper() for uid in args.ids)
    if args.dry_run:
        return _rehearse(config, uids, selection, replay=start is not None, as_json=args.json)
    redone = with_store(config, lambda store: _redo(store, uids, selection, start))
    heard = ring(config.folder, "worker") if redone.uids else True
    waits = start is not None and args.wait and bool(redone.uids)
    if not (waits and heard and args.json):  # then the summary is the one document
        _report(redone, as_json=args.json)
    if not heard:
        output.complaint("no worker runs here: it happens as soon as one does; start `atlas up`")
    if waits:
        return _follow(config, redone, as_json=args.json) if heard else Exit.TRY_LATER
    is_fine = bool(redone.counts) and all(deed in FINE for deed in redone.counts)
    return Exit.OK if is_fine else Exit.FAILED


async def _redo(store: Store, uids: Sequence[str], selection: Selection | None, start: int | None) -> Redone:
    retries = store.retries
    if start is None:
        return await (retries.retry(uids) if selection is None else retries.retry_where(selection))
    return await (retries.replay(uids, start) if selection is None else retries.replay_where(selection, start))


def _report(redone: Redone, *, as_json: bool) -> None:
    if as_json:
        output.json(shape.redone(redone))
        return
    if not redone.counts:
        output.complaint("nothing matches")
    for deed, n in redone.counts.items():
        output.line(f"{n:>7,} {WORDS[deed]}")
    for each in redone.left:
        if each.deed not in FINE:
            output.complaint(f"{each.uid}: {WORDS[each.deed]}")


def _rehearse(config: Config, uids: Sequence[str], selection: Selection | None, *, replay: bool, as_json: bool) -> int:
    """What would be done again, without doing it."""

    async def job(store: Store) -> tuple[int, tuple[Ended, ...]]:
        if selection is None:
            named = await store.retries.outcomes([uid for uid in dict.fromkeys(uids) if is_uid(uid)])
            return len(named), named[:SHOWN]
        wanted = await store.retries.matching(selection, replay=replay)
        return len(wanted), await store.retries.outcomes(wanted[:SHOWN])

    count, known = with_store(config, job)
    if as_json:
        output.json({"matching": count, "items": known})
    else:
        rows = [(each.uid, each.state, each.code, each.title) for each in known]
        output.table(("ID", "STATE", "WHY", "TITLE"), rows)
        more = f", the first {len(known)} shown" if len(known) < count else ""
        output.complaint(f"{count:,} would be done again{more}; nothing was changed")
    return Exit.OK if known else Exit.FAILED


def _follow(config: Config, redone: Redone, *, as_json: bool) -> int:
    """Wait until all have ended, then say what has changed."""
    with output.progress("replaying", len(redone.uids)) as advance:
        ended = with_store(config, lambda store: _ended(config, store, redone.uids, advance))
    unfinished = len(redone.uids) - len(ended)
    failed = tuple(each for each in ended if each.code is not None or each.state is not State.DONE)
    good = [each for each in ended if each not in failed]
    changed = tuple(each for each in good if not each.is_unchanged)
    if as_json:
        output.json(Summary(unchanged=len(good) - len(changed), changed=changed, failed=failed, unfinished=unfinished))
    else:
        if changed:
            output.table(("ID", "TITLE", "CHANGED"), [(each.uid, each.title, each.change or "new") for each in changed])
        if failed:
            rows = [(each.uid, each.title, each.code, each.state) for each in failed]
            output.table(("ID", "TITLE", "FAILED", "STATE"), rows)
        output.line(f"{len(good) - len(changed):,} unchanged, {len(changed):,} changed, {len(failed):,} failed")
    if unfinished:
        output.complaint(f"{unfinished:,} are still on their way: the worker has gone, or takes very long")
        return Exit.TRY_LATER
    return Exit.FAILED if failed else Exit.OK


async def _ended(config: Config, store: Store, uids: Sequence[str], advance: Callable[[], None]) -> list[Ended]:
    """All that ended, until all have, the worker goes away or nothing ends for too long."""
    ended: dict[str, Ended] = {}
    clock = SystemClock()
    progressed = rung = clock.monotonic()
    while len(ended) < len(uids):
        for each in await store.retries.outcomes([uid for uid in uids if uid not in ended]):
            if each.has_ended:
                ended[each.uid] = each
                progressed = clock.monotonic()
                advance()
        now = clock.monotonic()
        if now - progressed > PATIENCE_SECONDS:
            break
        if now - rung > RING_SECONDS:
            rung = now
            if not ring(config.folder, "worker"):
                break
        if len(ended) < len(uids):
            await anyio.sleep(LOOK_SECONDS)
    return [ended[uid] for uid in uids if uid in ended]
