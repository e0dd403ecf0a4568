"""What looks the same to a reader compares the same, and every place in the fold has a place in the text."""

from __future__ import annotations

import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.text.cjk import searchable, space_out, words
from pipeline.text.fold import Folded, fold


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Café", "cafe\u0301"),
        ("ÅNGSTRÖM", "angstrom"),
        ("Straße", "STRASSE"),
        ("\ufb01nance", "finance"),
        ("\uff21\uff22\uff23\uff11", "abc1"),
        ("infor\u00admation", "information"),
        ("ещё", "еще"),
        ("Ελλάδα", "ελλαδα"),
        ("ΟΔΟΣ", "οδος"),
        ("İstanbul", "istanbul"),
        ("שָׁלוֹם", "שלום"),
        ("مُحَمَّد", "محمد"),
        ("ｶﾀｶﾅ", "カタカナ"),
        ("Việt Nam", "viet nam"),
    ],
)
def test_two_spellings_fold_to_one(one: str, other: str) -> None:
    assert fold(one) == fold(other)


def test_every_character_folds_to_what_folds_to_itself() -> None:
    folded = fold("".join(map(chr, [*range(0x20000), *range(0x2F800, 0x2FA20), 0x30000, sys.maxunicode])))
    assert fold(folded) == folded


@given(st.text())
def test_folding_is_done_by_the_character(text: str) -> None:
    assert fold(text) == "".join(map(fold, text))
    assert fold(fold(text)) == fold(text)


@given(st.text(st.sampled_from("aÉßﬁ日\u0301\u00ad İ")) | st.text(), st.data())
def test_a_place_in_the_fold_leads_back_to_its_characters(text: str, data: st.DataObject) -> None:
    folded = Folded(text)
    assert folded.text == "".join(map(fold, text))
    start = data.draw(st.integers(0, len(folded.text)))
    end = data.draw(st.integers(start, len(folded.text)))
    first, last = folded.origin(start, end)
    assert 0 <= first <= last <= len(text)
    assert folded.text[start:end] in fold(text[first:last])


def test_places_far_into_a_long_text_are_found() -> None:
    text = "ßé\u0301x " * 5_000 + "Nadel" + "\u00ad" * 9_000 + " heu"
    folded = Folded(text)
    start = folded.text.index("nadel")
    first, last = folded.origin(start, start + 5)
    assert text[first:last].startswith("Nadel")
    assert text[last:] == " heu"


@pytest.mark.parametrize(
    ("text", "spaced"),
    [
        ("plain", "plain"),
        ("naïve", "naïve"),
        ("日本", " 日 本 "),
        ("ｱア", " ｱ ア "),
        ("한국 x", " 한 국  x"),
        ("\U00020000\U00030000", " \U00020000 \U00030000 "),
        ("ไทย", " ไ ท ย "),
        ("日、本。", " 日 、 本 。"),
    ],
)
def test_characters_of_scripts_without_spaces_are_set_apart(text: str, spaced: str) -> None:
    assert space_out(text) == spaced


@given(st.text())
def test_the_words_of_a_text_are_those_of_what_is_indexed(text: str) -> None:
    assert words(searchable(text)) == words(text)


@pytest.mark.parametrize("piece", ["a", "ä", "日", "\u0301", " ", "ﷺ" * 100 + "\U0001f600"])
def test_a_megabyte_is_folded_and_divided_at_once(piece: str) -> None:
    started = time.process_time()
    searchable(piece * (1_000_000 // len(piece)))
    assert time.process_time() - started < 10
