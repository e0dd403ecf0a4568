"""A web archive on the sample site, in the forms of the Wayback Machine: what it kept of a page that is gone today."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qs

from tools.sample.pages import Answer, Page, rendered

AVAILABLE: Final = "/archive/available"
INDEX: Final = "/archive/cdx"
WEB: Final = "/archive/web"


@dataclass(frozen=True, kw_only=True)
class Capture:
    """One visit of the archive: what the site answered then."""

    path: str
    digits: str  # its moment, as archives write it
    status: int
    article: str | None = None


# The newest is of the time after the page was taken down, as in real life: the one to find is older.
CAPTURES: Final = (
    Capture(path="/articles/the-ferry-bell-at-low-water", digits="20210303094512", status=200, article="ferry-bell"),
    Capture(path="/articles/the-ferry-bell-at-low-water", digits="20251130080207", status=404),
)


class Archive:
    """Answers look-ups and shows captures. `base` is the address of the site that it has visited: its own."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._shown = {f"{WEB}/{one.digits}id_/{base}{one.path}": _shown(one) for one in CAPTURES}

    def answer(self, path: str, query: str) -> Answer | None:
        """What it answers below /archive; None for what is not its own, or not kept."""
        asked = {name: values[-1] for name, values in parse_qs(query).items()}
        if path == AVAILABLE:
            return _json(self._available(asked))
        if path == INDEX:
            return _json(self._indexed(asked))
        return self._shown.get(path)

    def _kept(self, asked: Mapping[str, str]) -> Iterator[Capture]:
        return (one for one in CAPTURES if asked.get("url") == self._base + one.path)

    def _available(self, asked: Mapping[str, str]) -> object:
        """The nearest capture, whatever the site answered at that time."""
        nearest = next(iter(_nearest_first(self._kept(asked), asked.get("timestamp"))), None)
        closest = nearest and {"available": True, "status": str(nearest.status), "timestamp": nearest.digits}
        return {"url": asked.get("url", ""), "archived_snapshots": {"closest": closest} if closest else {}}

    def _indexed(self, asked: Mapping[str, str]) -> object:
        """The good captures, the nearest first, below a row that names the columns."""
        wanted = asked.get("filter", "").removeprefix("statuscode:")
        good = [one for one in self._kept(asked) if wanted in {"", str(one.status)}]
        rows = [[one.digits, "text/html"] for one in _nearest_first(good, asked.get("closest"))]
        return [["timestamp", "mimetype"], *rows] if rows else []


def _nearest_first(captures: Iterable[Capture], digits: str | None) -> list[Capture]:
    """By their distance from a moment; without one the newest first."""
    wanted = _moment(digits or "99991231235959")
    return sorted(captures, key=lambda one: abs(_moment(one.digits) - wanted))


def _moment(digits: str) -> datetime:
    return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)


def _shown(one: Capture) -> Answer:
    if one.article is None:
        return Answer(status=one.status, media_type="text/html", body=b"<!DOCTYPE html><title>Gone</title>")
    return rendered(Page(path=one.path, article=one.article))


def _json(content: object) -> Answer:
    return Answer(status=200, media_type="application/json", body=json.dumps(content).encode())
