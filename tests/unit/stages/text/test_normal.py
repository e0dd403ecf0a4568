"""The normalised text, which makes duplicates."""

# ruff: noqa: RUF001 - letters of other scripts are what this is about

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from stages.text.normal import content_hash, normalised, text_hash


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


@given(
    st.lists(st.text(alphabet="abcÄé", min_size=1), min_size=1),
    st.sampled_from([" ", "\n", "\u00a0", "\t\r\n", "\u3000"]),
)
def test_white_space_case_and_invisible_characters_make_no_difference(words: list[str], space: str) -> None:
    assert text_hash(" ".join(words)) == text_hash(space.join(words).upper().lower() + "\u200b")


def test_full_width_and_ligatures_are_the_same_letters() -> None:
    assert normalised("Ｆｕｌｌ ﬁne") == "full fine"


def test_texts_that_say_something_else_differ() -> None:
    assert text_hash("Let's eat, grandpa") != text_hash("Let's eat grandpa")


def test_the_content_hash_is_that_of_url_colon_content() -> None:
    assert content_hash("http://a.test/", "text") == hashlib.sha256(b"http://a.test/:text").hexdigest()
