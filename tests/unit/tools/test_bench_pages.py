"""Pages made for the benches: all different, the same each time, and the difference is in the article."""

from __future__ import annotations

import pytest

from tools.bench.pages import corpus_pages, maker, moulds
from tools.bench.site import answers


@pytest.mark.parametrize("kind", ["small", "corpus"])
def test_pages_of_one_seed_are_all_different_and_the_same_each_time(kind: str) -> None:
    first, second = maker(kind, seed=7), maker(kind, seed=7)
    pages = [first(number) for number in range(80)]
    assert len(set(pages)) == 80
    assert [second(number) for number in range(80)] == pages


def test_another_seed_makes_other_pages() -> None:
    assert maker("small", seed=1)(0) != maker("small", seed=2)(0)


def test_each_page_has_a_word_that_no_other_has() -> None:
    assert maker("small", seed=1)(12).count(b"number000012") == 4
    assert maker("corpus", seed=1)(12).count(b"number000012") == 1


@pytest.mark.skipif(not corpus_pages(), reason="../shared/corpus/pages is not there")
def test_the_own_paragraph_of_every_real_page_is_part_of_the_article() -> None:
    import trafilatura

    make = maker("corpus", seed=1)
    names = [mould.name for mould in moulds()]
    assert len(names) > 30
    lost = [
        name
        for number, name in enumerate(names)
        if f"number{number:06d}" not in (trafilatura.extract(make(number), fast=True) or "")
    ]
    assert lost == []


def test_without_the_corpus_the_sample_pages_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.bench.pages.corpus_pages", dict)
    assert {mould.name for mould in moulds()} >= {"rain-gauges", "ferrow-light"}
    assert b"number000003" in maker("corpus", seed=1)(3)


def test_the_bench_site_has_an_answer_for_every_page() -> None:
    made = answers("small", pages=3, seed=1)
    assert {b"/p/0", b"/p/1", b"/p/2"} <= made.keys()
    head, _, body = made[b"/p/1"].partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert b"Content-Length: %d" % len(body) in head
