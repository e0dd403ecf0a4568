"""Language, length, summary and key phrases."""

# ruff: noqa: RUF001 - letters of other scripts are what this is about

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.text.enrichment import enrich
from stages.text.language import is_cjk, language_of
from stages.text.reading import count, minutes, word_count
from stages.text.summary import sentences


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Hello, how are you today my friend? The weather is fine.", "en"),
        ("Bonjour, comment allez-vous ? Le temps est magnifique.", "fr"),
        ("これは日本語の文章です。", "ja"),
        ("今天天气很好，我们去公园散步吧。", "zh"),
        ("오늘은 날씨가 매우 좋습니다.", "ko"),
        ("שלום עולם, מה שלומך היום", "he"),
        ("مرحبا كيف حالك اليوم يا صديقي", "ar"),
        ("Приветствую вас, друзья мои", "ru"),
    ],
)
def test_languages_are_told_from_a_sentence_and_offline(text: str, language: str) -> None:
    assert language_of(text, None) == language


def test_a_short_text_is_in_the_language_its_page_declares() -> None:
    assert language_of("Guten Morgen", "nl-NL") == "nl"


def test_a_declared_language_that_is_written_in_other_letters_is_not_believed() -> None:
    assert language_of("Приветствую вас, друзья мои", "en") == "ru"
    assert language_of("Good morning to you all", "ja") == "en"


def test_a_long_text_is_in_the_language_it_is_in() -> None:
    assert language_of("This page was made with a theme that says it is German. " * 10, "de") == "en"


def test_cjk_characters_count_as_words_and_hangul_by_spaces() -> None:
    assert word_count("今天 is a day") == 5
    assert word_count("오늘은 날씨가 좋습니다") == 3
    assert word_count("don't re-read the state-of-the-art") == 4


def test_reading_takes_at_least_a_minute_and_follows_the_length() -> None:
    assert minutes(0, 0) == 1
    assert minutes(2300, 0) == 10
    assert minutes(0, 5000) == 10


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Mr. Smith saw J. Doe. He left.", ["Mr. Smith saw J. Doe.", "He left."]),
        ("今天很好。明天呢？不知道！", ["今天很好。", "明天呢？", "不知道！"]),
        ("كيف حالك؟ أنا بخير.", ["كيف حالك؟", "أنا بخير."]),
        ("Version 2.0 is out. Now", ["Version 2.0 is out.", "Now"]),
    ],
)
def test_sentences_end_where_people_end_them(text: str, parts: list[str]) -> None:
    assert sentences(text) == parts


def test_the_summary_is_three_sentences_of_the_text_in_its_order() -> None:
    text = "\n".join(
        f"Sentence number {number} tells something about the harbour and its {thing}."
        for number, thing in enumerate(["ships", "cranes", "people", "ships", "harbour master", "tide"])
    )
    found = enrich(text, title="The harbour", declared="en")
    chosen = sentences(found.summary)
    assert len(chosen) == 3
    assert [text.index(line) for line in chosen] == sorted(text.index(line) for line in chosen)


def test_key_phrases_are_the_names_that_a_text_is_about() -> None:
    text = (
        "Ada Lovelace wrote notes on the Analytical Engine. The Analytical Engine was designed by Charles Babbage. "
        "Lovelace and Babbage wrote letters. In one, Ada Lovelace describes how the Analytical Engine computes."
    )
    found = enrich(text, title=None, declared="en").phrases
    assert {"Analytical Engine", "Ada Lovelace"} <= set(found)
    assert not {"the", "was", "and"} & {phrase.lower() for phrase in found}


def test_chinese_key_phrases_are_whole_names() -> None:
    text = "国际空间站很大。宇航员住在国际空间站。国际空间站绕地球飞行，宇航员很忙。" * 3
    assert is_cjk(text)
    assert "宇航员" in enrich(text, title=None, declared=None).phrases


@pytest.mark.parametrize("piece", ["word ", "今天", "a", "A. ", "x!", "Hello there. \n", "«", ". "])
def test_two_megabytes_of_anything_are_done_in_seconds(piece: str) -> None:
    started = time.process_time()
    enrich(piece * (2_000_000 // len(piece)), title=None, declared=None)
    assert time.process_time() - started < 15


@given(st.text(max_size=400), st.one_of(st.none(), st.text(max_size=10)))
def test_any_text_can_be_enriched(text: str, declared: str | None) -> None:
    found = enrich(text, title=declared, declared=declared)
    assert found.reading_minutes >= 1
    assert found.word_count == sum(count(text))
