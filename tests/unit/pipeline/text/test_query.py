"""What a person types is read as they meant it, and whatever they type is a query."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.text.query import All, Either, Flag, Is, Node, Not, Since, Site, Tag, Until, Words, parse, sought


def word(*words: str, prefix: bool = False, field: str | None = None) -> Words:
    return Words(words=words, prefix=prefix, field=field)


READ: list[tuple[str, tuple[Node, ...]]] = [
    ("", ()),
    ("cats dogs", (word("cats"), word("dogs"))),
    ('"cats and dogs"', (word("cats", "and", "dogs"),)),
    ("\u201ccats dogs\u201d", (word("cats", "dogs"),)),
    ('"cats do"*', (word("cats", "do", prefix=True),)),
    ("cat*", (word("cat", prefix=True),)),
    ("cats -dogs", (word("cats"), Not(node=word("dogs")))),
    ('-"cats dogs"', (Not(node=word("cats", "dogs")),)),
    ("cats--dogs - --birds", (word("cats", "dogs"), word("birds"))),
    ("a b OR c d", (word("a"), Either(nodes=(word("b"), word("c"))), word("d"))),
    ("a OR b OR c", (Either(nodes=(word("a"), word("b"), word("c"))),)),
    ("a or b", (word("a"), word("or"), word("b"))),
    ("OR a OR", (word("a"),)),
    ("a OR ! b", (word("a"), word("b"))),
    ("a OR OR b", (Either(nodes=(word("a"), word("b"))),)),
    ("a OR -b", (Either(nodes=(word("a"), Not(node=word("b")))),)),
    ("(a OR b)", (Either(nodes=(word("a"), word("b"))),)),
    ("C++ don't foo-bar ...", (word("c"), word("don", "t"), word("foo", "bar"))),
    ("Café ÅNGSTRÖM Straße \ufb01n", (word("cafe"), word("angstrom"), word("strasse"), word("fin"))),
    ("日本", (word("日", "本"),)),
    ("日", (word("日"),)),
    ("iPhone手机*", (word("iphone", "手", "机", prefix=True),)),
    ("title:cats", (word("cats", field="title"),)),
    ('TITLE:"cats dogs"', (word("cats", "dogs", field="title"),)),
    ("author:smith*", (word("smith", prefix=True, field="author"),)),
    ("-author:smith", (Not(node=word("smith", field="author")),)),
    ("site:Example.com", (Site(host="example.com"),)),
    ("site:https://Example.com/x", (Site(host="example.com"),)),
    ("site:bbc", (Either(nodes=(Site(host="bbc"), word("bbc", field="site"))),)),
    ('site:"BBC News"', (word("bbc", "news", field="site"),)),
    ("tag:Python", (Tag(name="python"),)),
    ('tag:"To Do"', (Tag(name="to do"),)),
    ("is:Unread", (Is(flag=Flag.UNREAD),)),
    ("is:strange", (word("is", "strange"),)),
    ("after:2024", (Since(day="2024-01-01"),)),
    ("after:2024-5", (Since(day="2024-05-01"),)),
    ("before:2024-02-29", (Until(day="2024-02-29"),)),
    ("before:2023-02-29", (word("before", "2023", "02", "29"),)),
    ("before:yesterday", (word("before", "yesterday"),)),
    ("after:0000", (word("after", "0000"),)),
    ("title: cats", (word("title"), word("cats"))),
    ('title:"cats', (word("title"), word("cats"))),
    ("http://example.com", (word("http", "example", "com"),)),
    ('"cats dogs', (word("cats"), word("dogs"))),
    ('""', ()),
    ("'; DROP TABLE items; --", (word("drop"), word("table"), word("items"))),
    ("a\x00b\ud800c", (word("a"), word("b"), word("c"))),
    ("NEAR(a b) {x} : ^y AND NOT", (word("near", "a"), word("b"), word("x"), word("y"), word("and"), word("not"))),
]


@pytest.mark.parametrize(("query", "nodes"), READ)
def test_a_query_is_read_as_it_was_meant(query: str, nodes: tuple[Node, ...]) -> None:
    assert parse(query) == All(nodes=nodes)


@given(
    st.text()
    | st.lists(st.sampled_from([*'"*-: ', " OR ", "title:", "site:", "is:", "日", "a", "after:2024"])).map("".join)
)
def test_any_text_is_a_query(text: str) -> None:
    parsed = parse(text)
    for found in [*sought(parsed), *sought(parsed, "title")]:
        assert found.words
        assert not any('"' in each or "\x00" in each for each in found.words)


def test_what_is_excluded_is_not_marked() -> None:
    parsed = parse("a -b title:c is:unread d OR -e")
    assert list(sought(parsed)) == [word("a"), word("d")]
    assert list(sought(parsed, "title")) == [word("a"), word("c", field="title"), word("d")]


@pytest.mark.parametrize("piece", ['"', "-", "a:", "OR ", "日", "* ", 'a"', "site:", "\u0301", " "])
def test_a_megabyte_of_query_is_read_at_once(piece: str) -> None:
    started = time.process_time()
    parse(piece * (1_000_000 // len(piece)))
    assert time.process_time() - started < 2
