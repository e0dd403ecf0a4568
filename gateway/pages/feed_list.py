"""The feeds that are polled, and a form to add one."""

from __future__ import annotations

from quart import Response

from gateway.deps import Deps
from gateway.form import fields
from gateway.intake import url_key
from gateway.render import page, see
from pipeline.errors import Fault


async def show(deps: Deps) -> Response:
    return await _page(deps)


async def add(deps: Deps) -> Response:
    url = (await fields()).get("url", "").strip()
    faults: list[Fault] = []
    url_key(url, faults)
    if faults:
        return await _page(deps, url=url, faults=tuple(faults))
    await deps.store.feeds.add(url)
    deps.ring()
    return see("/feeds")


async def _page(deps: Deps, *, url: str = "", faults: tuple[Fault, ...] = ()) -> Response:
    feeds = await deps.store.feeds.list()
    return await page(deps, "feeds.html", status=422 if faults else 200, feeds=feeds, url=url, faults=faults)
