"""The failed page: dead letters by what went wrong, found by the language of selections, tried again by hand."""

from __future__ import annotations

from urllib.parse import urlencode

from quart import Response, request

from gateway.deps import Deps
from gateway.form import pairs
from gateway.query import Query
from gateway.render import page, see
from gateway.security.caller import own_trace
from pipeline.errors import Fault, InvalidInput
from pipeline.lifecycle import State
from pipeline.selection import Selection, parse, within
from pipeline.store.items import ItemFilter, ItemPage

PAGE_SIZE = 30
EVERYTHING = "state:dead"


async def show(deps: Deps) -> Response:
    """What matches `where`, dead letters unless it names a state. A filter with faults is shown with them, as 422."""
    query = Query("where", "cursor", "retried")
    where = (query.text("where") or "").strip()
    cursor = query.text("cursor")
    retried = query.number("retried", -1, least=0, most=999_999_999)
    query.done()
    try:
        selection = _among(where)
    except InvalidInput as error:
        return await _page(deps, where, ItemPage(items=(), cursor=None), faults=error.faults)
    found = await deps.store.items.list(ItemFilter(limit=PAGE_SIZE, cursor=cursor, where=selection))
    total = await deps.store.retries.count(selection)
    return await _page(deps, where, found, total=total, retried=retried)


async def _page(
    deps: Deps,
    where: str,
    found: ItemPage,
    *,
    faults: tuple[Fault, ...] = (),
    total: int = 0,
    retried: int = -1,
) -> Response:
    following = urlencode({"where": where, "cursor": found.cursor}) if found.cursor else None
    return await page(
        deps,
        "failed.html",
        status=422 if faults else 200,
        where=where,
        groups=await deps.store.retries.groups(parse(EVERYTHING)),
        rows=found.items,
        total=total,
        faults=faults,
        retried=retried,
        following=following and f"/failed?{following}",
        is_first="cursor" not in request.args,
    )


async def ask(deps: Deps) -> Response:
    """Before all that match are tried again: how many they are."""
    query = Query("where")
    where = (query.text("where") or "").strip()
    query.done()
    count = len(await deps.store.retries.matching(_among(where)))
    return await page(deps, "failed_retry.html", where=where, count=count)


async def retry(deps: Deps) -> Response:
    """A form with either the ids that were ticked, or `all` and the selection that was confirmed."""
    sent = await pairs()
    form = dict(sent)
    where = form.get("where", "").strip()
    if form.get("all") == "yes":
        redone = await deps.store.retries.retry_where(_among(where), trace=own_trace())
    else:
        uids = [uid.upper() for name, uid in sent if name == "id"]
        redone = await deps.store.retries.retry(uids, trace=own_trace())
    if redone.uids:
        deps.ring()
    told = {"where": where} if where and form.get("all") != "yes" else {}
    return see("/failed?" + urlencode({**told, "retried": len(redone.uids)}))


def _among(where: str) -> Selection:
    """The selection of this page: dead letters, unless another state is asked for."""
    return within(parse(where or EVERYTHING), [State.DEAD])
