"""`atlas show`, `search`, `status`: what is in the library, and how it is doing."""

from __future__ import annotations

import argparse

import msgspec

from gateway import shape, wire
from pipeline.clock import SystemClock
from pipeline.documents import Document
from pipeline.errors import NotFound
from pipeline.ids import is_uid
from pipeline.items import Capture, Item, StepEntry
from pipeline.store.counts import Count, QueueDepth
from pipeline.store.damage import HINT, Damage
from pipeline.store.handle import Store
from pipeline.store.related import Related
from pipeline.store.search import SearchPage
from pipeline.store.status import RoleReport
from supervisor.commands import output
from supervisor.commands.session import load_settings, with_store
from supervisor.exits import Exit


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """All that `show` reads of one item."""

    item: Item
    document: Document | None
    capture: Capture | None
    related: tuple[Related, ...]
    steps: tuple[StepEntry, ...]


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """All that `status` reads."""

    queue: QueueDepth
    counts: tuple[Count, ...]
    roles: tuple[RoleReport, ...]
    damage: Damage | None = None  # then nothing is written, and nothing worked on


def run(args: argparse.Namespace) -> int:
    match args.command:
        case "show":
            return show(args)
        case "search":
            return search(args)
        case _:
            return status(args)


def show(args: argparse.Namespace) -> int:
    """One item with its timeline."""
    uid = args.id.upper()
    if not is_uid(uid):
        raise NotFound(f"{args.id} is no id of an item", hint="`atlas search` and `atlas add` print ids")
    config = load_settings(args, quiet=args.json).config
    seen = with_store(config, lambda store: _see(store, uid))
    now = SystemClock().wall_ms()
    detail = shape.detail(seen.item, seen.document, seen.capture, seen.related, now)
    steps = tuple(shape.step(entry) for entry in seen.steps)
    if args.json:
        output.json(msgspec.to_builtins(detail) | {"events": steps})
        return Exit.OK
    _print_item(detail, now, seen.item)
    output.line("")
    rows = [
        (step.at, step.code, step.name, step.method, _size(step.bytes), _took(step), step.error or step.detail)
        for step in steps
    ]
    output.table(("AT", "STAGE", "NAME", "HOW", "BYTES", "TOOK", "NOTE"), rows)
    return Exit.OK


async def _see(store: Store, uid: str) -> Seen:
    item = await store.items.get(uid)
    try:
        document = await store.items.document(uid)
    except NotFound:
        document = None
    return Seen(
        item=item,
        document=document,
        capture=await store.items.capture(uid),
        related=await store.items.related(uid),
        steps=await store.items.steps(uid),
    )


def _print_item(detail: wire.ItemDetail, now: int, item: Item) -> None:
    document = detail.document
    facts = {
        "id": detail.id,
        "title": detail.title,
        "url": detail.url,
        "stage": f"{detail.stage.code} {detail.stage.name}, {detail.state} for {output.ago(now, item.changed_at)}",
        "reason": detail.reason
        and " · ".join(filter(None, (detail.reason.code, detail.reason.detail, detail.reason.hint))),
        "goes on": detail.due_at,
        "verdict": detail.verdict and detail.verdict.value,
        "same text as": detail.duplicate_of,
        "almost as": ", ".join(f"{one.id} ({one.likeness:.0%})" for one in detail.related if one.likeness is not None),
        "tags": ", ".join(detail.tags),
        "author": document and document.author,
        "published": document and document.published,
        "language": document and document.language,
        "length": document and document.word_count and f"{document.word_count} words, {document.reading_minutes} min",
        "summary": document and document.summary,
    }
    for name, value in facts.items():
        if value:
            output.line(f"{name:<13} {value}")


def _size(count: int | None) -> str:
    return "" if count is None else str(count)


def _took(step: wire.StepOut) -> str:
    return "" if step.duration_ms is None else f"{step.duration_ms:.0f} ms"


def search(args: argparse.Namespace) -> int:
    """Exit 1 when nothing is found, as grep does."""
    query = " ".join(args.query)
    config = load_settings(args, quiet=args.json).config
    page = with_store(config, lambda store: store.search.find(query, limit=args.limit))
    now = SystemClock().wall_ms()
    if args.json:
        hits = tuple(shape.hit(found, now) for found in page.hits)
        output.json(wire.SearchOut(query=query, total=page.total, hits=hits, cursor=page.cursor))
    else:
        _print_hits(page)
    return Exit.OK if page.hits else Exit.FAILED


def _print_hits(page: SearchPage) -> None:
    rows = [
        (found.row.item.uid, "".join(part.text for part in found.title), "".join(part.text for part in found.snippet))
        for found in page.hits
    ]
    if rows:
        output.table(("ID", "TITLE", "WHERE"), rows)
    if page.total != len(rows) or not rows:
        output.complaint(f"{page.total} found" + (f", the best {len(rows)} shown" if rows else ""))


def status(args: argparse.Namespace) -> int:
    """The library as a whole."""
    config = load_settings(args, quiet=args.json).config
    standing = with_store(config, _stand)
    if args.json:
        output.json(standing)
        return Exit.OK
    now = SystemClock().wall_ms()
    queue = standing.queue
    if standing.damage is not None:
        output.line(f"SAFE MODE: the database is damaged, nothing is written to it and nothing worked on; {HINT}")
    output.line(f"queue    {queue.queue_size} of {queue.max_queue_size}")
    output.line(f"backlog  {queue.backlog} of {queue.max_backlog}")
    output.line("")
    rows = [
        (count.stage, shape.stage_name(count.stage), count.state, count.n, output.ago(now, count.oldest_at))
        for count in standing.counts
        if count.n
    ]
    output.table(("STAGE", "NAME", "STATE", "ITEMS", "OLDEST"), rows)
    _print_roles(standing.roles, now)
    return Exit.OK


async def _stand(store: Store) -> Standing:
    return Standing(
        queue=await store.queue.depth(),
        counts=await store.status.counts(),
        roles=await store.status.roles(),
        damage=store.status.damage(),
    )


def _print_roles(roles: tuple[RoleReport, ...], now: int) -> None:
    output.line("")
    if not roles:
        output.line("No role has run on this data folder yet; start `atlas up`.")
        return
    rows: list[tuple[object, ...]] = []
    for role in roles:
        seen = (
            f"stopped {output.ago(now, role.stopped_at)} ago"
            if role.stopped_at
            else f"seen {output.ago(now, role.seen_at)} ago"
        )
        rows.append((role.role, "", seen, role.pid, "", ""))
        for actor in role.actors:
            hands = f"{actor.busy} of {actor.slots}"
            rows.append((role.role, actor.name, actor.state, hands, actor.restarts, actor.last_error or ""))
    output.table(("ROLE", "ACTOR", "STATE", "BUSY/PID", "RESTARTS", "LAST ERROR"), rows)
