"""/api/v1/items: save, list, look at, flag, delete."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress

from quart import Response, request

from gateway import shape, wire
from gateway.decode import body_as
from gateway.deps import Deps
from gateway.intake import submission
from gateway.query import Query
from gateway.render import json
from gateway.saving import accept
from gateway.seen import seen
from observability.names import Attribute
from pipeline.documents import Document
from pipeline.errors import Fault, InvalidInput, NotFound
from pipeline.ids import is_uid
from pipeline.items import Item, Submission
from pipeline.lifecycle import IN_FLIGHT, Stage, State
from pipeline.selection import Selection, parse
from pipeline.store.intake import Idempotency
from pipeline.store.items import ItemFilter

MAX_WAIT = 30  # seconds of a long poll
LOOK_AGAIN = 1.0  # seconds between looks where nobody rings
MAX_KEY = 200


async def create(deps: Deps) -> Response:
    """Accept an item: when this answers 202 or 200, it is on the disk."""
    wanted = submission(await body_as(wire.NewItem), source="api")
    accepted = await accept(deps, wanted, idempotency=_idempotency(wanted))
    seen().span.set({Attribute.ITEM: accepted.uid})
    deps.ring()
    response = json(shape.accepted(accepted), 202 if accepted.created else 200)
    response.headers["Location"] = f"/api/v1/items/{accepted.uid}"
    return response


def _idempotency(wanted: Submission) -> Idempotency | None:
    """The client's key, with a hash of what it stands for: the meaning of the body, not its bytes."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 0 < len(key) <= MAX_KEY or not key.isprintable():
        fault = Fault(where="Idempotency-Key", what="is not usable", hint=f"1 to {MAX_KEY} printable characters")
        raise InvalidInput("A header has faults.", faults=(fault,))
    meaning = repr((wanted.url, wanted.title, wanted.text, wanted.tags))
    return Idempotency(key=key, request_hash=hashlib.sha256(meaning.encode()).hexdigest())


async def list_items(deps: Deps) -> Response:
    query = Query("limit", "cursor", "state", "stage", "tag", "where")
    wanted = ItemFilter(
        limit=query.number("limit", 50, least=1, most=200),
        cursor=query.text("cursor"),
        states=query.choices("state", State),
        stage=_stage(query),
        tag=query.text("tag", limit=100),
        where=_where(query),
    )
    query.done()
    page = await deps.store.items.list(wanted)
    now = deps.clock.wall_ms()
    return json(wire.ItemList(items=tuple(shape.row(each, now) for each in page.items), cursor=page.cursor))


def _where(query: Query) -> Selection | None:
    """A selection, as retry and replay take it; its faults are the query's."""
    text = query.text("where")
    if text is None:
        return None
    try:
        return parse(text)
    except InvalidInput as error:
        for fault in error.faults:
            query.fault(f"where: {fault.where}", fault.what, fault.hint)
        return None


def _stage(query: Query) -> int | None:
    """A stage by number or by name."""
    value = query.text("stage", limit=40)
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return query.number("stage", 0, least=0, most=599)
    if value.upper() in Stage.__members__:
        return int(Stage[value.upper()])
    query.fault("stage", "is not a stage", "a number from 0 to 599, or a name such as fetching")
    return None


async def show(deps: Deps, uid: str) -> Response:
    """The item; with ?wait=seconds the answer waits until it has left flight, or until the time is up."""
    query = Query("wait")
    wait = query.number("wait", 0, least=0, most=MAX_WAIT)
    query.done()
    item = await _settled(deps, known(uid), wait)
    return json(await _detail(deps, item))


async def _settled(deps: Deps, uid: str, wait: int) -> Item:
    deadline = deps.clock.monotonic() + wait
    while True:
        news = deps.news.next() if deps.news else asyncio.Event()
        item = await deps.store.items.get(uid)
        left = deadline - deps.clock.monotonic()
        is_stopping = deps.news is not None and deps.news.closed
        if item.state not in IN_FLIGHT or left <= 0 or is_stopping:
            return item
        with suppress(TimeoutError):
            await asyncio.wait_for(news.wait(), left if deps.news else min(left, LOOK_AGAIN))


async def _detail(deps: Deps, item: Item) -> wire.ItemDetail:
    items = deps.store.items
    document = await document_of(deps, item.uid)
    capture, related = await items.capture(item.uid), await items.related(item.uid)
    return shape.detail(item, document, capture, related, deps.clock.wall_ms())


async def document_of(deps: Deps, uid: str) -> Document | None:
    """The item's document, None before there is one."""
    try:
        return await deps.store.items.document(uid)
    except NotFound:
        return None


async def mark(deps: Deps, uid: str) -> Response:
    flags = await body_as(wire.Flags)
    item = await deps.store.items.mark(known(uid), read=flags.read, starred=flags.starred, archived=flags.archived)
    return json(await _detail(deps, item))


async def delete(deps: Deps, uid: str) -> Response:
    await deps.store.items.delete(known(uid))
    response = Response(status=204)
    del response.headers["Content-Type"]  # there is no content
    return response


def known(uid: str) -> str:
    """A uid in its one spelling; what cannot be one names nothing."""
    spelled = uid.upper()
    if not is_uid(spelled):
        raise NotFound("There is no such item.", hint="It may have been deleted.")
    return spelled
