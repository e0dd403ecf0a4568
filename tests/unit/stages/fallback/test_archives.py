"""The archives over real sockets, in the formats that they answer in."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from pipeline.errors import HttpStatus
from tests.unit.stages.fake_context import NOW_MS
from tests.unit.stages.fallback.elsewhere import HTML, PAGE, Elsewhere, as_json
from tests.unit.stages.net.site import Request, reply

CAPTURED_MS = 1_614_766_215_000  # 2021-03-03 10:10:15 UTC
MEMENTOS = (
    '<http://today.org/{url}>; rel="original",\n'
    '<{at}/timemap/{url}>; rel="self"; type="application/link-format"; from="Wed, 03 Mar 2021 10:10:15 GMT",\n'
    '<{at}/20130301000000/{url}>; rel="first memento"; datetime="Fri, 01 Mar 2013 00:00:00 GMT",\n'
    '<{at}/20210303101015/{url}>; rel="last memento"; datetime="Wed, 03 Mar 2021 10:10:15 GMT"\n'
)


def available(timestamp: str = "20210303101015", status: str = "200") -> bytes:
    closest = {"status": status, "available": True, "url": "http://web.org/web/x", "timestamp": timestamp}
    return as_json({"url": "gone.org", "archived_snapshots": {"closest": closest}})


NOTHING_AVAILABLE = as_json({"url": "gone.org", "archived_snapshots": {}})


async def test_the_nearest_capture_is_fetched_as_the_site_sent_it_then(world: Elsewhere) -> None:
    world.on("available.org", available())
    world.on("web.org", reply(PAGE, headers=HTML))
    copy = await world.ask("wayback")
    assert copy is not None
    assert (copy.content, copy.media_type, copy.captured_at) == (PAGE, "text/html", CAPTURED_MS)
    assert copy.base_url == world.sought().url
    assert world.asked("web.org")[0].path == f"/web/20210303101015id_/{world.sought().url}"
    asked = parse_qs(urlsplit(world.asked("available.org")[0].path).query)
    assert asked == {"url": [world.sought().url], "timestamp": ["20261123120000"]}
    assert world.asked("cdx.org") == []


async def test_what_availability_does_not_know_the_index_may(world: Elsewhere) -> None:
    world.on("available.org", NOTHING_AVAILABLE)
    world.on(
        "cdx.org",
        as_json(
            [
                ["timestamp", "mimetype"],
                ["20220101000000", "application/pdf"],
                ["99999999999999", "text/html"],
                ["20210303101015", "text/html"],
                ["20130301000000", "text/html"],
            ]
        ),
    )
    world.on("web.org", reply(PAGE, headers=HTML))
    copy = await world.ask("wayback")
    assert copy is not None
    assert copy.captured_at == CAPTURED_MS
    asked = parse_qs(urlsplit(world.asked("cdx.org")[0].path).query)
    assert asked["filter"] == ["statuscode:200"]
    assert (asked["sort"], asked["closest"]) == (["closest"], ["20261123120000"])


async def test_a_capture_of_an_error_page_is_none(world: Elsewhere) -> None:
    world.on("available.org", available(status="404"))
    world.on("cdx.org", as_json([]))
    assert await world.ask("wayback") is None
    assert world.asked("web.org") == []


async def test_the_date_is_that_of_the_capture_which_was_shown_in_the_end(world: Elsewhere) -> None:
    def web(request: Request) -> bytes:
        if "20210303101015" in request.path:
            return reply(PAGE, headers=HTML)
        return reply(status=302, headers={"Location": request.path.replace("20220101000000", "20210303101015")})

    world.on("available.org", available("20220101000000"))
    world.on("web.org", web)
    copy = await world.ask("wayback")
    assert copy is not None
    assert copy.captured_at == CAPTURED_MS


@pytest.mark.parametrize("status", [403, 404, 451])
async def test_a_site_that_is_kept_out_of_the_archive_is_no_trouble_of_the_archives(
    world: Elsewhere, status: int
) -> None:
    world.on("available.org", available())
    world.on("web.org", reply(b"Blocked Site Error", status=status))
    world.on("cdx.org", reply(b"Blocked Site Error", status=status))
    assert [await world.ask("wayback") for _ in range(3)] == [None] * 3
    world.on("available.org", NOTHING_AVAILABLE)
    assert [await world.ask("wayback") for _ in range(3)] == [None] * 3
    assert world.breakers.wait_seconds("provider:wayback") == 0


def memento_list(world: Elsewhere) -> bytes:
    text = MEMENTOS.format(at=world.at("today.org", ""), url=world.sought().url)
    return reply(text.encode(), headers={"Content-Type": "application/link-format"})


async def test_archive_today_is_asked_for_its_list_and_then_for_the_nearest(world: Elsewhere) -> None:
    world.on("today.org", lambda r: memento_list(world) if "timemap" in r.path else reply(PAGE, headers=HTML))
    copy = await world.ask("archive_today")
    assert copy is not None
    assert (copy.content, copy.captured_at, copy.base_url) == (PAGE, CAPTURED_MS, world.sought().url)
    listed, fetched = world.asked("today.org")
    assert listed.path == f"/timemap/{world.sought().url}"
    assert fetched.path == f"/20210303101015/{world.sought().url}"


async def test_archive_today_without_a_capture_has_none(world: Elsewhere) -> None:
    world.on("today.org", reply(b"no such memento", status=404))
    assert await world.ask("archive_today") is None
    world.on("today.org", reply(b"", headers={"Content-Type": "application/link-format"}))
    assert await world.ask("archive_today") is None


async def test_a_list_with_dates_that_are_none_is_read_as_far_as_it_goes(world: Elsewhere) -> None:
    text = '<http://a.org/x>; rel="memento"; datetime="some day", <>; rel="memento"; datetime="", <b'
    world.on("today.org", reply(text.encode(), headers={"Content-Type": "application/link-format"}))
    assert await world.ask("archive_today") is None


async def test_the_copy_of_an_archive_that_answers_with_an_error_is_not_kept(world: Elsewhere) -> None:
    world.on("today.org", lambda r: memento_list(world) if "timemap" in r.path else reply(b"busy", status=503))
    with pytest.raises(HttpStatus):
        await world.ask("archive_today")


async def test_the_browser_asks_the_site_itself_again_and_as_a_browser_would(world: Elsewhere) -> None:
    def site(request: Request) -> bytes:
        told = request.headers
        is_browser = "Firefox/" in told["user-agent"] and told["sec-fetch-mode"] == "navigate"
        return reply(PAGE, headers=HTML) if is_browser and "accept-language" in told else reply(b"no", status=403)

    world.on("gone.org", site)
    copy = await world.ask("browser")
    assert copy is not None
    assert (copy.content, copy.captured_at, copy.base_url) == (PAGE, None, world.sought().url)
    world.on("gone.org", reply(b"no", status=403))
    with pytest.raises(HttpStatus, match="403"):
        await world.ask("browser")
    assert world.book.kept == {}


def test_the_day_of_a_save_is_where_these_tests_look_from() -> None:
    assert NOW_MS == 1_795_435_200_000
