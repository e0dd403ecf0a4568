"""Doing items again: one by its id, or several by their ids or by a selection."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

import msgspec
from quart import Response

from gateway import shape, wire
from gateway.api.items import known
from gateway.decode import body_as
from gateway.deps import Deps
from gateway.render import json
from gateway.security.caller import own_trace
from gateway.seen import seen
from observability.names import Attribute
from pipeline.errors import Fault, InvalidInput, NotFound, QueueFull
from pipeline.selection import Selection, parse
from pipeline.store.redo import TOUCHED, Deed
from pipeline.store.retries import Redone

MOST_IDS = 1000
STARTS = {"validate": 200, "extract": 300, "enrich": 400, "finalise": 500}


async def retry_one(deps: Deps, uid: str) -> Response:
    """202 when it is done again, 200 when there is nothing to do."""
    deed = await retried(deps, uid)
    return json(wire.DeedOut(id=known(uid), outcome=deed.value), 202 if deed in TOUCHED else 200)


async def retried(deps: Deps, uid: str) -> Deed:
    """Retry one item. Raises NotFound, also for a deleted one."""
    redone = await deps.store.retries.retry([known(uid)], trace=own_trace())
    (deed,) = redone.counts
    if deed in (Deed.UNKNOWN, Deed.DELETED):
        raise NotFound("There is no such item.", hint="It may have been deleted; saving its URL brings it back.")
    if deed in TOUCHED:
        seen().span.set({Attribute.ITEM: known(uid)})
        seen().facts["item_id"] = known(uid)
        deps.ring()
    return deed


async def retry(deps: Deps) -> Response:
    asked = await body_as(wire.RetryMany)
    uids, selection = _whom(asked.ids, asked.where, [])
    retries, trace = deps.store.retries, own_trace()
    made = retries.retry(uids, trace=trace) if selection is None else retries.retry_where(selection, trace=trace)
    return await _answer(deps, made)


async def replay(deps: Deps) -> Response:
    asked = await body_as(wire.ReplayMany)
    faults = []
    if asked.start not in STARTS:
        faults.append(Fault(where="from", what="is not a stage to begin at", hint=", ".join(STARTS)))
    uids, selection = _whom(asked.ids, asked.where, faults)
    start, retries, trace = STARTS[asked.start], deps.store.retries, own_trace()
    if selection is None:
        return await _answer(deps, retries.replay(uids, start, trace=trace))
    return await _answer(deps, retries.replay_where(selection, start, trace=trace))


async def _answer(deps: Deps, made: Awaitable[Redone]) -> Response:
    try:
        redone = await made
    except QueueFull:
        deps.ring()  # for those that fitted
        raise
    if redone.uids:
        deps.ring()
    return json(shape.redone(redone), 202 if redone.uids else 200)


def _whom(ids: Sequence[str] | None, where: str | None, faults: list[Fault]) -> tuple[list[str], Selection | None]:
    """Exactly one of `ids` and `where`. Raises InvalidInput with these faults and all of its own."""
    selection = None
    if (ids is None) == (where is None):
        faults.append(Fault(where="ids", what="give either ids or where", hint='{"ids": ["01…"]} or {"where": "…"}'))
    elif where is not None:
        try:
            selection = parse(where)
        except InvalidInput as error:
            faults += [msgspec.structs.replace(fault, where=f"where: {fault.where}") for fault in error.faults]
    if ids is not None and not 0 < len(ids) <= MOST_IDS:
        faults.append(Fault(where="ids", what=f"are {len(ids)}", hint=f"1 to {MOST_IDS}; for more use where"))
    if faults:
        raise InvalidInput("The body has faults.", faults=tuple(faults))
    return [uid.upper() for uid in ids or ()], selection
