"""The reader: one article, its flags, and what belongs to it."""

from __future__ import annotations

from markupsafe import Markup
from quart import Response

from gateway.api.items import document_of, known
from gateway.api.redo import retried
from gateway.article import safe_html
from gateway.deps import Deps
from gateway.form import fields
from gateway.render import page, see
from pipeline.errors import Fault, InvalidInput

FLAGS = ("read", "starred", "archived")


async def show(deps: Deps, uid: str) -> Response:
    item = await deps.store.items.get(known(uid))
    document = await document_of(deps, item.uid)
    return await page(
        deps,
        "reader.html",
        item=item,
        document=document,
        article=Markup(safe_html(document.html, title=item.title)) if document else None,  # noqa: S704 - just sanitised
        capture=await deps.store.items.capture(item.uid),
        related=await deps.store.items.related(item.uid),
    )


async def flag(deps: Deps, uid: str) -> Response:
    """A form with one button: `flag` names it, `value` is on or off."""
    form = await fields()
    name, value = form.get("flag", ""), form.get("value", "")
    if name not in FLAGS or value not in ("on", "off"):
        fault = Fault(where="flag", what="is not one of the flags", hint=", ".join(FLAGS))
        raise InvalidInput("The form has faults.", faults=(fault,))
    item = await deps.store.items.mark(known(uid), **{name: value == "on"})
    return see(f"/items/{item.uid}")


async def retry(deps: Deps, uid: str) -> Response:
    """Dead: from the beginning. Waiting: now. Kept: fetched again, readable meanwhile. On its way: nothing."""
    await retried(deps, uid)
    return see(f"/items/{known(uid)}")


async def ask_delete(deps: Deps, uid: str) -> Response:
    return await page(deps, "delete.html", item=await deps.store.items.get(known(uid)))


async def delete(deps: Deps, uid: str) -> Response:
    await deps.store.items.delete(known(uid))
    return see("/")
