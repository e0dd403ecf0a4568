"""What a body is taken for, where a tiny page sends its reader, and that hostile bytes cost nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from stages.text.glance import MARKERS_MAX, SAMPLE_CHARS, Glance
from stages.text.judge import judge
from stages.text.missing import says_not_found
from stages.text.refresh import refresh_target
from stages.text.sniff import effective_type

BASE = "https://site.test/a/b"


@pytest.mark.parametrize(
    ("declared", "content", "expected"),
    [
        ("text/html", b"anything", "text/html"),
        ("application/xhtml+xml", b'<?xml version="1.0"?><html xmlns="x">', "application/xhtml+xml"),
        ("text/html", b"\x00\x01\x02\x03", "application/octet-stream"),
        ("text/plain", b"\xef\xbb\xbf\n <!DOCTYPE HTML>", "text/html"),
        ("text/plain", b"<p> is how a paragraph begins in HTML", "text/plain"),
        ("text/plain", "\ufeffwide".encode("utf-16"), "text/plain"),
        ("text/plain", b"\x00\x00\x00", "application/octet-stream"),
        ("text/x-markdown", b"# Title", "text/x-markdown"),
        ("", b"<p>a fragment", "text/html"),
        ("", b"<!-- a comment --><?xml version='1.0'?>" + b" " * 50 + b"<html>", "text/html"),
        ("", b"words", "text/plain"),
        ("application/xml", b'<?xml version="1.0"?><html xmlns="x">', "text/html"),
        ("text/xml", b"<feed xmlns='http://www.w3.org/2005/Atom'>", "application/rss+xml"),
        ("text/html", b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        ("", b"\x00\x00\x00\x1cftypavif", "image/avif"),
        ("application/json", b'{"html": "<html>"}', "application/json"),
    ],
)
def test_a_body_is_what_it_begins_like(declared: str, content: bytes, expected: str) -> None:
    assert effective_type(declared, content) == expected


@pytest.mark.parametrize(
    ("tag", "target"),
    [
        ('<meta http-equiv="refresh" content="0; url=/c">', "https://site.test/c"),
        ("<META CONTENT='1;URL=\"c\"' HTTP-EQUIV=Refresh>", "https://site.test/a/c"),
        ('<meta http-equiv=refresh content="0.5, url = //other.test/?a=1&amp;b=2">', "https://other.test/?a=1&b=2"),
        ('<meta http-equiv="refresh" content="0; url=file:///etc/passwd">', "file:///etc/passwd"),
        ('<meta http-equiv="refresh" content="30; url=/c">', None),
        ('<meta http-equiv="refresh" content="0">', None),
        ('<meta name="refresh" content="0; url=/c">', None),
        ('<meta http-equiv="refresh" content="0; url=http://[">', None),
        ("", None),
    ],
)
def test_a_meta_refresh_is_read(tag: str, target: str | None) -> None:
    assert refresh_target(f"<html><head>{tag}</head></html>".encode(), BASE) == target


def test_a_real_page_is_never_taken_for_a_redirect() -> None:
    tag = b'<meta http-equiv="refresh" content="0; url=/c">'
    assert refresh_target(tag + b"x" * 5000, BASE) is None


HOSTILE = [
    "<",
    "<meta ",
    "<!--",
    "<?xml ",
    " ",
    "\t\n",
    "content=",
    "http-equiv=",
    "0;url=",
    "404 - ",
    "|",
    "\u2014 ",
    "...",
    "a' \"",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_text_costs_no_time(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    glance = Glance(
        title=text[:5000], headings=(text[:5000],) * 20, text_chars=900, sample=text[:SAMPLE_CHARS], paragraphs=0,
        links=0, link_chars=0, cut=None, scripts=1, forms_password=1, meta_refresh=None, canonical=None,
        markers=(text[:200],) * MARKERS_MAX,
    )  # fmt: skip
    _within_50_ms(lambda: effective_type("", text.encode()))
    _within_50_ms(lambda: refresh_target(text.encode(), BASE))
    _within_50_ms(lambda: refresh_target(text[:4000].encode(), BASE))
    _within_50_ms(lambda: says_not_found(text))
    _within_50_ms(lambda: judge(glance))


def _within_50_ms(call: Callable[[], object]) -> None:
    started = time.thread_time()
    call()
    assert time.thread_time() - started < 0.05
