"""One page, one key: the canonicalisation that every way in goes through."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.errors import BadUrl
from pipeline.text.urls import MAX_LENGTH, canonicalise, complete, host_of, strip_credentials

SAME = [
    ("  https://example.com/x \n", "https://example.com/x"),
    ("example.com/x", "https://example.com/x"),
    ("//example.com/x", "https://example.com/x"),
    ("HTTPS://EXAMPLE.com", "https://example.com/"),
    ("http://example.com/x", "https://example.com/x"),
    ("https://example.com:443/", "https://example.com/"),
    ("http://example.com:80/", "https://example.com/"),
    ("http://example.com:0080/", "https://example.com/"),
    ("https://example.com:/", "https://example.com/"),
    ("http://example.com:443/", "http://example.com:443/"),
    ("http://127.0.0.1:8123/page?x=1", "http://127.0.0.1:8123/page?x=1"),
    ("localhost:8000/x", "https://localhost:8000/x"),
    ("https://example.com./", "https://example.com/"),
    ("https://bücher.example/", "https://xn--bcher-kva.example/"),
    ("https://BÜCHER。example。/", "https://xn--bcher-kva.example/"),
    ("https://b%C3%BCcher.example/", "https://xn--bcher-kva.example/"),
    ("http://[2001:DB8:0::1]:8080/", "http://[2001:db8::1]:8080/"),
    ("http://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/"),
    ("https://example.com/a/./b/../c/..", "https://example.com/a/"),
    ("https://example.com/../../a", "https://example.com/a"),
    ("https://example.com/%2e%2E/a", "https://example.com/a"),
    ("https:\\\\example.com\\a\\b", "https://example.com/a/b"),
    ("https://example.com/%7euser/%c3%a4", "https://example.com/~user/%C3%A4"),
    ("https://example.com/ä b", "https://example.com/%C3%A4%20b"),
    ("https://example.com/a%2fb", "https://example.com/a%2Fb"),
    ("https://example.com/100%", "https://example.com/100%25"),
    ("https://en.example.org/wiki/A_%28b%29", "https://en.example.org/wiki/A_(b)"),
    ("https://example.com/x#section-2", "https://example.com/x"),
    ("https://example.com/#!/page/2", "https://example.com/#!/page/2"),
    ("https://example.com/#!", "https://example.com/"),
    ("https://example.com/x?", "https://example.com/x"),
    ("https://example.com/x?&&", "https://example.com/x"),
    ("https://example.com/x?b=2&a=1", "https://example.com/x?b=2&a=1"),
    ("https://example.com/x?a=1&&b=2", "https://example.com/x?a=1&b=2"),
    ("https://example.com/x?utm_source=a&b=2&UTM_Medium=c&fbclid=d", "https://example.com/x?b=2"),
    ("https://example.com/x?utm%5Fsource=a&mc_eid=1&gclid", "https://example.com/x"),
    ("https://example.com/x?q=utm_source", "https://example.com/x?q=utm_source"),
    ("https://example.com/x?q=a+b%2Bc/d?e", "https://example.com/x?q=a+b%2Bc/d?e"),
    ("https://user:secret@example.com/", "https://example.com/"),
    ("https://a@b@example.com/", "https://example.com/"),
    ("https://www.example.com/", "https://www.example.com/"),
    ("https://my_shop.example.com/", "https://my_shop.example.com/"),
]

REFUSED = [
    "",
    "   ",
    "hello",
    "hello world",
    "two words.example",
    "ftp://example.com/",
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "mailto:a@example.com",
    "person@example.com",
    "https://",
    "https:///",
    "https://?q",
    "https://exa mple.com/",
    "https://a..example.com/",
    "https://.example.com/",
    "https://example.com../",
    "https://" + "a" * 64 + ".com/",
    "https://" + "a." * 130 + "com/",
    "https://example.com:x/",
    "https://example.com:0/",
    "https://example.com:65536/",
    "https://example.com:99999999999/",
    "https://example.com:²/",
    "https://[::1/",
    "https://[::1]x/",
    "https://[nope]/",
    "https://[fe80::1%eth0]/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f.0.0.1/",
    "https://1.2.3.256/",
    "https://exa%00mple.com/",
    "https://exa%2Fmple.com/",
    "https://%FF.com/",
    "https://xn--ü.com/",
    "https://example.com/\x00",
    "https://example.com/a\r\nb",
    "https://example.com/\x7f",
    "https://example.com/\x85x",
    "https://example.com/\ud800",
    "https://example.com/" + "a" * MAX_LENGTH,
    "https://example.com/" + "ä" * (MAX_LENGTH // 4),
]


@pytest.mark.parametrize(("url", "key"), SAME)
def test_a_url_has_this_key_and_the_key_is_its_own(url: str, key: str) -> None:
    assert canonicalise(url) == key
    assert canonicalise(key) == key


@pytest.mark.parametrize("url", REFUSED)
def test_what_is_no_web_address_is_refused_with_a_hint(url: str) -> None:
    with pytest.raises(BadUrl) as caught:
        canonicalise(url)
    assert caught.value.message
    assert caught.value.hint


@given(
    st.one_of(
        st.text(),
        st.text(alphabet="htps:/\\.%2eE?#[]@&=+!aä。\uff19 ").map("https://example.com".__add__),
        st.text(alphabet=":.[]@/-_%aä0123456789。\uff19xX").map("http://".__add__),
        st.builds("http://{}:{}/{}".format, st.text(max_size=8), st.integers(0, 70000), st.text(max_size=20)),
    )
)
@example("https://example.com/%%35%35/%2%2e")
@example("https://example.com/?utm_source&?utm_source#!%")
def test_any_text_gives_a_stable_key_or_bad_url(text: str) -> None:
    try:
        key = canonicalise(text)
    except BadUrl:
        return
    assert canonicalise(key) == key
    assert key.isascii()
    assert key.isprintable()
    assert canonicalise(complete(text)) == key
    assert host_of(key)
    assert not set(host_of(key)) & set("/@#?\\ ")


@given(st.text())
def test_stripping_credentials_never_fails(text: str) -> None:
    assert len(strip_credentials(text)) <= len(text)


@pytest.mark.parametrize(
    ("url", "stripped"),
    [
        ("https://u:p@example.com/a@b", "https://example.com/a@b"),
        ("HTTPS:\\\\u:p@q@example.com", "HTTPS:\\\\example.com"),
        ("http:u:p@example.com/", "http:example.com/"),
        ("https://example.com/@person", "https://example.com/@person"),
        ("mailto:person@example.com", "mailto:person@example.com"),
        ("no address", "no address"),
    ],
)
def test_credentials_are_stripped_and_nothing_else(url: str, stripped: str) -> None:
    assert strip_credentials(url) == stripped


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        (" example.com?b=1#x ", "https://example.com/?b=1#x"),
        ("http://EXAMPLE.com:80/A?utm_source=x", "http://example.com/A?utm_source=x"),
        ("https://u:p@bücher.example/%7e", "https://xn--bcher-kva.example/%7e"),
    ],
)
def test_what_is_fetched_is_the_url_as_given_made_whole(url: str, whole: str) -> None:
    assert complete(url) == whole


@pytest.mark.parametrize(
    ("key", "host"),
    [
        ("https://example.com/a:b@c", "example.com"),
        ("http://127.0.0.1:8000/", "127.0.0.1"),
        ("http://[2001:db8::1]:8000/", "2001:db8::1"),
    ],
)
def test_the_host_of_a_key_has_no_port(key: str, host: str) -> None:
    assert host_of(key) == host


@pytest.mark.parametrize("piece", ["a", "@", "%", "/..", "\\", "h:", " ", "ä", "&utm_", "xn--", ".", "["])
def test_a_megabyte_of_anything_is_answered_at_once(piece: str) -> None:
    hostile = piece * (1_000_000 // len(piece))
    started = time.process_time()
    for url in (hostile, "https://" + hostile, "https://" + hostile[: MAX_LENGTH - 8]):
        strip_credentials(url)
        try:
            canonicalise(url)
        except BadUrl:
            continue
    assert time.process_time() - started < 2
