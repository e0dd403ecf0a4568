"""Numbers, times and states in words."""

from __future__ import annotations

import pytest

from gateway import wording
from pipeline.lifecycle import Stage


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "now"), (42, "42 s"), (60, "1 min"), (3599, "59 min"), (7200, "2 h"), (200_000, "2 d"), (4e7, "1 y")],
)
def test_a_duration_is_its_largest_unit(seconds: float, words: str) -> None:
    assert wording.duration(seconds) == words


@pytest.mark.parametrize(
    ("then", "words"),
    [
        (0, "just now"),
        (-59, "just now"),
        (-60, "1 minute ago"),
        (-7300, "2 hours ago"),
        (3700, "in 1 hour"),
        (5, "in a moment"),
    ],
)
def test_a_moment_is_told_from_now(then: int, words: str) -> None:
    now = 1_790_000_000_000
    assert wording.ago(now + then * 1000, now) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (45_200, "45 kB"), (999_600, "1.0 MB"), (3_200_000_000, "3.2 GB")],
)
def test_a_size_has_two_digits_and_a_unit(count: int, words: str) -> None:
    assert wording.size(count) == words


@pytest.mark.parametrize(
    ("language", "direction"),
    [("ar", "rtl"), ("he-IL", "rtl"), ("FA", "rtl"), ("en", "ltr"), ("arn", "ltr"), (None, "auto"), ("", "auto")],
)
def test_a_language_has_its_direction(language: str | None, direction: str) -> None:
    assert wording.direction(language) == direction


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", " JaVaScRiPt:x", "data:text/html,x", "", None, "//", "mailto:a@b.c"]
)
def test_nothing_but_a_web_address_is_ever_a_link(url: str | None) -> None:
    assert wording.href(url) == ""


def test_an_address_without_a_scheme_links_to_its_page() -> None:
    assert wording.href("example.com/a") == "https://example.com/a"


@pytest.mark.parametrize(
    ("given", "shown"), [("2026-03-02", "2 March 2026"), ("2026-03-02T10:00:00Z", "2 March 2026"), ("March", "March")]
)
def test_a_publication_date_is_told_as_a_day(given: str, shown: str) -> None:
    assert wording.published(given) == shown


def test_every_stage_has_words_and_an_unknown_number_is_itself() -> None:
    assert all("_" not in wording.stage(stage) for stage in Stage)
    assert wording.stage(577) == "577"
