"""Feeds of all formats, and those that are made to hurt."""

from __future__ import annotations

import json
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ParseError, Unsupported
from stages.feeds.entries import ENTRIES_MAX, ParsedFeed
from stages.feeds.parse import parse_feed

RSS = """<?xml version="1.0"?><rss version="2.0"><channel><title>News &amp; <![CDATA[<b>more</b>]]></title>
<link>/home</link><item><guid isPermaLink="false">id-1</guid><link>/one?a=1&amp;b=2</link><title>First</title>
<pubDate>Mon, 06 May 2024 07:08:09 +0200</pubDate>
<description>&lt;p&gt;About &lt;script&gt;x&lt;/script&gt;it&lt;/p&gt;</description>
</item><item><title>No address</title></item></channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xml:base="http://b.test/">
<title type="html">&lt;i&gt;Atom&lt;/i&gt;</title>
<entry><id>urn:1</id><link rel="alternate" href="x/y"/>
<title>One</title><updated>2024-05-06T07:08:09Z</updated></entry></feed>"""
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">
<channel><title>RDF</title><link>http://a.test/</link></channel><item rdf:about="http://a.test/1"><title>One</title>
<link>http://a.test/1</link></item></rdf:RDF>"""


def read(text: str | bytes, charset: str | None = None) -> ParsedFeed:
    return parse_feed(text if isinstance(text, bytes) else text.encode(), url="http://a.test/feed.xml", charset=charset)


def test_rss_is_read_with_absolute_addresses_and_plain_text() -> None:
    feed = read(RSS)
    assert feed.title == "News & more"
    assert feed.site == "http://a.test/home"
    assert feed.skipped == 1
    (entry,) = feed.entries
    assert (entry.entry_key, entry.url, entry.title) == ("id-1", "http://a.test/one?a=1&b=2", "First")
    assert entry.published == "2024-05-06T05:08:09Z"
    assert entry.summary == "About it"


def test_an_id_that_is_an_address_is_the_link_of_an_entry_without_one_and_other_ids_are_not() -> None:
    feed = read("<rss><channel><item><guid>http://a.test/x</guid></item><item><guid>7</guid></item></channel></rss>")
    assert [entry.url for entry in feed.entries] == ["http://a.test/x"]


def test_atom_and_rdf_are_read() -> None:
    atom, rdf = read(ATOM), read(RDF)
    assert (atom.title, atom.entries[0].url, atom.entries[0].entry_key) == ("Atom", "http://b.test/x/y", "urn:1")
    assert (rdf.title, rdf.entries[0].url) == ("RDF", "http://a.test/1")


def test_json_feed_is_read() -> None:
    data = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "J",
        "items": [{"id": 7, "url": "/a", "title": "A"}, {"id": 8}],
    }
    feed = read(json.dumps(data))
    assert [(entry.entry_key, entry.url) for entry in feed.entries] == [("7", "http://a.test/a")]
    assert feed.skipped == 1


def test_a_malformed_feed_gives_what_can_be_read() -> None:
    feed = read(RSS.replace("</title>\n<link>", "</title>&nbsp;&bad <unclosed>\n<link>"))
    assert feed.entries[0].url == "http://a.test/one?a=1&b=2"


def test_a_feed_in_another_charset_is_read() -> None:
    text = RSS.replace("First", "Первый").replace('version="1.0"', 'version="1.0" encoding="windows-1251"')
    assert read(text.encode("cp1251")).entries[0].title == "Первый"


def test_a_page_is_no_feed() -> None:
    for text in ("<html><body>Hello</body></html>", "", "{}", "[", '{"version": 1', "plain"):
        with pytest.raises(Unsupported):
            read(text)


LAUGHS = '<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><rss><channel><title>&b;</title></channel></rss>'
HOSTILE = [
    LAUGHS,
    f"<?xml version='1.0'?>\n<!-- <rss> -->{LAUGHS}",
    '<!DOCTYPE r [<!ENTITY % p SYSTEM "http://127.0.0.1/x.dtd"> %p;]><rss/>',
    '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><rss><channel><title>&x;</title></channel></rss>',
    LAUGHS.encode("utf-16"),
]


@pytest.mark.parametrize("text", HOSTILE)
def test_entity_declarations_are_refused(text: str | bytes) -> None:
    with pytest.raises(ParseError, match="entities"):
        read(text)


def test_the_word_entity_in_an_article_is_no_declaration() -> None:
    assert read(RSS.replace("First", "<![CDATA[<!ENTITY explained]]>")).entries


def test_an_external_document_type_is_dropped_and_never_fetched() -> None:
    declaration = '<!DOCTYPE rss PUBLIC "-//Netscape//DTD RSS 0.91//EN" "http://127.0.0.1:1/rss.dtd">'
    assert read(RSS.replace("<rss", f"{declaration}<rss")).entries


def test_xinclude_reaches_no_file() -> None:
    include = '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>'
    assert "root:" not in str(read(RSS.replace("First", include)))


@pytest.mark.parametrize("piece", ["<a>", "<a><b/>", "<![CDATA[", "<!--", "<"])
def test_two_hundred_thousand_nested_elements_cost_no_time(piece: str) -> None:
    started = time.process_time()
    with suppress(ParseError):
        read("<rss><channel>" + piece * 200_000)
    assert time.process_time() - started < 5


def test_at_most_ten_thousand_entries_are_taken() -> None:
    items = "".join(f"<item><link>http://a.test/{number}</link></item>" for number in range(ENTRIES_MAX + 5))
    feed = read(f"<rss version='2.0'><channel><title>t</title>{items}</channel></rss>")
    assert (len(feed.entries), feed.skipped) == (ENTRIES_MAX, 5)


@given(st.text(alphabet="<>?!-[]&;/ aEDOCTYPNI\"'", max_size=200))
def test_anything_is_a_feed_or_a_parse_error(text: str) -> None:
    with suppress(ParseError):
        read(text)
