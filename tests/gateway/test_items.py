"""Looking at items through the API: lists, one item, its timeline, its content."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.documents import Extracted
from pipeline.items import Reason, StepEntry
from pipeline.work import Bury
from tests.gateway.site import Site
from tests.store.hands import BOOT

ITEMS = "/api/v1/items"


def test_a_list_is_paged_to_its_end_without_gaps_or_repeats(gateway):
    async def story(site: Site) -> None:
        saved = [await site.save(url=f"https://example.com/{n}") for n in range(7)]
        seen: list[str] = []
        path = f"{ITEMS}?limit=3"
        cursor = ""
        while cursor is not None:
            page = await (await site.api("GET", path + (f"&cursor={cursor}" if cursor else ""))).get_json()
            seen += [item["id"] for item in page["items"]]
            cursor = page["cursor"]
        assert seen == saved[::-1]

    gateway(story)


def test_a_list_is_filtered_by_state_stage_and_tag(gateway):
    async def story(site: Site) -> None:
        await site.save(url="https://example.com/1", tags=["one"])
        dead = await site.save(url="https://example.com/2")
        await site.bury(dead, code="dead_link", hint="Gone.")

        async def ids(query: str) -> list[str]:
            return [item["id"] for item in (await (await site.api("GET", f"{ITEMS}?{query}")).get_json())["items"]]

        assert await ids("state=dead") == [dead]
        assert len(await ids("state=dead,leased")) == 2
        assert len(await ids("state=dead&state=leased&state=dead")) == 2
        assert await ids("state=done,duplicate") == []
        assert len(await ids("stage=100")) == 2
        assert len(await ids("stage=queued")) == 2
        assert len(await ids("tag=one")) == 1

    gateway(story)


def test_every_fault_of_a_query_is_named_at_once(gateway):
    async def story(site: Site) -> None:
        answer = await site.api("GET", f"{ITEMS}?limit=0&state=dead,odd&stage=nowhere&page=2")
        assert answer.status_code == 422
        assert {each["where"] for each in (await answer.get_json())["errors"]} == {"limit", "state", "stage", "page"}
        assert (await site.api("GET", f"{ITEMS}?cursor=zzzz")).status_code == 422
        assert (await site.api("GET", f"{ITEMS}?state=")).status_code == 422
        for words, what in (("", "is missing"), ("%20", "is missing"), ("x" * 1001, "is longer than 1000 characters")):
            answer = await site.api("GET", f"/api/v1/search?q={words}")
            assert [each["what"] for each in (await answer.get_json())["errors"]] == [what]

    gateway(story)


def test_an_item_says_where_it_is_why_and_for_how_long(gateway):
    async def story(site: Site) -> None:
        uid = await site.save(url="https://example.com/a")
        site.clock.pass_seconds(90)
        item = await (await site.api("GET", f"{ITEMS}/{uid}")).get_json()
        assert (item["state"], item["stage"], item["age_seconds"]) == ("ready", {"code": 110, "name": "queued"}, 90.0)
        await site.bury(uid, code="dead_link", hint="Nobody has a copy.", detail="404")
        item = await (await site.api("GET", f"{ITEMS}/{uid.lower()}")).get_json()
        assert item["state"] == "dead"
        assert item["reason"] == {
            "code": "dead_link", "hint": "Nobody has a copy.", "detail": "404", "error_id": None
        }  # fmt: skip

    gateway(story)


def test_a_finished_item_shows_its_document_and_its_provenance_but_never_its_number(gateway):
    async def story(site: Site) -> None:
        uid = await site.done(author="A. Writer", site="Example")
        data = await (await site.api("GET", f"{ITEMS}/{uid}")).get_json()
        assert (data["document"]["author"], data["document"]["site"]) == ("A. Writer", "Example")
        assert (data["provenance"]["provider"], data["provenance"]["status"]) == ("direct", 200)
        assert data["id"] == uid
        assert "item_id" not in str(data)

    gateway(story)


def test_a_page_that_was_found_elsewhere_says_where_how_old_it_is_and_how_like_it_is(gateway):
    async def story(site: Site) -> None:
        uid = await site.save(url="https://example.com/gone")
        fields = {"text": "Some text", "markdown": "Some *text*", "html": "<p>Some text</p>", "title": "A title"}
        await site.keep(uid, Extracted(**fields), provider="wayback", similarity=0.92)
        found = (await (await site.api("GET", f"{ITEMS}/{uid}")).get_json())["provenance"]
        assert (found["provider"], found["similarity"]) == ("wayback", 0.92)
        assert found["captured_at"] == "1970-01-01T00:00:00.001Z"
        page = await site.text(f"/items/{uid}")
        said = "Recovered from the Wayback Machine, captured 1 January 1970, 92 % like what was saved."
        assert said in page
        own = await site.done("https://example.com/own")
        assert "Recovered" not in await site.text(f"/items/{own}")
        assert (await (await site.api("GET", f"{ITEMS}/{own}")).get_json())["provenance"]["similarity"] is None

    gateway(story)


def test_an_item_that_never_was_is_404_whatever_its_name_looks_like(gateway):
    async def story(site: Site) -> None:
        for name in ("0" * 26, "nonsense", "1", "%00", "..", "'"):
            answer = await site.api("GET", f"{ITEMS}/{name}")
            assert answer.status_code == 404, name

    gateway(story)


def test_a_deleted_item_is_gone_until_it_is_saved_again(gateway):
    async def story(site: Site) -> None:
        uid = await site.save(url="https://example.com/a")
        assert (await site.api("DELETE", f"{ITEMS}/{uid}")).status_code == 204
        assert (await site.api("GET", f"{ITEMS}/{uid}")).status_code == 404
        assert (await site.api("DELETE", f"{ITEMS}/{uid}")).status_code == 404
        assert await site.save(url="https://example.com/a") == uid

    gateway(story)


def test_flags_change_one_at_a_time(gateway):
    async def story(site: Site) -> None:
        uid = await site.save(url="https://example.com/a")
        await site.api("PATCH", f"{ITEMS}/{uid}", json={"starred": True})
        item = await (await site.api("PATCH", f"{ITEMS}/{uid}", json={"read": True})).get_json()
        assert item["starred_at"] is not None
        assert item["read_at"] is not None
        assert item["archived_at"] is None
        item = await (await site.api("PATCH", f"{ITEMS}/{uid}", json={"starred": False})).get_json()
        assert item["starred_at"] is None
        assert (await site.api("PATCH", f"{ITEMS}/{uid}", json={"starred": "yes"})).status_code == 422

    gateway(story)


def test_the_timeline_lists_every_step_by_number_and_name(gateway):
    async def story(site: Site) -> None:
        uid = await site.done()
        events = (await (await site.api("GET", f"{ITEMS}/{uid}/events")).get_json())["events"]
        assert events[0]["code"] == 100
        assert events[0]["name"] == "received"
        assert events[-1]["code"] == 590

    gateway(story)


def test_the_timeline_says_in_words_who_was_asked(gateway):
    async def story(site: Site) -> None:
        uid = await site.save(url="https://example.com/gone")
        asked = ("direct", "browser", "wayback")
        steps = tuple(StepEntry(code=140, at=number, method=name) for number, name in enumerate(asked))
        claim, reason = await site.claim(uid), Reason(code="http_status")
        await site.store.queue.finish(claim, Bury(reason=reason), steps=steps, following=None, boot=BOOT)
        page = await site.text(f"/items/{uid}/timeline")
        for said in ("the site itself", "the site itself, asked as a browser would", "the Wayback Machine"):
            assert f"<span>{said}</span>" in page
        events = (await (await site.api("GET", f"{ITEMS}/{uid}/events")).get_json())["events"]
        assert [event["method"] for event in events if event["code"] == 140] == list(asked)

    gateway(story)


def test_a_long_poll_answers_when_the_item_has_left_flight(gateway):
    async def story(site: Site) -> None:
        uid = await site.save(url="https://example.com/a")
        waiting = asyncio.create_task(site.api("GET", f"{ITEMS}/{uid}?wait=30"))
        await site.bury(uid, code="dead_link")
        assert site.deps.news is not None
        while not waiting.done():
            site.deps.news.ring()
            await asyncio.sleep(0)
        assert (await (await waiting).get_json())["state"] == "dead"

    gateway(story)


def test_a_long_poll_answers_at_once_when_the_role_is_stopping(gateway):
    async def story(site: Site) -> None:
        uid = await site.save(url="https://example.com/a")
        assert site.deps.news is not None
        site.deps.news.close()
        async with asyncio.timeout(5):
            answer = await site.api("GET", f"{ITEMS}/{uid}?wait=30")
        assert (await answer.get_json())["state"] == "ready"
        assert (await site.api("GET", f"{ITEMS}/{uid}?wait=31")).status_code == 422

    gateway(story)


def test_the_article_comes_as_text_markdown_and_html_each_with_its_type(gateway):
    async def story(site: Site) -> None:
        uid = await site.done(text="Größe", markdown="*Größe*", html="<p onclick='x()'>Größe<script>1</script></p>")
        path = f"{ITEMS}/{uid}/content?format="
        plain = await site.api("GET", path + "txt")
        assert plain.content_type == "text/plain; charset=utf-8"
        assert (await plain.get_data()).decode() == "Größe"
        markdown = await site.api("GET", path + "md")
        assert markdown.content_type == "text/markdown; charset=utf-8"
        page = await site.api("GET", path + "html")
        assert page.content_type == "text/html; charset=utf-8"
        body = (await page.get_data()).decode()
        assert "Größe" in body
        assert "onclick" not in body
        assert "<script" not in body
        assert (await site.api("GET", path + "docx")).status_code == 422

    gateway(story)


@pytest.mark.parametrize("path", [ITEMS + "/{}/content?format=original", "/items/{}/original"])
def test_a_stored_page_is_sandboxed_and_downloaded_never_opened_as_ours(gateway, path):
    async def story(site: Site) -> None:
        uid = await site.save(url="https://example.com/a")
        document = Extracted(text="x", markdown="x", html="<p>x</p>")
        await site.keep(uid, document, b"<script>alert(1)</script>", charset="windows-1251")
        answer = await site.api("GET", path.format(uid))
        assert await answer.get_data() == b"<script>alert(1)</script>"
        assert answer.content_type == "text/html; charset=windows-1251"
        assert answer.headers["Content-Disposition"] == f'attachment; filename="atlas-{uid}.html"'
        assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"

    gateway(story)


@pytest.mark.parametrize(
    ("media_type", "charset", "shown_as", "is_attachment"),
    [
        ("image/png", None, "image/png", False),
        ("image/svg+xml", None, "image/svg+xml", True),
        ("text/html\r\nX-Evil: 1", None, "application/octet-stream", True),
        ("text/plain", "utf-8\r\nX-Evil: 1", "text/plain", True),
        ("", None, "application/octet-stream", True),
    ],
)
def test_a_stored_type_from_outside_cannot_add_headers_or_run_as_ours(
    gateway, media_type, charset, shown_as, is_attachment
):
    async def story(site: Site) -> None:
        uid = await site.save(url="https://example.com/a")
        document = Extracted(text="x", markdown="x", html="<p>x</p>")
        await site.keep(uid, document, b"x", media_type=media_type, charset=charset)
        answer = await site.api("GET", f"{ITEMS}/{uid}/content?format=original")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == shown_as
        assert "X-Evil" not in answer.headers
        assert ("Content-Disposition" in answer.headers) == is_attachment

    gateway(story)


def test_search_answers_with_hits_whose_snippet_is_escaped_and_marked(gateway):
    async def story(site: Site) -> None:
        uid = await site.done(text="The <b>quick</b> fox & friends", title="Foxes")
        found = await (await site.api("GET", "/api/v1/search?q=fox")).get_json()
        assert found["total"] == 1
        hit = found["hits"][0]
        assert hit["item"]["id"] == uid
        assert "<mark>fox</mark>" in hit["snippet_html"]
        assert "<b>" not in hit["snippet_html"]
        for odd in ('"', "a AND", "NEAR(", "*", "title:", "🙃", "'; DROP TABLE items"):
            answer = await site.api("GET", "/api/v1/search", query_string={"q": odd})
            assert answer.status_code in (200, 422), odd

    gateway(story)


def test_a_feed_is_added_once_and_its_first_poll_is_announced(gateway):
    async def story(site: Site) -> None:
        added = await site.api("POST", "/api/v1/feeds", json={"url": "https://example.com/feed.xml"})
        assert added.status_code == 201
        assert site.rings
        await site.api("POST", "/api/v1/feeds", json={"url": "https://example.com/feed.xml"})
        feeds = (await (await site.api("GET", "/api/v1/feeds")).get_json())["feeds"]
        assert [feed["url"] for feed in feeds] == ["https://example.com/feed.xml"]
        wrong = await site.api("POST", "/api/v1/feeds", json={"url": "ftp://x", "interval_seconds": 1})
        assert {each["where"] for each in (await wrong.get_json())["errors"]} == {"url", "interval_seconds"}

    gateway(story)
