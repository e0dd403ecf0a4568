"""The tables of docs/OBSERVABILITY.md, made from the catalogue: `just catalogue` writes them anew."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from observability.names import METRICS, Attribute, Event, Span

DOCUMENT: Final = Path(__file__).resolve().parent.parent / "docs" / "OBSERVABILITY.md"
MARK: Final = "<!-- From here on made by `just catalogue`. -->"


def render() -> str:
    """All that stands behind the mark."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from ("", "### Log events", "")
    yield from _table(("event", "meaning"), ((f"`{each}`", each.meaning) for each in Event))
    yield from ("", "### Spans", "")
    yield from _table(("span", "meaning"), ((f"`{each}`", each.meaning) for each in Span))
    yield from ("", "### Attributes of spans", "")
    yield from _table(("attribute", "meaning"), ((f"`{each}`", each.meaning) for each in Attribute))
    yield from ("", "### Metrics", "")
    head = ("metric", "kind", "unit", "labels", "meaning")
    yield from _table(head, sorted(_metrics()))


def _metrics() -> Iterator[tuple[str, ...]]:
    for each in METRICS:
        labels = (*each.labels, "role") if each.process else each.labels
        yield f"`{each.name}`", each.kind, each.unit, ", ".join(f"`{label}`" for label in labels), each.meaning


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join('---' for _ in head)} |"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def main() -> int:
    before = DOCUMENT.read_text(encoding="utf-8").partition(MARK)[0]
    DOCUMENT.write_text(f"{before}{MARK}\n{render()}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
