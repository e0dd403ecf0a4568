"""How the demo looks: a live count per stage, the table of results, searches with their hits marked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from rich.bar import Bar
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

Row = Mapping[str, Any]

_ENDS: Final = ("done", "duplicate", "dead")
_HUNDREDS: Final = {0: "accepted", 100: "acquire", 200: "validate", 300: "extract", 400: "enrich", 500: "finalise"}
_WAITING: Final = "waiting for another try"
_SHOWN: Final = (*_HUNDREDS.values(), _WAITING, *_ENDS)
_WIDEST: Final = 110  # columns of the results; beyond it the eye loses the line
_COLOURS: Final = {"done": "green", "duplicate": "blue", "dead": "yellow"}


def tally(rows: Iterable[Row]) -> Counter[str]:
    """How many items are in each stage, waiting, or at an end."""
    return Counter(_place(row) for row in rows)


def _place(row: Row) -> str:
    if row["state"] in _ENDS:
        return str(row["state"])
    return _WAITING if row["state"] == "waiting" else _HUNDREDS[row["stage"]["code"] // 100 * 100]


class Progress:
    """The counts while they move: a live table on a terminal, otherwise a line each time they change."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._last: Counter[str] = Counter()
        self._live = Live(console=console, refresh_per_second=10) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, rows: Iterable[Row], seconds: float) -> None:
        counts = tally(rows)
        if self._live is not None:
            self._live.update(self._table(counts))
        elif counts != self._last:
            told = " · ".join(f"{name} {counts[name]}" for name in _SHOWN if counts[name])
            self._console.print(f"{seconds:5.1f} s  {told}", highlight=False, soft_wrap=True)
        self._last = counts

    def _table(self, counts: Counter[str]) -> Table:
        table = Table(box=None, show_header=False, padding=(0, 1))
        for name in _SHOWN:
            bar = Bar(size=self._total, begin=0, end=counts[name], width=30, color=_COLOURS.get(name, "cyan"))
            table.add_row(name, bar, str(counts[name]))
        return table


def results(console: Console, rows: Iterable[Row]) -> None:
    """One line an item, however narrow the screen: how it ended and why. Only the title gives way."""
    width = min(console.width, _WIDEST)
    table = Table(
        title="What became of each page", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), width=width
    )
    table.add_column("title", no_wrap=True, overflow="ellipsis", ratio=1)
    for name in ("ended", "why", "lang", "words", "ms"):
        table.add_column(name, justify="right" if name in {"words", "ms"} else "left", no_wrap=True)
    for row in rows:
        colour = _COLOURS.get(row["state"], "red")
        table.add_row(
            escape(row["title"] or urlsplit(row["url"]).path),
            f"[{colour}]{row['stage']['code']} {row['state']}[/]",
            escape(_why(row)),
            row["language"] or "",
            "" if row["word_count"] is None else f"{row['word_count']:,}",
            f"{_milliseconds(row):,}",
        )
    console.print(table)


def _why(row: Row) -> str:
    """Why it ended so, and who had the page when its own site did not."""
    why = str(row["reason"]["code"] if row["reason"] else row["verdict"] or "")
    provenance = row.get("provenance") or {"provider": "direct"}
    if row["state"] != "done" or provenance["provider"] == "direct":
        return why
    return f"{why}, from {provenance['provider']}"


def _milliseconds(row: Row) -> int:
    """From accepted to its end."""
    took = datetime.fromisoformat(row["changed_at"]) - datetime.fromisoformat(row["created_at"])
    return round(took.total_seconds() * 1000)


def search(console: Console, query: str, hits: Iterable[Row]) -> None:
    """The hits of one search, with what was found marked."""
    console.print(Text.assemble("\nSearch ", (query, "bold cyan")))
    for hit in hits:
        line = Text.assemble("  ", (hit["item"]["title"] or hit["item"]["url"], "bold"), "\n    ")
        for part in hit["snippet"]:
            line.append(part["text"].replace("\n", " "), style="bold yellow" if part["marked"] else "")
        console.print(line)


def in_flight(rows: Iterable[Row]) -> list[str]:
    """A line for each item that has not ended: where it is and why."""
    return [
        f"{row['url']}: {row['state']} at {row['stage']['code']} {row['stage']['name']}"
        + (f" ({row['reason']['code']}: {row['reason']['detail'] or row['reason']['hint']})" if row["reason"] else "")
        for row in rows
        if row["state"] not in _ENDS
    ]
