"""The add page: several addresses at once, or a note. What fails says why, and stays in the form."""

from __future__ import annotations

import msgspec
from quart import Response, request

from gateway.deps import Deps
from gateway.form import fields
from gateway.intake import split_tags, submission
from gateway.render import page
from gateway.saving import accept
from gateway.seen import seen
from gateway.wire import NewItem
from observability.names import Attribute
from pipeline.errors import TAKES_NO_WRITE, Fault, InvalidInput, QueueFull
from pipeline.items import Accepted

MAX_LINES = 500


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one line."""

    given: str
    accepted: Accepted | None = None
    faults: tuple[Fault, ...] = ()


class Typed(msgspec.Struct, frozen=True, kw_only=True):
    """What the form holds."""

    urls: str = ""
    title: str = ""
    text: str = ""
    tags: str = ""


async def form(deps: Deps) -> Response:
    """`?url=&title=&text=` fill it in, for bookmarklets and share sheets; only the button saves."""
    shared = {name: request.args.get(name, "") for name in ("url", "title", "text", "tags")}
    typed = Typed(urls=shared["url"], title=shared["title"], text=shared["text"], tags=shared["tags"])
    return await page(deps, "add.html", typed=typed, results=())


async def submit(deps: Deps) -> Response:
    sent = await fields()
    typed = Typed(**{name: sent.get(name, "") for name in Typed.__struct_fields__})
    wanted = _wanted(typed)
    alone = len(wanted) == 1
    results = [await _save(deps, given, new, is_one_of_many=not alone) for given, new in wanted]
    if alone and results[0].accepted is not None:
        seen().span.set({Attribute.ITEM: results[0].accepted.uid})
    if any(result.accepted for result in results):
        deps.ring()
    failed = [result for result in results if result.accepted is None]
    left = _left(typed, failed)
    has_saved = len(failed) < len(results)
    return await page(deps, "add.html", status=200 if has_saved else 422, typed=left, results=results)


def _wanted(typed: Typed) -> list[tuple[str, NewItem]]:
    """One item a line, and one for the note; nothing at all is a fault of the form."""
    lines = [line.strip() for line in typed.urls.splitlines() if line.strip()]
    if len(lines) > MAX_LINES:
        what = f"has {len(lines)} lines"
        raise InvalidInput("Too many at once.", faults=(Fault(where="urls", what=what, hint=f"at most {MAX_LINES}"),))
    tags = split_tags(typed.tags)
    title = typed.title if len(lines) + bool(typed.text.strip()) == 1 else None  # a title is one item's
    wanted = [(line, NewItem(url=line, tags=tags, title=title)) for line in lines]
    if typed.text.strip() or not lines:
        wanted.append(("Your note", NewItem(text=typed.text, tags=tags, title=typed.title)))
    return wanted


async def _save(deps: Deps, given: str, new: NewItem, *, is_one_of_many: bool) -> Result:
    try:
        wanted = submission(new, source="ui")
        return Result(given=given, accepted=await accept(deps, wanted, is_one_of_many=is_one_of_many))
    except InvalidInput as error:
        return Result(given=given, faults=error.faults or (Fault(where="", what=error.message, hint=error.hint),))
    except (QueueFull, *TAKES_NO_WRITE) as error:
        return Result(given=given, faults=(Fault(where="", what=error.message, hint=error.hint or "Try again later."),))


def _left(typed: Typed, failed: list[Result]) -> Typed:
    """The form after saving: what failed stays, to be corrected."""
    if not failed:
        return Typed()
    has_note_failed = any(result.given == "Your note" for result in failed)
    lines = [result.given for result in failed if result.given != "Your note"]
    return Typed(
        urls="\n".join(lines),
        title=typed.title,
        text=typed.text if has_note_failed else "",
        tags=typed.tags,
    )
