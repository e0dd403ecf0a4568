"""The failed page: what went wrong in words, found by the language, tried again by hand; and who is left alone."""

from __future__ import annotations

import re

from pipeline.breaker import Breaker, BreakerState
from pipeline.items import Reason
from pipeline.lifecycle import State
from pipeline.work import Bury, Retry
from tests.gateway.site import Site
from tests.gateway.test_pages import EVIL
from tests.store.hands import finish

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def dead(site: Site, url: str, code: str = "timeout", **reason: str) -> str:
    uid = await site.save(url=url)
    await site.bury(uid, code=code, **reason)
    return uid


async def states(site: Site, *uids: str) -> list[State]:
    return [(await site.store.items.get(uid)).state for uid in uids]


async def post(site: Site, body: str) -> str:
    answer = await site.browse("POST", "/failed/retry", headers=FORM, data=body)
    assert answer.status_code == 303
    return str(answer.headers["Location"])


def test_without_failures_the_page_says_so_and_the_navigation_does_not_mention_it(gateway):
    async def story(site: Site) -> None:
        await site.done()
        assert "Nothing has failed" in await site.text("/failed")
        assert 'href="/failed"' not in await site.text("/")

    gateway(story)


def test_failures_are_grouped_in_words_with_counts_and_each_says_why_when_and_how_often(gateway):
    async def story(site: Site) -> None:
        for n in range(2):
            await dead(site, f"https://a.example/{n}", detail="no answer in 20 s", hint="Try again later.")
        internal = Bury(reason=Reason(code="internal", error_id="abc123"))
        uid = await site.save(url="https://b.example/")
        await finish(site.store, await site.claim(uid), internal)
        site.clock.pass_seconds(7200)
        page = await site.text("/failed")
        assert re.search(r"No answer in time <b>2</b>", page)
        assert re.search(r"A fault of Atlas <b>1</b>", page)
        for said in ("no answer in 20 s", "Try again later.", "abc123", "2 hours ago", "a.example"):
            assert said in page
        assert 'Failed <b class="tally">3</b>' in await site.text("/")
        assert 'href="/failed"' in await site.text("/pipeline")

    gateway(story)


def test_the_filter_shows_what_matches_and_a_wrong_one_says_what_it_may_have_meant(gateway):
    async def story(site: Site) -> None:
        await dead(site, "https://a.example/1")
        await dead(site, "https://b.example/1", code="challenge")
        page = await site.text("/failed?where=error:timeout")
        assert "a.example/1" in page
        assert "b.example/1" not in page
        wrong = await site.browse("GET", "/failed?where=eror:timeout")
        assert wrong.status_code == 422
        assert "did you mean error?" in (await wrong.get_data()).decode()

    gateway(story)


def test_what_has_no_reason_because_it_did_not_fail_is_shown_without_one(gateway):
    async def story(site: Site) -> None:
        await site.done()
        text = await site.text("/failed?where=state:done")
        assert 'class="letter"' in text
        assert "No reason given" not in text

    gateway(story)


def test_the_selected_ones_are_tried_again_and_no_others(gateway):
    async def story(site: Site) -> None:
        uids = [await dead(site, f"https://a.example/{n}") for n in range(3)]
        rings = len(site.rings)
        where = await post(site, f"where=error%3Atimeout&id={uids[0]}&id={uids[2]}")
        assert await states(site, *uids) == [State.READY, State.DEAD, State.READY]
        assert len(site.rings) == rings + 1
        page = await site.text(where)
        assert "2 are tried again now" in page
        assert 'value="error:timeout"' in page

    gateway(story)


def test_all_that_match_are_tried_again_only_after_they_were_counted_and_confirmed(gateway):
    async def story(site: Site) -> None:
        uids = [await dead(site, f"https://a.example/{n}") for n in range(35)]
        other = await dead(site, "https://b.example/")
        page = await site.text("/failed?where=site:a.example")
        assert "Try all 35 again" in page
        assert len(re.findall(r'<li class="letter">', page)) == 30
        older = re.search(r'href="([^"]+)" rel="next"', page)
        assert older is not None
        assert len(re.findall(r'<li class="letter">', await site.text(older[1].replace("&amp;", "&")))) == 5
        asked = await site.text("/failed/retry?where=site:a.example")
        assert "Try 35 again?" in asked
        assert await states(site, uids[0]) == [State.DEAD]
        assert "35 are tried again now" in await site.text(await post(site, "where=site%3Aa.example&all=yes"))
        assert set(await states(site, *uids)) == {State.READY}
        assert await states(site, other) == [State.DEAD]

    gateway(story)


def test_a_form_of_another_page_retries_nothing(gateway):
    async def story(site: Site) -> None:
        uid = await dead(site, "https://a.example/")
        foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example", **FORM}
        answer = await site.browse("POST", "/failed/retry", headers=foreign, data="all=yes")
        assert answer.status_code == 403
        assert await states(site, uid) == [State.DEAD]

    gateway(story)


def test_what_a_page_claims_is_text_here_as_well(gateway):
    async def story(site: Site) -> None:
        uid = await site.save(url="https://a.example/", title=EVIL)
        await site.bury(uid, code="timeout", detail=EVIL, hint=EVIL)
        for path in ("/failed", "/failed?where=tag:%3Cscript%3E", "/failed?where=%3Cscript%3E"):
            page = (await (await site.browse("GET", path)).get_data()).decode()
            assert "<script" not in page
            assert "<img" not in page

    gateway(story)


def test_an_item_that_waits_says_why_and_when_it_goes_on_and_not_that_it_has_failed(gateway):
    async def story(site: Site) -> None:
        uid = await site.save(url="https://a.example/")
        waits = Retry(reason=Reason(code="timeout", detail="no answer in 20 s"), after=180.0)
        await finish(site.store, await site.claim(uid), waits)
        for path in (f"/items/{uid}", f"/items/{uid}/timeline"):
            page = await site.text(path)
            assert "Waiting" in page
            assert "in 3 minutes" in page
            assert "no answer in 20 s" in page
            assert "Could not be fetched" not in page
        await site.browse("POST", f"/items/{uid}/retry")
        assert await states(site, uid) == [State.READY]

    gateway(story)


def test_a_kept_page_whose_refresh_failed_is_read_as_before_and_says_so(gateway):
    async def story(site: Site) -> None:
        uid = await site.done()
        await site.store.retries.retry([uid])
        await site.bury(uid, code="timeout", detail="no answer in 20 s")
        page = await site.text(f"/items/{uid}")
        assert "Some text" in page
        assert "making it anew failed" in page
        assert f'action="/items/{uid}/retry"' in page

    gateway(story)


def test_the_pipeline_page_shows_who_is_left_alone_why_and_until_when(gateway):
    async def story(site: Site) -> None:
        assert "Left alone for now" not in await site.text("/pipeline")
        now = site.clock.wall_ms()
        for name in ("host:slow.example:8080", "provider:wayback"):
            breaker = Breaker(
                name=name,
                state=BreakerState.OPEN,
                failures=5,
                opens=1,
                opened_at=now,
                probe_at=now + 300_000,
                reason="timeout",
            )
            await site.store.breakers.save(breaker)
        page = await site.text("/pipeline")
        for said in ("Left alone for now", "slow.example:8080", "Wayback Machine", "No answer in time", "in 5 minutes"):
            assert said in page

    gateway(story)
