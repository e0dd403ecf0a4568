"""What becomes of a page."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.documents import Extracted
from stages.text.article import extract
from stages.text.headline import headline
from stages.text.linked import linked
from stages.text.metadata import iso
from tests.corpus import pages, word_f1

BODY = "<p>" + "A sentence of the article that stands here. " * 8 + "</p>"


def read(markup: str | bytes, *, url: str = "https://a.test/dir/page.html", media_type: str = "text/html") -> Extracted:
    content = markup if isinstance(markup, bytes) else markup.encode()
    document = extract(content, url=url, media_type=media_type, charset=None, today="2026-01-01")
    assert document is not None
    return document


@pytest.mark.corpus
def test_the_corpus_is_extracted_at_least_as_well_as_promised() -> None:
    figures: dict[str, float] = {}
    titles = 0
    for page in pages():
        document = read(page.content)
        figures[page.name] = word_f1(document.text, page.expected)
        titles += " ".join((document.title or "").split()) == " ".join((page.title or "").split())
        print(f"{figures[page.name]:.3f} {page.name} ({document.method})")
    mean = sum(figures.values()) / len(figures)
    print(f"mean word F1 {mean:.4f}, titles {titles} of {len(figures)}")
    assert mean >= 0.93
    assert titles >= 39


@pytest.mark.corpus
def test_four_pages_of_the_corpus_are_one_text() -> None:
    same = {
        "003-metadata-preferred",
        "004-metadata-space-separated-properties",
        "metadata-content-missing",
        "parsely-metadata",
    }
    assert len({read(page.content).text for page in pages() if page.name in same}) == 1


def test_links_and_images_become_absolute_and_nothing_dangerous_is_left() -> None:
    markup = f"""<html><body><article><h1>Title</h1>{BODY}
        <p>More text with <a href="../x?a=1&b=2">a link</a> and <a href="javascript:alert(1)">a trap</a> in it.</p>
        <img src="/i.jpg" alt="picture" onerror="alert(1)" class="evil">{BODY.replace("A sentence", "Other words")}
        <script>alert(1)</script></article></body></html>"""
    document = read(markup)
    assert document.links == ("https://a.test/x?a=1&b=2",)
    assert [image.url for image in document.images] == ["https://a.test/i.jpg"]
    assert "https://a.test/x?a=1&amp;b=2" in document.html
    for trap in ("javascript", "onerror", "alert", "evil", "<script"):
        assert trap not in document.html
        assert trap not in document.markdown


def test_icons_and_images_far_from_the_text_are_left_out() -> None:
    far = "".join(f"<div>Another teaser, number {number}, of another article</div>" for number in range(9))
    article = f'<article>{BODY}<img src="/dot.gif" width="1">{BODY.replace("A s", "B s")}</article>'
    markup = f'<html><body>{article}<div>{far}</div><img src="/far.jpg"></body></html>'
    assert read(markup).images == ()


def test_a_base_element_moves_the_links() -> None:
    link = '<p>Some more text and <a href="x">link</a> here.</p>'
    markup = f'<html><head><base href="http://b.test/deep/"></head><body>{BODY}{link}</body></html>'
    assert read(markup).links == ("http://b.test/deep/x",)


def test_five_thousand_nested_elements_fall_back_to_plain_text() -> None:
    document = read("<html><body>" + "<div>" * 5000 + "The text in the depth." + "</div>" * 5000 + "</body></html>")
    assert document.text == "The text in the depth."
    assert document.method == "scanner"


def test_a_library_that_fails_on_a_page_costs_it_its_form_and_not_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> str:
        raise KeyError("rend")

    monkeypatch.setattr("stages.text.render.markup", broken)
    document = read(f"<html><head><title>A title of the page</title></head><body>{BODY}</body></html>")
    assert document.method == "scanner"
    assert document.title == "A title of the page"
    assert "A sentence of the article" in document.html


def test_a_page_without_text_has_no_document() -> None:
    for content in (b"", b"<html><body><script>app()</script></body></html>", b"\x00\xff\xfe\x01" * 500):
        assert extract(content, url="http://a.test/", media_type="text/html", charset=None, today="2026-01-01") is None


def test_what_is_hidden_is_not_part_of_the_article() -> None:
    hidden = '<p style="display: none">' + "Secret words for nobody to see. " * 5 + "</p>"
    assert (
        "Secret"
        not in read(f"<html><body><article>{BODY}{hidden}{BODY.replace('A s', 'C s')}</article></body></html>").text
    )


def test_right_to_left_text_stays_in_logical_order() -> None:
    hebrew = "זהו משפט בעברית על מזג האוויר ועל מצב הרוח. "
    head = '<html lang="he" dir="rtl"><head><meta charset="utf-8"></head>'
    document = read(f"{head}<body><article><p>{hebrew * 8}</p></article></body></html>")
    assert document.text == (hebrew * 8).strip()
    assert document.language == "he"
    assert document.html.startswith('<div dir="rtl">')


def test_xhtml_with_an_xml_declaration_is_read() -> None:
    head = '<?xml version="1.0" encoding="iso-8859-2"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title>T</title></head>'
    document = read(
        f"{head}<body>{BODY}<p>Łódź i żółw.</p></body></html>".encode("iso-8859-2"), media_type="application/xhtml+xml"
    )
    assert "Łódź" in document.text


def test_a_note_keeps_its_markdown() -> None:
    document = read("# Heading\n\n* one\n* two\n", media_type="text/markdown", url="note:X")
    assert document.markdown == "# Heading\n\n* one\n* two"
    assert document.title == "Heading"


def test_a_page_served_as_markdown_has_links_relative_to_itself() -> None:
    document = read("# Heading\n\n[next](two.md)", media_type="text/markdown", url="https://example.org/docs/one.md")
    assert document.links == ("https://example.org/docs/two.md",)
    assert 'href="https://example.org/docs/two.md"' in document.html


def test_json_ld_comes_before_opengraph_and_the_title_element() -> None:
    node = {"@type": ["NewsArticle"], "headline": "From LD", "author": [{"name": "Ann"}, {"name": "Bob"}]}
    data = json.dumps({"@graph": [node | {"datePublished": "2024-05-06T07:08:09+0200"}]})
    head = '<title>Element | Site</title><meta property="og:title" content="From OG">'
    document = read(
        f'<html><head>{head}<script type="application/ld+json">{data}</script></head><body>{BODY}</body></html>'
    )
    assert (document.title, document.author, document.published) == ("From LD", "Ann, Bob", "2024-05-06T07:08:09+02:00")


@pytest.mark.parametrize(
    ("element", "title"),
    [
        ("A story of four words | The Site", "A story of four words"),
        ("The Site: A story that is long enough", "A story that is long enough"),
        ("Short | Site", "Short | Site"),
        ("", None),
    ],
)
def test_the_site_is_cut_off_the_title(element: str, title: str | None) -> None:
    assert headline(element, (), ()) == title


@pytest.mark.parametrize(
    ("said", "date"),
    [
        ("2024-02-30", None),
        ("20240229", "2024-02-29"),
        ("2024-02-29 10:11", "2024-02-29T10:11"),
        ("yesterday", None),
        ("2024-02-29T10:11:12Z", "2024-02-29T10:11:12Z"),
    ],
)
def test_only_real_days_are_dates(said: str, date: str | None) -> None:
    assert iso(said) == date


def _nested(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    names = st.sampled_from(["@type", "@graph", "author", "name", "headline", "datePublished"])
    return st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4)


@given(st.recursive(st.none() | st.booleans() | st.text(max_size=5), _nested, max_leaves=30))
def test_json_ld_of_any_shape_is_survived(data: object) -> None:
    linked(iter([json.dumps(data), json.dumps({"@type": "Article", "author": data, "headline": data})]))


@given(st.binary(max_size=400))
def test_any_bytes_are_a_document_or_none(content: bytes) -> None:
    extract(
        b"<html><body><p>" + content, url="http://a.test/", media_type="text/html", charset=None, today="2026-01-01"
    )
