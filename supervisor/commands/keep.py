"""`atlas add`: URLs go into the store; each bad one is named with its line, the others are kept."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import anyio
import msgspec

from gateway import shape, wire
from gateway.intake import submission
from observability.carrier import new_trace
from pipeline.errors import AtlasError, InvalidInput
from pipeline.ids import system_random
from pipeline.items import Accepted, Submission
from pipeline.store.handle import Store
from supervisor.commands import output
from supervisor.commands.session import load_settings, read_lines, with_store
from supervisor.exits import Exit

AT_ONCE = 64  # concurrent saves share commits


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for one URL, for --json."""

    where: str
    url: str
    item: wire.AcceptedOut | None = None
    error: str | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One URL and where it stood."""

    where: str  # "line 3", "argument 1"
    url: str


def run(args: argparse.Namespace) -> int:
    """Exit 0 when all were kept, 1 when some were not."""
    config = load_settings(args, quiet=args.json).config
    lines = _gather(args.urls)
    wanted: list[tuple[Line, Submission]] = []
    answers: dict[str, Kept] = {}
    for line in lines:
        try:
            new = wire.NewItem(url=line.url, tags=tuple(args.tags))
            wanted.append((line, submission(new, source="cli", trace=new_trace(system_random))))
        except InvalidInput as error:
            answers[line.where] = Kept(where=line.where, url=line.url, error=_reason(error))
    if wanted:
        with output.progress("keeping", len(wanted)) as advance:
            answers |= with_store(config, lambda store: _accept(store, wanted, advance), news=True)
    return _report([answers[line.where] for line in lines], as_json=args.json)


def _gather(urls: list[str]) -> list[Line]:
    """Arguments as they are; for `-` the lines of standard input, without blank ones and comments."""
    lines: list[Line] = []
    for index, url in enumerate(urls, start=1):
        if url != "-":
            lines.append(Line(where=f"argument {index}", url=url))
            continue
        for number, text in enumerate(read_lines(), start=1):
            if text.strip() and not text.lstrip().startswith("#"):
                lines.append(Line(where=f"line {number}", url=text.strip()))
    return lines


async def _accept(store: Store, wanted: list[tuple[Line, Submission]], advance: Callable[[], None]) -> dict[str, Kept]:
    answers: dict[str, Kept] = {}
    room = anyio.CapacityLimiter(AT_ONCE)

    async def one(line: Line, new: Submission) -> None:
        async with room:
            try:
                answers[line.where] = _kept(line, await store.items.accept(new))
            except AtlasError as error:
                answers[line.where] = Kept(where=line.where, url=line.url, error=_reason(error))
            advance()

    async with anyio.create_task_group() as tasks:
        for line, new in wanted:
            tasks.start_soon(one, line, new)
    return answers


def _kept(line: Line, accepted: Accepted) -> Kept:
    return Kept(where=line.where, url=line.url, item=shape.accepted(accepted))


def _reason(error: AtlasError) -> str:
    """Faults say more than the sentence above them."""
    faults = error.faults if isinstance(error, InvalidInput) else ()
    said = [fault.what if fault.where == "url" else f"{fault.where} {fault.what}" for fault in faults] or [
        error.message.rstrip(".")
    ]
    hint = next((fault.hint for fault in faults if fault.hint), error.hint)
    return "; ".join(said) + (f" ({hint})" if hint else "")


def _report(answers: list[Kept], *, as_json: bool) -> int:
    failed = [answer for answer in answers if answer.error]
    if as_json:
        output.json(answers)
    else:
        rows = [(answer.item.id, _what(answer.item), answer.url) for answer in answers if answer.item]
        if rows:
            output.table(("ID", "WHAT", "URL"), rows)
        for answer in failed:
            output.complaint(f"{answer.where}: {answer.url}: {answer.error}")
    return Exit.FAILED if failed else Exit.OK


def _what(item: wire.AcceptedOut) -> str:
    if item.created:
        return "kept, waits for room" if item.deferred else "kept"
    if item.undeleted:
        return "brought back"
    return "tried again" if item.requeued else "known already"
