"""The corpus of real pages through the real roles: how many end where, and how good their texts and titles are."""

from __future__ import annotations

import pytest

from tools.bench.corpus import measure, shortfalls, summary
from tools.bench.pages import corpus_pages

pytestmark = [
    pytest.mark.slow,
    pytest.mark.corpus,
    pytest.mark.skipif(not corpus_pages(), reason="../shared/corpus/pages is not there"),
]


def test_the_corpus_ends_as_it_should_with_texts_and_titles_as_good_as_promised() -> None:
    scored = measure()
    total = summary(scored)
    print(total)
    assert shortfalls(total) == [], [page for page in scored if page.f1 < 0.8 or not page.title_matches]
