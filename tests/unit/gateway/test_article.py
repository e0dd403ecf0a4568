"""Articles on their way to a reader."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.article import safe_html


class Seen(HTMLParser):
    """The tags and attributes that a browser would build."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_a_picture_becomes_a_link_with_its_words() -> None:
    found = Seen(safe_html('<img src="https://e.example/a.png?x=1&amp;y=2" alt="a &lt;b&gt; &quot;c&quot;">')).tags
    assert found == [
        ("a", {"class": "picture", "href": "https://e.example/a.png?x=1&y=2", "rel": "noreferrer noopener"})
    ]


def test_a_picture_inside_a_link_does_not_nest_links() -> None:
    found = Seen(safe_html('<a href="https://e.example/"><img src="https://e.example/a.png" alt="b"></a>')).tags
    assert [tag for tag, _ in found] == ["a", "span"]


def test_a_picture_without_a_web_address_is_only_words() -> None:
    assert [tag for tag, _ in Seen(safe_html('<img src="data:image/png;base64,AAAA" alt="b">')).tags] == ["span"]


@pytest.mark.parametrize(
    "html",
    [
        '<p title="<img src=x onerror=alert(1)>">a</p>',
        '<a href="https://e.example/" title="<img alt=\'&quot; onclick=alert(1) x=&quot;\'>">a</a>',
        '<img src="https://e.example/&quot;onerror=&quot;alert(1)" alt="x">',
        '<img alt="</span><script>alert(1)</script>">',
        '<img alt="\'><script>alert(1)</script>">',
        '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
        "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
        "<svg></p><style><a id='</style><img src=1 onerror=alert(1)>'>",
        "<form><input formaction=javascript:alert(1)><img name=attributes>",
    ],
)
def test_no_trick_leaves_anything_that_runs_or_loads(html: str) -> None:
    _check(safe_html(html))


PIECES = (
    *("<img ", "<a ", "<p>", "</a>", ">", '"', "'", "=", "src", "alt", "title", "href", "onerror", " ", "&quot;"),
    *("&lt;", "https://e.example/", "javascript:", "<svg>", "<style>", "</style>", "<!--", "-->", "<math>", "x", "<"),
)


@given(
    st.lists(
        st.sampled_from(PIECES),
        max_size=40,
    ).map("".join)
)
def test_no_mixture_of_pieces_leaves_anything_that_runs_or_loads(html: str) -> None:
    _check(safe_html(html))


def _check(html: str) -> None:
    for tag, attributes in Seen(html).tags:
        assert tag not in {"img", "script", "style", "iframe", "svg", "math", "form", "input", "object"}
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        href = attributes.get("href") or ""
        assert href == "" or href.startswith(("https://", "http://", "mailto:"))


def test_a_first_heading_that_repeats_the_title_is_shown_once() -> None:
    body = '<div><h1 dir="ltr">Rain &amp; <em>Gauges</em></h1><p>Text.</p></div>'
    assert "Gauges" not in safe_html(body, title="Rain & gauges")
    assert "Text." in safe_html(body, title="Rain & gauges")


def test_a_heading_that_is_not_the_title_or_not_the_first_thing_stays() -> None:
    for body in ("<h1>Another</h1><p>x</p>", "<p>x</p><h1>Title</h1>", "<h1>Title</h1>"):
        assert ("<h1>" in safe_html(body, title="Title")) == (body != "<h1>Title</h1>")
    assert "<h1>" in safe_html("<h1>Title</h1>")
