"""Bytes to characters: BOM, header, page, guess."""

# ruff: noqa: RUF001 - letters of other scripts are what this is about

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.text.charset import codec_of, decode

RUSSIAN = "Приветствую вас, друзья мои. Сегодня мы поговорим о погоде и о том, как она влияет на настроение."
JAPANESE = "これは日本語の文章です。今日はとても良い天気ですね。"
CHINESE = "今天天气很好，我们去公园散步吧。"
KOREAN = "오늘은 날씨가 매우 좋습니다. 공원에 산책하러 갑시다."
WRITTEN = [
    (RUSSIAN, "cp1251", "windows-1251"),
    (RUSSIAN, "koi8-r", "KOI8-R"),
    (CHINESE, "gb18030", "gb2312"),
    (CHINESE, "gb18030", "GBK"),
    (JAPANESE, "cp932", "Shift_JIS"),
    (JAPANESE, "euc_jp", "euc-jp"),
    (JAPANESE, "iso2022_jp", "iso-2022-jp"),
    (KOREAN, "cp949", "euc-kr"),
    ("שלום עולם, מה שלומך היום?", "cp1255", "windows-1255"),
]


@pytest.mark.parametrize(("text", "codec", "label"), WRITTEN)
def test_the_header_says_what_the_bytes_mean(text: str, codec: str, label: str) -> None:
    assert decode(text.encode(codec), label)[0] == text


@pytest.mark.parametrize(("text", "codec", "label"), WRITTEN)
def test_without_a_header_the_page_says_it(text: str, codec: str, label: str) -> None:
    old = f'<meta http-equiv="Content-Type" content="text/html; charset={label}">'.encode()
    new = f"<meta charset='{label}'>".encode()
    assert decode(old + text.encode(codec))[0].endswith(text)
    assert decode(new + text.encode(codec))[0].endswith(text)


@pytest.mark.parametrize(
    ("text", "codec"), [(RUSSIAN, "cp1251"), (JAPANESE, "cp932"), (CHINESE, "gb18030"), (KOREAN, "cp949")]
)
def test_what_nobody_declares_is_guessed(text: str, codec: str) -> None:
    assert decode(text.encode(codec))[0] == text


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_beats_a_header_that_lies(codec: str) -> None:
    assert decode(RUSSIAN.encode(codec), "iso-8859-1")[0] == RUSSIAN


@pytest.mark.parametrize("lie", ["iso-8859-1", "windows-1251", "shift_jis", "us-ascii"])
def test_text_that_is_valid_utf8_is_utf8_whatever_the_header_says(lie: str) -> None:
    assert decode(RUSSIAN.encode(), lie) == (RUSSIAN, "utf-8")


def test_a_header_that_cannot_be_true_is_passed_over() -> None:
    assert decode(CHINESE.encode("gb18030"), "utf-8")[0] == CHINESE


def test_a_page_cut_off_in_the_middle_of_a_character_stays_utf8() -> None:
    text, codec = decode(RUSSIAN.encode()[:-2] + b"\xd0", "utf-8")
    assert codec == "utf-8"
    assert text.startswith(RUSSIAN[:50])


@pytest.mark.parametrize("label", ["utf-7", "hex", "rot13", "zlib", "no-such", "", "\x00", "idna"])
def test_labels_that_are_no_character_set_are_ignored(label: str) -> None:
    assert codec_of(label) is None


def test_latin1_means_windows_1252_as_in_browsers() -> None:
    assert decode("“quoted” – €".encode("cp1252"), "iso-8859-1")[0] == "“quoted” – €"


@given(
    st.binary(max_size=2000),
    st.one_of(st.none(), st.text(max_size=20), st.sampled_from([label for *_, label in WRITTEN])),
)
def test_decoding_never_fails(content: bytes, header: str | None) -> None:
    text, _ = decode(content, header)
    text.encode("utf-8")


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=500))
def test_utf8_that_says_so_comes_back_as_it_was(text: str) -> None:
    assert decode(text.encode(), "utf-8")[0] == text.removeprefix("\ufeff")
