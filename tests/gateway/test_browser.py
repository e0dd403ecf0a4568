"""In a real browser: what a person does works, and nothing that was kept runs or calls home."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gateway.chromium import chromium, program
from tests.gateway.served import served
from tests.gateway.site import Site

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(program() is None, reason="neither chromium nor google-chrome is installed"),
]

# Browsers call localhost trustworthy and send Sec-Fetch-Site there; to a home network's http they send Origin alone.
HOSTS = ("localhost", "atlas.test")
RUNS = "<script>alert('ran')</script>"
HOSTILE = (
    RUNS,
    "<img src=x onerror=alert('ran')>",
    "<svg onload=alert('ran')>",
    "<svg><script>alert('ran')</script></svg>",
    "<iframe srcdoc=\"<script>alert('ran')</script>\"></iframe>",
    "<a href=\"javascript:alert('ran')\" autofocus>x</a>",
    "<details open ontoggle=alert('ran')>x</details>",
    "<style>@import 'http://thief.test/a.css';</style>",
    '<img src="http://thief.test/pixel.png" alt="x">',
    '<p style="background:url(http://thief.test/b.png)">x</p>',
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'></mtext>",
    '<meta http-equiv="refresh" content="0;url=http://thief.test/">',
    "<base href='http://thief.test/'>",
    "<noscript><p title=\"</noscript><img src=x onerror=alert('ran')>\">",
    "<video src=http://thief.test/v autoplay>",
    '<link rel="preload" href="http://thief.test/l" as="image">',
    "<object data=http://thief.test/o></object>",
)


@pytest.mark.parametrize("host", HOSTS)
def test_a_person_signs_in_by_link_stars_an_article_and_signs_out(gateway, tmp_path: Path, host: str) -> None:
    async def story(site: Site) -> None:
        uid = await site.done()
        secret = await site.store.tokens.sign_in_link()
        async with (
            served(site) as port,
            chromium(tmp_path / "profile", f"--host-resolver-rules=MAP {host} 127.0.0.1") as tab,
        ):
            base = f"http://{host}:{port}"
            await tab.open(f"{base}/sign-in/{secret}")
            await tab.click("button.primary")
            assert await tab.run("location.pathname") == "/"
            await tab.open(f"{base}/items/{uid}")
            await tab.click("form:nth-of-type(2) button.tool")
            assert (await site.store.items.get(uid)).starred_at is not None
            await tab.click(".sign-out button")
            assert await tab.run("location.pathname") == "/sign-in"

    gateway(story, allowed_hosts=HOSTS)


def test_nothing_that_was_kept_runs_or_loads_from_elsewhere(gateway, tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        uids = [
            await site.done(
                f"https://example.com/{n}", title=bad, author=bad, site=bad, text=bad, html=f"<p>{bad}</p>{bad}"
            )
            for n, bad in enumerate(HOSTILE)
        ]
        secret = await site.store.tokens.sign_in_link()
        rules = "--host-resolver-rules=MAP thief.test 127.0.0.1"
        async with served(site) as port, chromium(tmp_path / "profile", rules) as tab:
            base = f"http://localhost:{port}"
            await tab.open(f"{base}/sign-in/{secret}")
            await tab.click("button.primary")
            for path in (
                "/",
                "/?q=ran",
                *(f"/items/{uid}" for uid in uids),
                *(f"/items/{uid}/timeline" for uid in uids),
            ):
                await tab.open(base + path)
                assert await tab.run("location.pathname + location.search") == path
            assert not tab.dialogs
            assert not [url for url in tab.urls if not url.startswith(base)]

    gateway(story)


def test_a_person_ticks_a_failure_and_tries_it_again_then_all_the_others(gateway, tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        uids = []
        for n in range(3):
            uids.append(await site.save(url=f"https://example.com/{n}"))
            await site.bury(uids[n], code="timeout", detail="no answer in 20 s")
        secret = await site.store.tokens.sign_in_link()
        async with served(site) as port, chromium(tmp_path / "profile") as tab:
            await tab.open(f"http://localhost:{port}/sign-in/{secret}")
            await tab.click("button.primary")
            await tab.click('nav a[href="/failed"]')
            await tab.run(f"document.getElementById('at-{uids[0]}').click()")
            await tab.click(".deeds button.primary")
            assert await tab.run("document.querySelector('.notice').textContent") == "1 is tried again now."
            assert [(await site.store.items.get(uid)).state.value for uid in uids] == ["ready", "dead", "dead"]
            await tab.click(".deeds a.button")
            assert await tab.run("document.querySelector('h1').textContent") == "Try 2 again?"
            await tab.click(".choice button.primary")
            assert await tab.run("document.querySelector('.notice').textContent") == "2 are tried again now."
            assert {(await site.store.items.get(uid)).state.value for uid in uids} == {"ready"}

    gateway(story)
