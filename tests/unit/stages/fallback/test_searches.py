"""The searches over real sockets, in the formats that they answer in: what is asked, what is fetched, what is spent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from pipeline.errors import AtlasError, QuotaSpent
from tests.unit.stages.fallback.elsewhere import ENGINE, HTML, KEY, PAGE, TITLE, TOKEN, Elsewhere, as_json
from tests.unit.stages.net.site import reply

Results = list[tuple[str, str]]  # address, title
FOUND: dict[str, Callable[[Results], dict[str, Any]]] = {
    "google": lambda found: {
        "kind": "customsearch#search",
        "searchInformation": {"totalResults": str(len(found))},
        "items": [{"kind": "customsearch#result", "link": url, "title": title, "snippet": "…"} for url, title in found],
    },
    "searxng": lambda found: {
        "query": "rain",
        "number_of_results": 0,
        "results": [{"url": url, "title": title, "content": None, "engine": "x", "score": 1.0} for url, title in found],
        "unresponsive_engines": [["y", "timeout"]],
    },
    "brave": lambda found: {
        "type": "search",
        "query": {"original": "rain", "more_results_available": False},
        "web": {"type": "search", "results": [{"url": url, "title": title, "description": ""} for url, title in found]},
    },
}
NOTHING: dict[str, dict[str, Any]] = {
    "google": {"kind": "customsearch#search", "searchInformation": {"totalResults": "0"}},
    "searxng": {"query": "rain", "results": []},
    "brave": {"type": "search", "query": {"original": "rain"}},
}
HOSTS = {"google": "google.org", "searxng": "searx.org", "brave": "brave.org"}
each_search = pytest.mark.parametrize("name", list(HOSTS))


def finds(world: Elsewhere, name: str, *found: tuple[str, str]) -> None:
    world.on(HOSTS[name], as_json(FOUND[name](list(found))))


@each_search
async def test_another_copy_is_found_by_title_and_fetched_from_where_it_is(world: Elsewhere, name: str) -> None:
    mirror = world.at("mirror.org", "/reprint")
    finds(world, name, (world.at("other.org", "/"), "Umbrellas on sale"), (mirror, f"{TITLE} - Mirror"))
    world.on("mirror.org", reply(PAGE, headers=HTML))
    copy = await world.ask(name)
    assert copy is not None
    assert (copy.content, copy.url, copy.base_url, copy.captured_at) == (PAGE, mirror, mirror, None)
    assert world.asked("other.org") == []
    (asked,) = world.asked(HOSTS[name])
    assert parse_qs(urlsplit(asked.path).query)["q"] == [TITLE]


@each_search
async def test_without_a_title_the_words_of_the_address_are_searched_for(world: Elsewhere, name: str) -> None:
    finds(world, name, (world.at("mirror.org", "/x"), TITLE))
    world.on("mirror.org", reply(PAGE, headers=HTML))
    copy = await world.ask(name, world.sought("/2021/the-rain-gauges-of-orrin-street.html", title=None))
    assert copy is not None
    (asked,) = world.asked(HOSTS[name])
    assert set(parse_qs(urlsplit(asked.path).query)["q"][0].split()) == {"rain", "gauges", "orrin", "street"}


@each_search
async def test_where_neither_title_nor_address_says_anything_nobody_is_asked(world: Elsewhere, name: str) -> None:
    assert await world.ask(name, world.sought("/?p=4711", title=None)) is None
    assert world.requests == []
    assert world.ledger.used == {}


@each_search
async def test_a_search_that_finds_nothing_has_no_copy(world: Elsewhere, name: str) -> None:
    world.on(HOSTS[name], as_json(NOTHING[name]))
    assert await world.ask(name) is None
    assert world.breakers.wait_seconds(f"provider:{name}") == 0


@each_search
async def test_the_page_itself_is_no_other_copy_of_it(world: Elsewhere, name: str) -> None:
    same = world.sought().url.replace("/weather", "/./weather") + "?utm_source=search#top"
    finds(world, name, (same, TITLE), ("ftp://a.org/x", TITLE), ("", TITLE))
    assert await world.ask(name) is None
    assert world.asked("gone.org") == []


@each_search
async def test_at_most_three_results_are_fetched_the_likeliest_first(world: Elsewhere, name: str) -> None:
    half = "Rain Gauges"
    found = [(world.at(f"m{number}.org", "/"), half) for number in range(6)]
    finds(world, name, *found, (world.at("best.org", "/"), TITLE))
    assert await world.ask(name) is None  # none of them is there
    hosts = [request.headers["host"].partition(":")[0] for request in world.requests[1:]]
    assert hosts == ["best.org", "m0.org", "m1.org"]


@each_search
async def test_a_result_that_leads_inside_is_passed_over(world: Elsewhere, name: str) -> None:
    finds(world, name, ("http://169.254.169.254/latest", TITLE), (world.at("mirror.org", "/x"), TITLE))
    world.on("mirror.org", reply(PAGE, headers=HTML))
    copy = await world.ask(name)
    assert copy is not None
    assert copy.url == world.at("mirror.org", "/x")


@each_search
async def test_a_site_in_trouble_says_nothing_against_the_search_that_found_it(world: Elsewhere, name: str) -> None:
    finds(world, name, (world.at("mirror.org", "/x"), TITLE))
    world.on("mirror.org", reply(b"down", status=503))
    assert [await world.ask(name) for _ in range(3)] == [None] * 3
    assert world.breakers.wait_seconds(f"provider:{name}") == 0


async def test_google_is_told_key_and_engine_and_brave_its_token_in_a_header(world: Elsewhere) -> None:
    for name in ("google", "brave"):
        world.on(HOSTS[name], as_json(NOTHING[name]))
        await world.ask(name)
    (google,), (brave,) = world.asked("google.org"), world.asked("brave.org")
    asked = parse_qs(urlsplit(google.path).query)
    assert (asked["key"], asked["cx"]) == ([KEY], [ENGINE])
    assert brave.headers["x-subscription-token"] == TOKEN
    assert TOKEN not in brave.path


@pytest.mark.parametrize("name", ["google", "brave"])
@pytest.mark.parametrize("status", [400, 403, 429, 500, 302])
async def test_no_error_names_a_key(world: Elsewhere, name: str, status: int) -> None:
    told = {"Location": f"/elsewhere?key={KEY}&token={TOKEN}"} if status == 302 else {}
    world.on(HOSTS[name], reply(f"bad key {KEY} {TOKEN}".encode(), status=status, headers=told))
    with pytest.raises(AtlasError) as raised:
        await world.ask(name)
    said = [str(raised.value), raised.value.hint, *(breaker.reason for breaker in world.book.kept.values())]
    assert not [text for text in said if KEY in text or TOKEN in text]


@pytest.mark.parametrize(
    ("name", "day", "until_next"),
    # At noon UTC it is 4 in the morning where Google counts its days, and the same day where Brave does.
    [("google", "2026-11-23", 20 * 3600), ("brave", "2026-11-23", 12 * 3600)],
)
async def test_a_daily_quota_is_spent_before_asking_and_the_next_day_is_told(
    world: Elsewhere, name: str, day: str, until_next: int
) -> None:
    world.on(HOSTS[name], as_json(NOTHING[name]))
    limit: dict[str, Any] = {f"{name}_per_day": 2}
    for _ in range(2):
        assert await world.ask(name, **limit) is None
    with pytest.raises(QuotaSpent) as raised:
        await world.ask(name, **limit)
    assert abs(raised.value.retry_after - until_next) <= 1
    assert world.ledger.used == {(name, day): 2}
    assert len(world.asked(HOSTS[name])) == 2
    assert world.breakers.wait_seconds(f"provider:{name}") == 0  # a spent quota is no trouble
    world.clock.seconds += until_next + 1
    assert await world.ask(name, **limit) is None
    assert len(world.asked(HOSTS[name])) == 3


async def test_google_is_not_asked_any_more_when_its_service_has_ended(world: Elsewhere) -> None:
    world.on("google.org", as_json(NOTHING["google"]))
    world.clock.seconds += 40 * 86_400  # 2027-01-02
    assert await world.ask("google") is None
    assert world.requests == []
    assert world.ledger.used == {}
