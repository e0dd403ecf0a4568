"""Validate: what passes, and each thing that stands in an article's place; once with a real parse process."""

from __future__ import annotations

import pytest

from pipeline.effects import SetVerdict
from pipeline.lifecycle import Verdict
from pipeline.work import Advance, Bury, Outcome
from stages.parse.pool import ParsePool
from stages.settings import ParseSettings
from stages.text.glance import Glance
from stages.text.look import look
from stages.validate import GlancePort, Validate
from tests import corpus
from tests.unit.stages.fake_context import FakeContext, a_capture, a_claim

WORDS = "<p>" + "Words of an article that somebody wrote with care and at some length. " * 30 + "</p>"
FRAME = "<nav>" + "".join(f'<a href="/{n}">Section {n}</a> ' for n in range(150)) + "</nav>"


class Looking:
    """The same look that a parse process takes, in this one."""

    async def glance(self, content: bytes, *, url: str, media_type: str, charset: str | None = None) -> Glance:
        return look(content, url=url, media_type=media_type, charset=charset)


class Never:
    async def glance(self, content: bytes, *, url: str, media_type: str, charset: str | None = None) -> Glance:
        raise AssertionError("a body of this kind must not reach a parser")


async def _validated(
    content: str | bytes, *, media_type: str = "text/html", charset: str | None = None, parse: GlancePort | None = None
) -> tuple[Outcome, FakeContext]:
    ctx = FakeContext()
    body = content.encode() if isinstance(content, str) else content
    capture = a_capture(ctx, body, media_type=media_type, charset=charset)
    stage = Validate(parse or Looking(), slots=2, deadline=30.0)
    return await stage.handle(a_claim(stage=200, capture=capture), ctx), ctx


def _page(title: str = "", heading: str = "", body: str = "", head: str = "") -> str:
    return f"<!DOCTYPE html><html><head><title>{title}</title>{head}</head><body><h1>{heading}</h1>{body}</body></html>"


def _refused(outcome: Outcome, ctx: FakeContext) -> tuple[str, Verdict]:
    assert isinstance(outcome, Bury)
    (verdict,) = outcome.effects
    assert isinstance(verdict, SetVerdict)
    assert ctx.codes == [200, 280]
    assert ctx.steps[-1].error == outcome.reason.code
    assert outcome.reason.hint
    return outcome.reason.code, verdict.verdict


async def test_an_article_passes_with_its_verdict_and_steps() -> None:
    async with ParsePool(ParseSettings(), 1) as pool:
        outcome, ctx = await _validated(_page("A title", "A title", WORDS), parse=pool)
    assert isinstance(outcome, Advance)
    (verdict,) = outcome.effects
    assert isinstance(verdict, SetVerdict)
    assert verdict.verdict == Verdict.FULL
    assert "characters of text" in verdict.evidence
    assert ctx.codes == [200, 210, 230, 240, 250]


async def test_every_real_page_of_the_corpus_passes() -> None:
    refused, count = {}, 0
    for count, page in enumerate(corpus.pages(), start=1):  # noqa: B007 it is counted, too
        outcome, _ = await _validated(page.content)
        if not isinstance(outcome, Advance):
            refused[page.name] = outcome
    assert count == 41
    assert refused == {}


NOT_FOUND = [
    _page("404 Not Found", "Not Found", "<p>The requested URL was not found on this server."),
    _page("Page not found | The Site", "Oops! Page not found", "<p>Try the search."),
    _page("404 \u2013 Seite nicht gefunden", "Seite nicht gefunden"),
    _page("The Site", "Page not found.", "<p>Sorry."),
    _page("Page introuvable - Le Site", "", FRAME[:400]),
    _page("ページが見つかりません", "404"),
    _page("Страница не найдена — Сайт", "Ошибка 404", FRAME),
    _page("Error 404: Page Not Found", "We can\u2019t find that page", FRAME),
]


@pytest.mark.parametrize("content", NOT_FOUND)
async def test_an_error_page_served_as_a_page_is_a_dead_link(content: str) -> None:
    assert _refused(*await _validated(content)) == ("soft_404", Verdict.DEAD_LINK)


@pytest.mark.parametrize(
    "content",
    [
        _page("Page not found: a history of the 404", "Page not found: a history of the 404", WORDS),
        _page("404 Not Found", "How we name things", WORDS),
        _page("Not found", "The missing island", WORDS[:700]),
        _page("404: what the number means", "404: what the number means", WORDS),
        _page("Lost and not found again", "Lost and not found again", WORDS[:700]),
        _page("Scoop | 404 Media", "Scoop", WORDS[:700]),
    ],
)
async def test_an_article_about_pages_not_found_is_an_article(content: str) -> None:
    outcome, _ = await _validated(content)
    assert isinstance(outcome, Advance)


CHALLENGES = {
    "Cloudflare": _page("Just a moment...", "www.site.test", '<div id="challenge-error-text">Enable JavaScript'),
    "Cloudflare block": _page("Attention Required! | Cloudflare", "Sorry, you have been blocked", WORDS[:400]),
    "Akamai": _page("Access Denied", "Access Denied", 'You don\'t have permission to access "http://a/" on this server.'
                    "<p>Reference #18.2d<p>https://errors.edgesuite.net/18.2d"),
    "Akamai bot": _page("", "", '<div id="sec-if-cpt-container"></div><script src="/_sec/cp_challenge/a.js"></script>'),
    "PerimeterX": _page("Access to this page has been denied.", "Before we continue...",
                        '<div id="px-captcha"></div>Press & Hold to confirm you are a human'),
    "DataDome": _page("site.test", "", "<p>Please enable JS and disable any ad blocker</p>"
                      '<script src="https://ct.captcha-delivery.com/c.js"></script>'),
    "Imperva": _page("", "", '<iframe id="main-iframe" src="/_Incapsula_Resource?CWUDNSAI=23&xinfo=1">Request '
                     "unsuccessful. Incapsula incident ID: 1-2</iframe>"),
    "AWS WAF": _page("Human Verification", "", '<script src="https://a.b.token.awswaf.com/challenge.js"></script>'),
    "DDoS-Guard": _page("DDoS-Guard", "Checking your browser before accessing site.test"),
    "Vercel": _page("Vercel Security Checkpoint", "", "We're verifying your browser"),
    "Anubis": _page("Making sure you&#39;re not a bot!", "Making sure you're not a bot!", "<p>Loading..."),
    "Google": _page("Sorry...", "", "Our systems have detected unusual traffic from your computer network."),
    "hCaptcha": _page("One more step", "Please prove that you are human",
                      '<script src="https://js.hcaptcha.com/1/api.js"></script>'),
    "Turnstile": _page("Verification", "Are you a robot?",
                       '<script src="https://challenges.cloudflare.com/turnstile/v0/api.js"></script>'),
}  # fmt: skip


@pytest.mark.parametrize("name", CHALLENGES)
async def test_a_challenge_is_never_taken_for_the_page(name: str) -> None:
    assert _refused(*await _validated(CHALLENGES[name])) == ("challenge", Verdict.BLOCKED)


@pytest.mark.parametrize(
    "content",
    [
        _page("Just a moment...", "Just a moment", WORDS),
        _page("On captchas", "Why every robot hates a captcha",
              WORDS + '<script src="https://www.google.com/recaptcha/api.js"></script>'),
        _page("Hello", "Hello", WORDS[:700] + '<script src="https://www.google.com/recaptcha/api.js"></script>'),
        _page("A", "A", WORDS + '<script src="/cdn-cgi/challenge-platform/scripts/jsd/main.js"></script>'),
    ],
)  # fmt: skip
async def test_a_page_that_only_carries_such_scripts_or_words_is_a_page(content: str) -> None:
    outcome, _ = await _validated(content)
    assert isinstance(outcome, Advance)


async def test_walls_have_codes_of_their_own() -> None:
    consent = _page("Before you continue to Google Search", "", "<p>We use cookies and data to deliver services.")
    login = _page("Log in | The Site", "Log in", '<form><input type="text"><input type="password">Forgot password?')
    sold = _page("A story", "A story", f"<p>{WORDS[:300]}</p><p>Subscribe to continue reading.</p>")
    assert _refused(*await _validated(consent)) == ("consent", Verdict.BLOCKED)
    assert _refused(*await _validated(login)) == ("login", Verdict.BLOCKED)
    assert _refused(*await _validated(sold)) == ("paywall", Verdict.STUB)


async def test_an_article_cut_short_by_a_paywall_is_partial() -> None:
    long = _page("A story", "A story", f"{WORDS}<p>Subscribe to continue reading.</p>")
    outcome, _ = await _validated(long)
    assert isinstance(outcome, Advance)
    (verdict,) = outcome.effects
    assert isinstance(verdict, SetVerdict)
    assert verdict.verdict == Verdict.PARTIAL


@pytest.mark.parametrize("content", [b"", b" \r\n\t ", _page().encode()])
async def test_an_empty_body_is_empty(content: bytes) -> None:
    assert _refused(*await _validated(content)) == ("empty", Verdict.STUB)


async def test_too_little_text_is_a_stub_and_says_when_scripts_make_the_page() -> None:
    app = _page(
        "App", "", '<div id="root"></div>You need to enable JavaScript to run this app.<script src="/a.js"></script>'
    )
    outcome, ctx = await _validated(app)
    assert _refused(outcome, ctx) == ("stub", Verdict.STUB)
    assert isinstance(outcome, Bury)
    assert "scripts" in outcome.reason.hint
    assert _refused(*await _validated(_page("Hi", "Hi", "<p>Coming soon."))) == ("stub", Verdict.STUB)
    assert _refused(*await _validated(_page(head='<script src="/a.js"></script>'))) == ("stub", Verdict.STUB)


async def test_a_short_text_in_chinese_is_no_stub() -> None:
    outcome, _ = await _validated(_page("短文", "短文", "<p>" + "今天天气很好我们去公园散步。" * 6))
    assert isinstance(outcome, Advance)


BINARY = {
    "application/pdf": (b"%PDF-1.7\n...", "PDF"),
    "image/png": (b"\x89PNG\r\n\x1a\n....", "picture"),
    "video/mp4": (b"\x00\x00\x00\x20ftypisom", "video"),
    "audio/mpeg": (b"ID3\x04", "recording"),
    "application/zip": (b"PK\x03\x04", "web pages"),
}


@pytest.mark.parametrize("claimed", [None, "text/html", "text/plain", ""])
@pytest.mark.parametrize("kind", BINARY)
async def test_what_is_no_text_is_unsupported_whatever_it_claims_to_be(kind: str, claimed: str | None) -> None:
    content, word = BINARY[kind]
    outcome, ctx = await _validated(content, media_type=kind if claimed is None else claimed, parse=Never())
    assert _refused(outcome, ctx)[0] == "unsupported_type"
    assert isinstance(outcome, Bury)
    assert word in outcome.reason.hint


@pytest.mark.parametrize("media_type", ["application/json", "text/css", "image/svg+xml", "font/woff2"])
async def test_other_kinds_are_unsupported(media_type: str) -> None:
    outcome, ctx = await _validated(b'{"a": "text"}', media_type=media_type, parse=Never())
    assert _refused(outcome, ctx)[0] == "unsupported_type"


async def test_a_feed_says_where_it_belongs() -> None:
    feed = b'<?xml version="1.0"?><rss version="2.0"><channel><title>x</title></channel></rss>'
    outcome, _ = await _validated(feed, media_type="text/xml", parse=Never())
    assert isinstance(outcome, Bury)
    assert "feed" in outcome.reason.hint


@pytest.mark.parametrize("media_type", ["text/plain", "text/markdown", "", "application/octet-stream"])
async def test_plain_text_passes_even_when_it_is_short(media_type: str) -> None:
    outcome, ctx = await _validated("Buy milk. Page not found.", media_type=media_type)
    assert isinstance(outcome, Advance)
    assert ctx.steps[3].detail in {"text/plain", "text/markdown"}


@pytest.mark.parametrize("media_type", ["text/plain", "", "application/octet-stream", "image/png"])
async def test_a_page_with_the_wrong_label_is_a_page(media_type: str) -> None:
    outcome, ctx = await _validated(_page("A", "A", WORDS), media_type=media_type)
    assert isinstance(outcome, Advance)
    assert ctx.steps[3].detail == "text/html"


async def test_a_page_in_utf16_is_no_binary_file() -> None:
    page = _page("A", "A", WORDS).encode("utf-16")
    outcome, _ = await _validated(page, charset="utf-16")
    assert isinstance(outcome, Advance)
