"""What commands print: tables on a terminal, tab-separated lines in a pipe, JSON on request; progress on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from observability.redact import printable

_MARKS = {"ok": ("ok", "green"), "warning": ("warning", "bold yellow"), "failing": ("FAIL", "bold red")}
FEW = 20  # below this nobody needs a progress bar


def json(value: object) -> None:
    """One JSON document, indented for a person who looks at it."""
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def line(text: str) -> None:
    """One line; control characters of foreign text are written out."""
    print(printable(text))


def complaint(text: str) -> None:
    """One line on standard error."""
    print(f"atlas: {printable(text)}", file=sys.stderr)


def text(text: str) -> None:
    """Several lines as they are; control characters of foreign text are written out."""
    print(printable(text, lines=True))


def checklist(rows: Iterable[tuple[str, str, str, str]]) -> None:
    """State, name, what was found, what to do: a line each, and below it one for what to do, unless that is empty.

    On a terminal in colour, and what is longer than a line stays in its column.
    """
    cells = [(state, *(printable(cell) for cell in rest)) for state, *rest in rows]
    if not sys.stdout.isatty():
        for state, name, found, advice in cells:
            print(f"{_MARKS[state][0]:<8} {name:<13} {found}")
            if advice:
                print(f"{'':<22} → {advice}")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table.grid(padding=(0, 2, 0, 0))
    for state, name, found, advice in cells:
        mark, style = _MARKS[state]
        drawn.add_row(Text(mark, style), Text(name), Text(found))
        if advice:
            hanging = Table.grid(padding=(0, 1, 0, 0))
            hanging.add_row(Text("→"), Text(advice))
            drawn.add_row("", "", hanging)
    Console().print(drawn)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on a terminal; elsewhere tab-separated lines under their heading."""
    cells = [[printable("" if cell is None else str(cell)) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in [list(head), *cells]:
            print("\t".join(row))
        return
    if not cells:
        print("(none)")
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*head, box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for row in cells:
        drawn.add_row(*(Text(cell) for cell in row))  # Text: a title's [brackets] are no markup
    Console().print(drawn)


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[], None]]:
    """A progress bar on standard error while the block runs; none without a terminal or for a handful."""
    if total < FEW or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda: bar.advance(task)


def ago(now_ms: int, then_ms: int | None) -> str:
    """How long ago, in the largest unit that tells enough: 12 s, 5 min, 3 h, 9 d."""
    if then_ms is None:
        return "-"
    seconds = max(0, now_ms - then_ms) // 1000
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
