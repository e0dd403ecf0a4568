"""Other addresses of one page: AMP, mobile hosts, short forms, and the wrappers that links come in."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import BadUrl
from pipeline.text.urls import MAX_LENGTH, canonicalise, complete

VIDEO = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
TWEET = "https://x.com/i/status/1234567890"
THREAD = "https://www.reddit.com/comments/abc123"
ARTICLE = "https://www.example.com/2024/some-long-title"

SAME = [
    (VIDEO, "http://m.youtube.com/watch?app=desktop&v=dQw4w9WgXcQ&t=42s&list=PL1"),
    (VIDEO, "https://youtu.be/dQw4w9WgXcQ?si=abc&t=3"),
    (VIDEO, "youtube.com/shorts/dQw4w9WgXcQ"),
    (VIDEO, "https://www.youtube.com/live/dQw4w9WgXcQ/"),
    (VIDEO, "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ?rel=0"),
    (VIDEO, "https://music.youtube.com/watch?v=dQw4w9WgXcQ"),
    (TWEET, "https://twitter.com/person/status/1234567890?s=20&t=x"),
    (TWEET, "https://mobile.twitter.com/i/web/status/1234567890/photo/1"),
    ("https://x.com/person", "https://www.twitter.com/person?ref_src=twsrc"),
    (THREAD, "https://old.reddit.com/r/books/comments/abc123/a_title/?share_id=1&utm_name=x"),
    (THREAD, "https://np.reddit.com/comments/abc123"),
    (THREAD, "https://redd.it/abc123"),
    ("https://en.wikipedia.org/wiki/Tea", "https://en.m.wikipedia.org/wiki/Tea#History"),
    ("https://www.wikidata.org/wiki/Q1", "https://m.wikidata.org/wiki/Q1"),
    ("https://commons.wikimedia.org/wiki/A", "https://commons.m.wikimedia.org/wiki/A"),
    ("https://www.facebook.com/page", "https://m.facebook.com/page?mibextid=x"),
    ("https://medium.com/@a/title-1a2b", "https://medium.com/@a/title-1a2b?source=rss----1"),
    ("https://a.substack.com/p/title", "https://a.substack.com/p/title?r=1x&utm_campaign=post"),
    ("https://www.nytimes.com/2024/a.html", "https://mobile.nytimes.com/2024/a.html?smid=tw&unlocked_article_code=1"),
    # AMP
    (ARTICLE, ARTICLE + "/amp"),
    (ARTICLE + "/", ARTICLE + "/amp/"),
    (ARTICLE, ARTICLE + "?amp"),
    (ARTICLE, ARTICLE + "?amp=1"),
    (ARTICLE + "?page=2", ARTICLE + "?page=2&outputType=amp"),
    (ARTICLE, ARTICLE + ".amp"),
    (ARTICLE + ".html", ARTICLE + ".amp.html"),
    (ARTICLE, "https://www.example.com/amp/2024/some-long-title"),
    (ARTICLE, "https://amp.example.com/2024/some-long-title"),
    (ARTICLE, "https://www.google.com/amp/s/www.example.com/2024/some-long-title/amp?usqp=mq331"),
    (ARTICLE, "https://www.google.co.uk/amp/s/amp.example.com/2024/some-long-title"),
    (ARTICLE, "https://www-example-com.cdn.ampproject.org/c/s/www.example.com/2024/some-long-title?amp=1"),
    (ARTICLE, "https://cdn.ampproject.org/v/www.example.com/2024/some-long-title"),
    # Wrappers
    (ARTICLE, "https://www.google.com/url?sa=t&url=https%3A%2F%2Fwww.example.com%2F2024%2Fsome-long-title&usg=A"),
    (ARTICLE, "https://l.facebook.com/l.php?u=https%3A%2F%2Fwww.example.com%2F2024%2Fsome-long-title%3Ffbclid%3D1&h=x"),
    (ARTICLE, "https://out.reddit.com/t3_x?url=https%3A%2F%2Fwww.example.com%2F2024%2Fsome-long-title&token=x"),
    ("https://example.com/a", "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fexample.com%2Fa&data=05"),
    (ARTICLE, "https://www.google.com/url?q=https://l.facebook.com/l.php?u=" + ARTICLE),
    ("https://example.com/a?b=c&d=1", "https://duckduckgo.com/l/?uddg=https%3A%2F%2Fexample.com%2Fa%3Fb%3Dc%26d%3D1"),
    (VIDEO, "https://www.google.com/url?q=https%3A%2F%2Fyoutu.be%2FdQw4w9WgXcQ"),
    # What was said before still is so.
    (ARTICLE, ARTICLE + "#:~:text=some%20words"),
    (ARTICLE, "http://WWW.example.com.:80/2024/some-long-title?gad_source=1&at_campaign=x"),
]  # fmt: skip

DIFFERENT = [
    ("https://www.youtube.com/embed/videoseries?list=PL1", "https://www.youtube.com/embed/videoseries?list=PL2"),
    ("https://www.youtube.com/playlist?list=PL1", "https://www.youtube.com/playlist?list=PL2"),
    (VIDEO, "https://www.youtube.com/watch?v=dQw4w9WgXcA"),
    (THREAD, "https://www.reddit.com/r/books/comments/abc123/a_title/def456/"),
    ("https://i.redd.it/abc123", THREAD),
    ("https://arxiv.org/abs/2401.00001", "https://arxiv.org/pdf/2401.00001"),
    ("https://nitter.net/person/status/1234567890", TWEET),
    ("https://t.co/abc", "https://t.co/abd"),
    ("https://shop.example/products/amp", "https://shop.example/products"),
    ("https://shop.example/amp/fender", "https://shop.example/fender"),
    ("https://shop.example/fuses?amp=10", "https://shop.example/fuses"),
    ("https://amp.com.au/a", "https://www.com.au/a"),
    ("https://amp.dev/a", "https://www.dev/a"),
    ("https://amp.example.org/", "https://www.example.org/"),
    ("https://amp.example.org/pricing", "https://www.example.org/pricing"),
    ("https://substack.com/app-link/post?publication_id=1&post_id=2", "https://substack.com/app-link/post?publication_id=1&post_id=3"),
    ("https://example.com/row?pk_id=1", "https://example.com/row?pk_id=2"),
    ("https://en.wikipedia.org/wiki/M", "https://m.wikipedia.org/wiki/M"),
    ("https://example.com/?source=1", "https://example.com/?source=2"),
    ("https://example.com/?s=1&r=2", "https://example.com/"),
    ("https://www.google.com/url?q=notaurl", "https://www.google.com/url?q=other"),
    ("https://www.google.com/search?q=https://example.com/", "https://example.com/"),
    ("https://web.archive.org/web/2020/https://example.com/", "https://example.com/"),
    ("http://www.google.com:8080/url?q=https://example.com/", "https://example.com/"),
    ("https://m.youtube.com:8443/watch?v=dQw4w9WgXcQ", VIDEO),
]  # fmt: skip


@pytest.mark.parametrize(("usual", "alias"), SAME)
def test_an_alias_has_the_key_of_the_usual_address(usual: str, alias: str) -> None:
    assert canonicalise(alias) == usual
    assert canonicalise(usual) == usual
    assert canonicalise(complete(alias)) == usual


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_pages_that_only_look_alike_keep_their_own_keys(one: str, other: str) -> None:
    assert canonicalise(one) != canonicalise(other)


@pytest.mark.parametrize(
    ("url", "fetched"),
    [
        ("https://www.google.com/url?q=https%3A%2F%2Fexample.com%2Fa%3Futm_x%3D1%23b&sa=D", "https://example.com/a?utm_x=1#b"),
        ("https://www.google.com/amp/s/www.example.com/a-b-c/amp?b=1", "https://www.example.com/a-b-c/amp?b=1"),
        ("https://youtu.be/dQw4w9WgXcQ?t=3", "https://youtu.be/dQw4w9WgXcQ?t=3"),
        ("https://old.reddit.com/r/a/comments/1/", "https://old.reddit.com/r/a/comments/1/"),
        ("https://www.google.com/url?q=javascript:alert(1)", "https://www.google.com/url?q=javascript:alert(1)"),
        ("https://www.google.com/url?q=https://", "https://www.google.com/url?q=https://"),
        ("https://www.google.com/url?q=https://u:p@example.com/", "https://example.com/"),
    ],
)  # fmt: skip
def test_what_is_fetched_is_what_a_wrapper_points_at_and_else_the_url_as_given(url: str, fetched: str) -> None:
    assert complete(url) == fetched


HOSTS = """
    www.google.com google.co.uk amp.google.com l.facebook.com m.facebook.com out.reddit.com old.reddit.com redd.it
    a.safelinks.protection.outlook.com youtu.be m.youtube.com www.youtube.com twitter.com en.m.wikipedia.org
    x.cdn.ampproject.org amp.example.com amp.amp.example.com example.com a.substack.com duckduckgo.com
"""
PIECES = """
    / /url /amp /amp/ /l.php /l/ /c/s/ /amp/s/ .amp .amp.html /a-b-c /2024 /watch ?v=dQw4w9WgXcQ ?q= ?url= ?u= & amp
    amp=1 outputType=amp uddg= https:// http%3A%2F%2F https%253A%252F%252F %2e%2e %61mp /comments/abc /r/a /status/1
    www.google.com example.com/x-y-z # #! utm_x=1 : @ % %FF ä
"""


@given(st.sampled_from(HOSTS.split()), st.lists(st.sampled_from(PIECES.split()), max_size=12).map("".join))
def test_whatever_is_put_together_has_a_stable_key_which_is_also_that_of_what_is_fetched(host: str, rest: str) -> None:
    try:
        key = canonicalise(f"https://{host}/{rest.removeprefix('/')}")
    except BadUrl:
        return
    assert canonicalise(key) == key
    assert canonicalise(complete(f"https://{host}/{rest.removeprefix('/')}")) == key


@pytest.mark.parametrize(
    ("before", "piece"),
    [
        ("https://www.google.com/url?q=", "https://www.google.com/url?q="),
        ("https://www.google.com/", "amp/s/www.google.com/"),
        ("https://example.com/a-b-c", "/amp"),
        ("https://example.com/", "-amp"),
        ("https://", "amp."),
        ("https://example.com/?", "amp&"),
        ("https://www.youtube.com/watch?", "v=a&"),
        ("https://out.reddit.com/?", "url=%&"),
    ],
)
def test_a_thousand_layers_are_answered_at_once(before: str, piece: str) -> None:
    url = (before + piece * MAX_LENGTH)[:MAX_LENGTH]
    started = time.process_time()
    for call in (canonicalise, complete):
        try:
            call(url)
        except BadUrl:
            continue
    assert time.process_time() - started < 1
