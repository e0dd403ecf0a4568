"""What the demo prints."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from supervisor.demo_show import results

TITLES = (
    "A Year in the Log of Ferrow Light, Kept by Two Sisters",
    "灯台守の娘が残した気象日記とその後の五十年についての覚え書き",
    None,
)


def row(title: str | None) -> dict[str, Any]:
    return {
        "title": title, "url": "https://example.org/articles/never-written-and-never-will", "state": "duplicate",
        "stage": {"code": 599}, "verdict": "partial", "reason": {"code": "http_status"}, "language": "en",
        "word_count": 22_552, "created_at": "2026-11-23T12:00:00.000Z", "changed_at": "2026-11-23T12:00:12.345Z",
    }  # fmt: skip


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_each_result_is_one_line_that_fits_and_only_its_title_is_cut(width: int) -> None:
    out = io.StringIO()
    results(Console(file=out, width=width), [row(title) for title in TITLES])
    lines = out.getvalue().splitlines()
    assert all(cell_len(line) <= width for line in lines)
    told = [line for line in lines if "599 duplicate" in line]
    assert len(told) == len(TITLES)
    assert all(line.split()[-4:] == ["http_status", "en", "22,552", "12,345"] for line in told)
    assert sum(bool(line.strip()) for line in lines) == len(TITLES) + 3  # title, heading, rule


def test_a_page_that_came_from_elsewhere_says_from_where_and_one_from_its_own_site_does_not() -> None:
    out = io.StringIO()
    done = row("Here") | {"state": "done", "reason": None, "verdict": "full"}
    rows = [done | {"title": by, "provenance": {"provider": by}} for by in ("direct", "wayback")]
    results(Console(file=out, width=100), rows)
    told = [line for line in out.getvalue().splitlines() if "full" in line]
    assert ["from wayback" in line for line in told] == [False, True]
    assert "from direct" not in out.getvalue()
