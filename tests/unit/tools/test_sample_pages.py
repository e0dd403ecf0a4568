"""The sample site: what it serves is what its expectations speak of."""

from __future__ import annotations

import re

import msgspec
import pytest

from supervisor.demo_expect import Expectations
from tools.sample.archive import CAPTURES
from tools.sample.pages import FEED_ENTRIES, FOLDER, GONE, PAGES, REDIRECTS, answers, expectations

BASE = "http://127.0.0.1:9"


def test_every_expected_page_is_served_or_meant_to_be_missing() -> None:
    served = answers(BASE)
    expected = msgspec.convert(expectations(), Expectations)
    assert [page.path for page in expected.pages if page.path not in served] == ["/articles/never-written"]
    assert expected.feed in served


def test_every_original_and_every_search_result_is_an_expected_page() -> None:
    expected = msgspec.convert(expectations(), Expectations)
    paths = {page.path for page in expected.pages}
    assert {page.duplicate_of for page in expected.pages if page.duplicate_of} <= paths
    assert {path for search in expected.searches for path in search.finds} <= paths


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_each_page_is_whole_in_the_charset_that_it_names(page) -> None:
    answer = answers(BASE)[page.path]
    text = answer.body.decode(page.charset)
    assert (f"charset={page.charset}" in answer.media_type) == (page.told_by == "header")
    assert re.search(rf'charset="?{page.charset}"', text)


def test_the_long_article_has_about_twenty_thousand_words_and_no_two_days_alike() -> None:
    text = answers(BASE)["/log/ferrow-light"].body.decode()
    days = [paragraph.split(". ", 1)[1] for paragraph in re.findall(r"<p>((?:[A-Z][a-z]+) \d+\. .*)</p>", text)]
    assert len(days) == 365
    assert len(set(days)) == 365
    assert 19_000 < sum(len(day.split()) for day in days) < 25_000


def test_the_site_is_the_same_each_time_it_is_made() -> None:
    assert answers(BASE) == answers(BASE)


def test_the_redirect_chain_has_three_hops_and_ends_at_an_article() -> None:
    path, hops = "/r/old-harbour", 0
    while path in REDIRECTS:
        path, hops = REDIRECTS[path], hops + 1
    assert (path, hops) == ("/articles/lamplighters", 3)


def test_the_feed_lists_new_articles_and_one_that_is_posted_as_well() -> None:
    from_feed = {page["path"] for page in expectations()["pages"] if page.get("from_feed")}
    posted = {page["path"] for page in expectations()["pages"] if not page.get("from_feed")}
    assert from_feed | posted >= set(FEED_ENTRIES)
    assert from_feed < set(FEED_ENTRIES)
    assert set(FEED_ENTRIES) & posted


def test_words_of_menus_and_footers_stand_in_no_article() -> None:
    prose = [file.read_text("utf-8").partition("\n\n")[2].lower() for file in (FOLDER / "articles").glob("*.txt")]
    for query in expectations()["finds_nothing"]:
        assert not any(query.strip('"') in text for text in prose)
        assert query.strip('"') in answers(BASE)["/articles/rain-gauges"].body.decode().lower()


def test_a_page_that_is_gone_is_in_the_archive_and_one_that_nobody_has_is_not() -> None:
    served, kept = answers(BASE), {one.path for one in CAPTURES if one.status == 200}
    assert {served[path].status for path in GONE} == {410}
    assert set(GONE) == kept
    recovered = {page["path"] for page in expectations()["pages"] if page.get("provider")}
    assert recovered == set(GONE)
