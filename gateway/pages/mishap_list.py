"""Unexpected errors: what has gone wrong inside Atlas, how often, and where."""

from __future__ import annotations

from quart import Response

from gateway.deps import Deps
from gateway.render import page


async def show(deps: Deps) -> Response:
    return await page(deps, "mishaps.html", mishaps=await deps.store.mishaps.list())


async def show_one(deps: Deps, error_id: str) -> Response:
    return await page(deps, "mishap.html", mishap=await deps.store.mishaps.get(error_id.upper()))
