"""Where a text came from, in words."""

from __future__ import annotations

import msgspec
import pytest

from gateway.provenance import provider, recovered
from pipeline.items import Capture

CAPTURE = Capture(
    body="b",
    size=1,
    url="https://mirror.example.org/x",
    final_url="https://example.com/a",
    status=200,
    media_type="text/html",
    charset=None,
    captured_at=1_614_766_215_000,  # 2021-03-03
    similarity=0.917,
)
FOUND = "3 March 2021, 92 % like what was saved."
ARCHIVED = f"captured {FOUND}"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("direct", ""),
        ("browser", "The site refused Atlas and gave this to a request that looks like a browser's, on 3 March 2021."),
        ("wayback", f"Recovered from the Wayback Machine, {ARCHIVED}"),
        ("archive_today", f"Recovered from archive.today, {ARCHIVED}"),
        ("google", f"Recovered from a copy at mirror.example.org, found by Google search on {FOUND}"),
    ],
)
def test_a_copy_says_who_had_it_when_and_how_like_it_is(name: str, said: str) -> None:
    assert recovered(msgspec.structs.replace(CAPTURE, provider=name)) == said


def test_nothing_is_said_of_a_likeness_that_was_not_measured() -> None:
    capture = msgspec.structs.replace(CAPTURE, provider="wayback", similarity=None)
    assert recovered(capture) == "Recovered from the Wayback Machine, captured 3 March 2021."


def test_a_provider_that_this_release_does_not_know_shows_as_itself() -> None:
    assert provider("other_archive") == "other_archive"
    assert provider("direct") == "the site itself"
