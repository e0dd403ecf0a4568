"""What the demo calls a difference."""

from __future__ import annotations

from supervisor.demo_expect import Expectations, ExpectedPage, page_differences, search_differences


def row(uid="A", *, state="done", stage=590, verdict="full", reason=None, title="T", words=100, duplicate_of=None):
    return {
        "id": uid,
        "state": state,
        "stage": {"code": stage},
        "verdict": verdict,
        "reason": reason and {"code": reason},
        "title": title,
        "language": "en",
        "word_count": words,
        "duplicate_of": duplicate_of,
    }


def expect(*pages: ExpectedPage) -> Expectations:
    return Expectations(feed="/feed", pages=pages, searches=())


def test_a_page_that_ended_as_expected_makes_no_difference() -> None:
    page = ExpectedPage(path="/a", state="done", stage=590, verdict="full", title="T", words_at_least=100)
    assert page_differences(expect(page), {"/a": row()}) == []


def test_every_field_that_differs_is_named() -> None:
    page = ExpectedPage(path="/a", state="dead", verdict="dead_link", reason="soft_404", words_at_least=101)
    assert page_differences(expect(page), {"/a": row()}) == [
        "/a: state is 'done', not 'dead'",
        "/a: verdict is 'full', not 'dead_link'",
        "/a: reason is None, not 'soft_404'",
        "/a: 100 words, not at least 101",
    ]


def test_what_is_not_expected_in_particular_may_be_anything() -> None:
    assert page_differences(expect(ExpectedPage(path="/a", state="done")), {"/a": row(title="Other")}) == []


def test_missing_and_uninvited_items_are_differences() -> None:
    said = page_differences(expect(ExpectedPage(path="/a", state="done")), {"/b": row()})
    assert said == ["/b: nobody asked for this item", "/a: there is no such item"]


def test_the_original_of_a_duplicate_is_compared_by_its_path() -> None:
    pages = (
        ExpectedPage(path="/a", state="done"),
        ExpectedPage(path="/b", state="duplicate", duplicate_of="/a"),
    )
    rows = {"/a": row("A"), "/b": row("B", state="duplicate", stage=599, duplicate_of="A")}
    assert page_differences(expect(*pages), rows) == []
    rows["/b"]["duplicate_of"] = "C"
    assert page_differences(expect(*pages), rows) == ["/b: duplicate_of is 'C', not '/a'"]


def test_a_search_must_find_no_more_and_no_fewer() -> None:
    assert search_differences("q", ("/a", "/b"), ("/b", "/a")) == []
    assert search_differences("q", ("/a",), ("/a", "/b")) == ["search q: found /a, /b, not /a"]
    assert search_differences("q", (), ("/a",)) == ["search q: found /a, not nothing"]


def test_a_page_that_came_from_somebody_else_than_expected_is_a_difference() -> None:
    page = ExpectedPage(path="/a", state="done", provider="wayback")
    assert page_differences(expect(page), {"/a": row() | {"provenance": {"provider": "wayback"}}}) == []
    for provenance in ({"provider": "direct"}, None):
        (said,) = page_differences(expect(page), {"/a": row() | {"provenance": provenance}})
        assert said.startswith("/a: provider is ")
