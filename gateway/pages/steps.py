"""An item's timeline: every step that it took, with how, how long, and what went wrong; and the spans behind them."""

from __future__ import annotations

from quart import Response

from gateway.api.items import known
from gateway.deps import Deps
from gateway.render import page
from gateway.waterfall import waterfall


async def show(deps: Deps, uid: str) -> Response:
    item = await deps.store.items.get(known(uid))
    entries = await deps.store.items.steps(item.uid)
    spans = await deps.store.traces.of_item(item.uid)
    return await page(
        deps,
        "timeline.html",
        item=item,
        steps=entries,
        runs=waterfall(spans),
        trace_id=spans[-1].trace_id if spans else None,
        capture=await deps.store.items.capture(item.uid),
        elapsed=(entries[-1].at - entries[0].at) if entries else None,
    )
