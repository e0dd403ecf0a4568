"""The pages: what a person sees, and that nothing kept from outside ever becomes markup of ours."""

from __future__ import annotations

import re

from pipeline.store.status import ActorReport, RoleReport
from tests.gateway.site import Site

EVIL = "<img src=x onerror=alert(1)>\"'><script>alert(1)</script>{{7*7}}"


def test_an_empty_library_says_how_to_begin(gateway):
    async def story(site: Site) -> None:
        page = await site.text("/")
        assert "Your library is empty" in page
        assert 'href="/add"' in page

    gateway(story)


def test_the_library_shows_what_is_readable_what_is_in_flight_and_why_something_failed(gateway):
    async def story(site: Site) -> None:
        await site.done("https://example.com/a", title="A readable page", site="Example")
        await site.save(url="https://example.com/b")
        dead = await site.save(url="https://example.com/c")
        await site.bury(dead, code="dead_link", hint="Nobody has a copy.", detail="404")
        page = await site.text("/")
        assert "A readable page" in page
        assert "Queued" in page
        assert "Dead link" in page
        assert "Nobody has a copy." in page
        assert "A readable page" not in await site.text("/?state=dead")
        view = re.search(r'href="([^"]+)">In progress<', page)
        assert view is not None
        under_way = await site.text(view[1].replace("&amp;", "&"))
        assert under_way.count('<li class="entry') == 1
        assert "example.com/b" in under_way
        assert f'href="{view[1]}" aria-current="page"' in under_way

    gateway(story)


def test_the_library_is_paged_and_keeps_its_filter(gateway):
    async def story(site: Site) -> None:
        for n in range(35):
            await site.save(url=f"https://example.com/{n}", tags=["many & more"])
        page = await site.text("/?tag=many+%26+more")
        older = re.search(r'href="([^"]+)" rel="next"', page)
        assert older is not None
        second = await site.text(older[1].replace("&amp;", "&"))
        assert second.count('<li class="entry') == 5
        assert "First page" in second

    gateway(story)


def test_what_a_page_claims_about_itself_is_text_everywhere(gateway):
    async def story(site: Site) -> None:
        uid = await site.done(
            title=EVIL,
            author=EVIL,
            site=EVIL,
            published=EVIL,
            language="en\"'><b>",
            text=EVIL + " needle",
            html="<p>x</p>",
        )
        await site.save(url="https://example.com/a", tags=["<b>tag</b>"])
        paths = ("/", f"/items/{uid}", f"/items/{uid}/timeline", f"/items/{uid}/delete", "/?q=needle", f"/?q={EVIL}")
        for path in paths:
            page = await site.text(path)
            assert "<script" not in page, path
            assert "<img" not in page, path
            assert "<b>tag" not in page, path
            assert "{{7*7}}" in page or "49" not in page, path

    gateway(story)


def test_an_article_is_sanitised_again_when_it_is_read(gateway):
    async def story(site: Site) -> None:
        html = (
            '<p onclick="x()">Hello <a href="javascript:alert(1)">you</a></p><script>alert(1)</script>'
            '<svg><style><img src=x onerror=alert(1)></style></svg><iframe srcdoc="<script>1</script>"></iframe>'
            '<form action="/items/x/delete"><button>Click</button></form><style>body{display:none}</style>'
        )
        uid = await site.done(html=html)
        article = (await site.text(f"/items/{uid}")).partition('<article class="prose"')[2].partition("</article>")[0]
        assert "Hello" in article
        for bad in ("onclick", "javascript:", "<script", "onerror", "<iframe", "<form", "<style", "<svg"):
            assert bad not in article

    gateway(story)


def test_a_picture_is_a_link_with_its_words_so_that_reading_loads_nothing_from_other_hosts(gateway):
    async def story(site: Site) -> None:
        html = '<p><img src="https://cdn.example.net/a.png" alt="A &quot;blue&quot; boat"></p>'
        html += '<a href="https://example.com/"><img src="https://cdn.example.net/b.png" alt="Home"></a>'
        uid = await site.done(html=html)
        page = await site.text(f"/items/{uid}")
        assert "<img" not in page
        assert '<a class="picture" href="https://cdn.example.net/a.png"' in page
        assert "A &#34;blue&#34; boat" in page
        assert '<span class="picture">Home</span>' in page

    gateway(story)


def test_an_article_is_set_in_its_own_language_and_direction(gateway):
    async def story(site: Site) -> None:
        uid = await site.done(html="<p>Some text</p>")
        page = await site.text(f"/items/{uid}")
        assert '<article class="prose" lang="en" dir="ltr">' in page  # as enrichment found it

    gateway(story)


def test_a_flag_is_a_form_that_comes_back_to_the_reader(gateway):
    async def story(site: Site) -> None:
        uid = await site.done()
        answer = await site.browse("POST", f"/items/{uid}/flags", form={"flag": "starred", "value": "on"})
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/items/{uid}")
        assert "Unstar" in await site.text(f"/items/{uid}")
        await site.browse("POST", f"/items/{uid}/flags", form={"flag": "starred", "value": "off"})
        assert (await site.store.items.get(uid)).starred_at is None
        odd = await site.browse("POST", f"/items/{uid}/flags", form={"flag": "deleted_at", "value": "on"})
        assert odd.status_code == 422

    gateway(story)


def test_a_form_of_another_kind_or_with_too_much_in_it_is_refused(gateway):
    async def story(site: Site) -> None:
        async def status(data: bytes, content_type: str = "application/x-www-form-urlencoded") -> int:
            return (await site.browse("POST", "/add", data=data, headers={"Content-Type": content_type})).status_code

        assert await status(b"urls=" + b"&a=" * 60) == 413
        assert await status(b"urls=\xff") == 400
        assert await status(b'{"urls": "x"}', "application/json") == 415
        assert await status(b"--x\r\n", "multipart/form-data; boundary=x") == 415

    gateway(story)


def test_deleting_asks_first(gateway):
    async def story(site: Site) -> None:
        uid = await site.done()
        assert "Delete this item?" in await site.text(f"/items/{uid}/delete")
        assert (await site.browse("GET", f"/items/{uid}")).status_code == 200
        answer = await site.browse("POST", f"/items/{uid}/delete")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/")
        assert (await site.browse("GET", f"/items/{uid}")).status_code == 404

    gateway(story)


def test_a_failed_item_can_be_tried_again(gateway):
    async def story(site: Site) -> None:
        uid = await site.save(url="https://example.com/a")
        await site.bury(uid, code="dead_link")
        assert "Try again" in await site.text(f"/items/{uid}")
        site.rings.clear()
        await site.browse("POST", f"/items/{uid}/retry")
        assert (await site.store.items.get(uid)).state == "ready"
        assert site.rings

    gateway(story)


def test_adding_several_addresses_saves_the_good_ones_and_keeps_the_bad_ones_in_the_form(gateway):
    async def story(site: Site) -> None:
        form = {"urls": "https://example.com/1\n\nmailto:a@b.c\nexample.com/2", "title": "", "text": "", "tags": "A, b"}
        answer = await site.browse("POST", "/add", form=form)
        page = (await answer.get_data()).decode()
        assert answer.status_code == 200
        assert page.count("Saved") == 2
        assert re.search(r'<textarea id="urls"[^>]*>mailto:a@b\.c</textarea>', page)
        listed = await (await site.api("GET", "/api/v1/items")).get_json()
        assert {item["url"] for item in listed["items"]} == {"https://example.com/1", "example.com/2"}
        assert all(item["tags"] == ["a", "b"] for item in listed["items"])
        assert len(site.rings) == 1

    gateway(story)


def test_adding_nothing_says_what_is_missing(gateway):
    async def story(site: Site) -> None:
        answer = await site.browse("POST", "/add", form={"urls": " ", "title": "", "text": "", "tags": ""})
        assert answer.status_code == 422
        assert "give a url" in (await answer.get_data()).decode()

    gateway(story)


def test_a_note_is_saved_with_its_title(gateway):
    async def story(site: Site) -> None:
        await site.browse("POST", "/add", form={"urls": "", "title": "Garden", "text": "Plant trees", "tags": ""})
        assert "Garden" in await site.text("/")

    gateway(story)


def test_a_shared_address_fills_the_form_and_saves_nothing_by_itself(gateway):
    async def story(site: Site) -> None:
        page = await site.text("/add?url=https://example.com/%3Cb%3E&title=T")
        assert "https://example.com/&lt;b&gt;" in page
        assert not (await (await site.api("GET", "/api/v1/items")).get_json())["items"]

    gateway(story)


def test_the_pipeline_page_shows_where_items_stand_and_how_the_actors_are(gateway):
    async def story(site: Site) -> None:
        await site.save(url="https://example.com/1")
        page = await site.text("/pipeline")
        assert "Worker is not running" in page
        actor = ActorReport(name="acquire", state="restarting", restarts=3, slots=8, last_error="<b>OSError</b>")
        now = site.clock.wall_ms()
        await site.store.status.report(
            RoleReport(role="worker", boot="b", pid=1, started_at=now, seen_at=now, actors=(actor,))
        )
        page = await site.text("/pipeline")
        assert "Worker running" in page
        assert "1 ready" in page
        assert "restarting" in page
        assert "&lt;b&gt;OSError" in page

    gateway(story)


def test_following_a_feed_shows_it_and_a_wrong_address_says_why(gateway):
    async def story(site: Site) -> None:
        await site.browse("POST", "/feeds", form={"url": "https://example.com/feed.xml"})
        assert "https://example.com/feed.xml" in await site.text("/feeds")
        wrong = await site.browse("POST", "/feeds", form={"url": "mailto:a@b.c"})
        assert wrong.status_code == 422
        assert "only http and https" in (await wrong.get_data()).decode()

    gateway(story)


def test_a_page_that_is_not_there_is_a_page_that_says_so(gateway):
    async def story(site: Site) -> None:
        answer = await site.browse("GET", "/nothing")
        assert answer.status_code == 404
        assert answer.content_type.startswith("text/html")
        assert "Back to the library" in (await answer.get_data()).decode()

    gateway(story)


def test_reading_scope_sees_no_button_that_it_may_not_press(gateway):
    async def story(site: Site) -> None:
        uid = await site.done()
        page = (await (await site.api("GET", f"/items/{uid}", scope="read")).get_data()).decode()
        assert "<form" not in page
        assert "/delete" not in page

    gateway(story)
