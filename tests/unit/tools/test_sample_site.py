"""The sample site as a process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.instance import Process, fetch

ADDRESS = r"http://127\.0\.0\.1:\d+(?=\n)"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    process = Process("tools.sample_site", folder=tmp_path)
    try:
        yield process.printed(ADDRESS)
    finally:
        assert process.stop(seconds=5) == 0


def test_it_prints_its_address_and_answers_there(site: str) -> None:
    reply = fetch(site, "GET", "/notes/tide.txt")
    assert reply.status == 200
    assert "spring tide" in reply.body


def test_it_serves_what_must_become_of_its_pages(site: str) -> None:
    assert fetch(site, "GET", "/expectations.json").body["feed"] == "/feed.xml"


def test_the_links_of_the_feed_lead_back_to_the_site(site: str) -> None:
    assert f'<link href="{site}/recits/cafe"/>' in fetch(site, "GET", "/feed.xml").body


def test_a_page_that_was_never_written_is_a_404(site: str) -> None:
    assert fetch(site, "GET", "/articles/never-written").status == 404


def test_two_sites_run_side_by_side(site: str, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Process("tools.sample_site", folder=tmp_path / "other")
    try:
        assert other.printed(ADDRESS) != site
    finally:
        other.stop(seconds=5)
