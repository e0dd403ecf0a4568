"""What the demo prints."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from supervisor.demo_show import Progress, in_flight, results, search

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


def moving(*states: tuple[str, int]) -> list[dict[str, Any]]:
    return [{"state": state, "stage": {"code": code}} for state, code in states]


def test_in_a_pipe_the_counts_are_a_line_each_time_they_change() -> None:
    out = io.StringIO()
    with Progress(Console(file=out, width=100), total=3) as progress:
        rows = moving(("ready", 100), ("leased", 320), ("waiting", 100))
        progress.show(rows, 0.1)
        progress.show(rows, 0.2)
        progress.show(moving(("done", 590), ("dead", 299), ("duplicate", 599)), 1.25)
    assert out.getvalue().splitlines() == [
        "  0.1 s  acquire 1 · extract 1 · waiting for another try 1",
        "  1.2 s  done 1 · duplicate 1 · dead 1",
    ]


def test_on_a_terminal_the_counts_are_bars_that_move() -> None:
    out = io.StringIO()
    console = Console(file=out, width=100, force_terminal=True)
    with Progress(console, total=2) as progress:
        progress.show(moving(("ready", 100), ("done", 590)), 0.1)
        progress.show(moving(("done", 590), ("done", 590)), 0.2)
    assert "\x1b[" in out.getvalue()
    assert "finalise" in out.getvalue()


def test_a_hit_is_shown_with_what_was_found_marked_and_by_its_address_when_it_has_no_title() -> None:
    out = io.StringIO()
    hit = {
        "item": {"title": None, "url": "https://example.org/a"},
        "snippet": [{"text": "the\nold ", "marked": False}, {"text": "mill", "marked": True}],
    }
    search(Console(file=out, width=100), "mill", [hit])
    assert [line.strip() for line in out.getvalue().splitlines() if line] == [
        "Search mill",
        "https://example.org/a",
        "the old mill",
    ]


def test_what_has_not_ended_is_told_with_where_it_is_and_why() -> None:
    waits = {"code": "timeout", "detail": "", "hint": "it is tried again"}
    rows = [
        {"url": "https://a.example/", "state": "leased", "stage": {"code": 110, "name": "fetching"}, "reason": None},
        {"url": "https://b.example/", "state": "waiting", "stage": {"code": 100, "name": "acquire"}, "reason": waits},
    ]
    assert in_flight(rows) == [
        "https://a.example/: leased at 110 fetching",
        "https://b.example/: waiting at 100 acquire (timeout: it is tried again)",
    ]
