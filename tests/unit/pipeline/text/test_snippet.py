"""A snippet shows, in the author's own letters, where what was sought stands together."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.text.query import parse, sought
from pipeline.text.snippet import Segment, mark, snippet


def shown(segments: tuple[Segment, ...]) -> str:
    return "".join(f"[{segment.text}]" if segment.marked else segment.text for segment in segments)


def cut(text: str, query: str, width: int = 240) -> str:
    return shown(snippet(text, sought(parse(query)), width))


@pytest.mark.parametrize(
    ("text", "query", "expected"),
    [
        ("The quick\n\n brown  fox", "QUICK fox", "The [quick] brown [fox]"),
        ("a quick brown fox", '"quick brown"', "a [quick brown] fox"),
        ("quick-brown quick, brown", '"quick brown"', "[quick-brown] [quick, brown]"),
        ("quicker quick", "quick", "quicker [quick]"),
        ("quicker quick", "quick*", "[quicker] [quick]"),
        ("Das Café, die Straße", "cafe strasse", "Das [Café], die [Straße]"),
        ("cafe\u0301s cafe\u0301 x", "café", "cafe\u0301s [cafe\u0301] x"),
        ("die \ufb01nance", "finance", "die [\ufb01nance]"),
        ("我在北京买手机", "北京 手机", "我在[北京]买[手机]"),
        ("买了iPhone很好", "iphone", "买了[iPhone]很好"),
        ("x \U00020000y", "\U00020000", "x [\U00020000]y"),
        ("<b>bold</b> & plain", "bold", "<b>[bold]</b> & plain"),
        ("cats and dogs", "cats -dogs title:and", "[cats] and dogs"),
        ("nothing here", "zebra", "nothing here"),
        ("one two", "", "one two"),
        ("", "x", ""),
        ("one two three", '"one two" "two three"', "[one two three]"),
    ],
)
def test_what_was_sought_is_marked_and_nothing_else(text: str, query: str, expected: str) -> None:
    assert cut(text, query) == expected


def test_the_place_with_most_different_words_is_chosen() -> None:
    text = "apple " * 50 + "x " * 500 + "apple with pear" + " y" * 500 + " pear" * 50
    found = cut(text, "apple pear", 60)
    assert "[apple] with [pear]" in found
    assert found.startswith("… ")
    assert found.endswith(" …")
    assert len(found) < 80


def test_a_text_without_any_match_is_cut_between_words() -> None:
    assert cut("word " * 100, "zebra", 22) == "word word word word …"


def test_a_title_is_shown_whole() -> None:
    title = "Pears " * 50 + "and apples"
    assert shown(mark(title, sought(parse("title:apples"), "title"))) == "Pears " * 50 + "and [apples]"


@given(st.text(), st.text(max_size=30), st.integers(10, 300))
def test_any_text_and_query_give_a_snippet_of_the_text(text: str, query: str, width: int) -> None:
    segments = snippet(text, sought(parse(query)), width)
    inside = "".join(segment.text for segment in segments).removeprefix("… ").removesuffix(" …")
    assert "".join(inside.split()) in "".join(text.split())
    assert all(segment.text for segment in segments)


@given(
    st.lists(st.sampled_from(["ab", "Ab", "日", "ß", "-", " ", "\u0301", "x" * 30])).map("".join),
    st.sampled_from(["ab", "日", "ss", "a*"]),
)
def test_marks_are_of_the_text_itself(text: str, query: str) -> None:
    assert "".join(segment.text for segment in mark(text, sought(parse(query)))) == " ".join(f"|{text}|".split())[1:-1]


@pytest.mark.parametrize("text", ["lorem ipsum ", "страница ё ", "日本語の文章", "a", "a ", "-", "\u0301", "ab-"])
@pytest.mark.parametrize(
    "query", ["zebra", '"a a a a b"', '"日本語 本"', "a* b* c* d* e* f* g*", '"a b a b x"', "lorem ipsum"]
)
def test_two_megabytes_are_searched_in_linear_time(text: str, query: str) -> None:
    long = text * (2_000_000 // len(text))
    started = time.process_time()
    snippet(long, sought(parse(query)))
    assert time.process_time() - started < 5
