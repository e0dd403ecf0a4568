"""What is refused, by which rule and on what evidence; and what must pass: the false positives are counted, too."""

from __future__ import annotations

import re

import pytest

from pipeline.lifecycle import Verdict
from stages.text import signatures
from tests import corpus
from tests.unit.stages.text.judged import judged, sample_site
from tests.unit.stages.text.pages.articles import ARTICLES
from tests.unit.stages.text.pages.heldout import HELD_OUT_ARTICLES, HELD_OUT_REFUSED, MISSED
from tests.unit.stages.text.pages.page import Sample
from tests.unit.stages.text.pages.refused import REFUSED

# Categories that only a redirect, or the words of several entries together, lead to: the evidence names no entry.
UNNAMED = {
    "soft_404", "soft_404_bare", "login", "login_path", "login_host", "login_back", "cookies", "placeholder", "scripts",
    "sold", "paywall",
}  # fmt: skip


@pytest.mark.parametrize("sample", REFUSED, ids=lambda sample: sample.name)
def test_what_stands_in_an_articles_place_is_refused_with_its_code_and_evidence(sample: Sample) -> None:
    found = judged(sample)
    assert found.code == sample.code, found
    assert found.verdict not in (Verdict.FULL, Verdict.PARTIAL)
    assert found.hint
    assert found.evidence
    if sample.signature and sample.signature[0] not in UNNAMED:
        assert sample.signature[1] in found.evidence


@pytest.mark.parametrize("sample", ARTICLES, ids=lambda sample: sample.name)
def test_an_article_passes_whatever_it_is_about(sample: Sample) -> None:
    found = judged(sample)
    assert found.code is None, found


@pytest.mark.parametrize("sample", HELD_OUT_ARTICLES, ids=lambda sample: sample.name)
def test_an_article_that_was_held_out_passes(sample: Sample) -> None:
    assert judged(sample).code is None, judged(sample)


def test_of_the_pages_held_out_no_other_is_missed_than_those_known_to_be() -> None:
    assert {sample.name for sample in HELD_OUT_REFUSED if judged(sample).code != sample.code} == MISSED


def test_every_signature_has_a_source_and_refuses_a_page_of_its_own() -> None:
    words = [(one.name, word) for one in signatures.ALL for word in one.source.split() or [""]]
    assert [found for found in words if not re.fullmatch(r"https?://[\w.-]+\.[a-z]+/\S*", found[1])] == []
    exercised = {sample.signature for sample in REFUSED if sample.signature}
    assert {(one.category, one.name) for one in signatures.ALL} == exercised


def test_there_are_enough_pages_of_each_code() -> None:
    counts: dict[str | None, int] = {}
    for sample in REFUSED:
        counts[sample.code] = counts.get(sample.code, 0) + 1
    assert sum(counts.values()) >= 60
    assert {code for code, count in counts.items() if count < 2} == set()
    assert len({sample.name for sample in (*REFUSED, *ARTICLES)}) == len(REFUSED) + len(ARTICLES)


@pytest.mark.corpus
def test_no_real_page_of_the_corpus_is_accused() -> None:
    found = {page.name: judged(Sample(name=page.name, content=page.content)) for page in corpus.pages()}
    assert len(found) == 41
    assert {name: judgement for name, judgement in found.items() if judgement.code} == {}
    assert {name for name, judgement in found.items() if judgement.verdict != Verdict.FULL} == set()


def test_no_page_of_the_sample_site_is_accused_but_the_one_that_was_withdrawn() -> None:
    accused = {page.name: found for page in sample_site() if (found := judged(page)).code}
    assert {path: found.code for path, found in accused.items()} == {"/articles/withdrawn": "soft_404"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("signature = 3", "signature"),
        ('[[signature]]\ncategory = "challenge"\nname = "x"\nsource = "y"\ntexst = ["a b"]', "texst"),
        ('[[signature]]\ncategory = "chalenge"\nname = "x"\nsource = "y"\ntexts = ["a b"]', "chalenge"),
        ('[[signature]]\ncategory = "challenge"\nname = "x"\nsource = " "\ntexts = ["a b"]', "names no source"),
        (
            '[[signature]]\ncategory = "challenge"\nname = "x"\nsource = "not seen"\ntexts = ["a b"]',
            "no address: not seen",
        ),
        ('[[signature]]\ncategory = "challenge"\nname = "x"\nsource = "y"', "looks for nothing"),
        ('[[signature]]\ncategory = "challenge"\nname = "x"\nsource = "y"\ntexts = ["A b"]', "lower case"),
        ("[[signature]]\ncategory = 'login'\nname = 'x'\nsource = 'y'\ntexts = ['a b']\n" * 2, "twice"),
    ],
)
def test_a_fault_in_the_table_says_what_it_is(text: str, said: str) -> None:
    with pytest.raises(signatures.SignatureFault, match=said):
        signatures.read(text)
