"""An item's timeline: every step that it took, with how, how long, and what went wrong."""

from __future__ import annotations

from quart import Response

from gateway.api.items import known
from gateway.deps import Deps
from gateway.render import page


async def show(deps: Deps, uid: str) -> Response:
    item = await deps.store.items.get(known(uid))
    entries = await deps.store.items.steps(item.uid)
    return await page(
        deps,
        "timeline.html",
        item=item,
        steps=entries,
        capture=await deps.store.items.capture(item.uid),
        elapsed=(entries[-1].at - entries[0].at) if entries else None,
    )
