"""Answers: a page from a template, or a struct as JSON."""

from __future__ import annotations

import msgspec
from quart import Response, render_template, request

from gateway.assets import stamp
from gateway.deps import Deps
from gateway.security.caller import caller


async def page(deps: Deps, template: str, *, status: int = 200, **values: object) -> Response:
    """Render with what every page needs: who is signed in, which entry of the navigation is lit, the clock."""
    who = caller()
    html = await render_template(
        template,
        who=who,
        failed=await deps.store.retries.failed()
        if who.scope and template != "error.html"
        else 0,  # an error asks for nothing more
        path=request.path,
        now=deps.clock.wall_ms(),
        version=deps.version,
        stamp=stamp,
        **values,
    )
    return Response(html, status, content_type="text/html; charset=utf-8")


def json(value: msgspec.Struct, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, content_type="application/json")


def see(path: str) -> Response:
    """After a form: 303 to a page of ours, so that reloading sends nothing twice. `path` is never a visitor's text."""
    return Response(status=303, headers={"Location": path})
