"""What a log line may not hold."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observability import redact


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:pass@host/a", "https://***@host/a"),
        ("see https://me@host/ and http://a:b@c/", "see https://***@host/ and http://***@c/"),
        ("https://host/?page=2&api_key=abc&x=1", "https://host/?page=2&api_key=***&x=1"),
        ("https://host/?access_token=abc#part", "https://host/?access_token=***#part"),
        ("token atlas_AbCdEf0123456789_-xAbCdEf0123456789xx used", "token atlas_*** used"),
        ("Authorization: Bearer abcdefgh12345", "Authorization: Bearer ***"),
        ("https://host/a@b?keyword=fish", "https://host/a@b?keyword=fish"),
        ("atlas_requests_total", "atlas_requests_total"),
    ],
)
def test_secrets_in_a_text_are_masked_and_the_rest_stays_readable(text: str, shown: str) -> None:
    assert redact.text(text) == shown


@pytest.mark.parametrize(
    "name",
    [
        "token",
        "api_key",
        "lease_token",
        "Set-Cookie",
        "Authorization",
        "password",
        "google_engine",
        "GOOGLE_SEARCH_ENGINE_ID",
    ],
)
def test_a_field_with_the_name_of_a_secret_is_masked(name: str) -> None:
    assert redact.value(name, "abc") == "***"
    assert redact.value("outer", {name: "abc"}) == {name: "***"}


@pytest.mark.parametrize("name", ["url_key", "tokens", "key", "monkey", "secretary"])
def test_a_harmless_field_is_not(name: str) -> None:
    assert redact.value(name, "abc") == "abc"


@given(st.text())
def test_no_character_of_a_text_can_forge_a_line_or_steer_a_terminal(text: str) -> None:
    shown = redact.printable(text)
    assert len(shown.splitlines()) <= 1
    assert not any(
        ord(letter) < 32 or 0x7F <= ord(letter) < 0xA0 or 0x202A <= ord(letter) <= 0x202E for letter in shown
    )


def test_line_breaks_stay_where_lines_belong() -> None:
    assert redact.text("Traceback\n  line\x1b[31m", lines=True) == "Traceback\n  line\\x1b[31m"


def test_values_are_cleaned_in_depth_and_the_depth_has_an_end() -> None:
    endless: list[object] = []
    endless.append(endless)
    assert redact.value("a", [{"url": "http://u:p@h/"}, b"123", (1, None)]) == [
        {"url": "http://***@h/"},
        "<3 bytes>",
        [1, None],
    ]
    assert "<list>" in repr(redact.value("a", endless))


@pytest.mark.parametrize("piece", ["a.", "?a-", "&", "bearer ", "atlas_", "x://", "?token", "\u202e", "://@"])
@pytest.mark.parametrize("end", ["@", "=", ""])
def test_a_megabyte_of_hostile_text_is_cleaned_in_no_time(piece: str, end: str) -> None:
    """What took a square of its length took minutes for this one; the bound is for a busy machine."""
    begun = time.process_time()
    redact.text(piece * (1_000_000 // len(piece)) + end)
    assert time.process_time() - begun < 3


@pytest.mark.parametrize(
    "given",
    [
        "Cookie: atlas_session=session_" + "s" * 43,
        "GET /sign-in/" + "s" * 43,
        "https://a.example/?api-key=s3cr3t&x=1",
        "https://a.example/?auth_key=s3cr3t",
        "https://a.example/?subscription-key=s3cr3t",
        "https://a.example/?pwd=s3cr3t",
        "https://a.example/?sid=s3cr3t",
        "https://a.example/?jwt=s3cr3t",
        "https://a.example/?X-Amz-Credential=s3cr3t",
        "https://a.example/?%6bey=s3cr3t",
        "https://a.example/#access_token=s3cr3t",
        "{'x-subscription-token': 's3cr3t'}",
        "{'Authorization': 'Token s3cr3t'}",
        '{"token":"s3cr3t"}',
        "password='s3cr3t'",
        "//user:s3cr3t@host/path",
    ],
)
def test_a_secret_is_masked_in_whatever_form_it_comes(given: str) -> None:
    shown = redact.text(given)
    assert redact.MASK in shown
    assert "s3cr3t" not in shown
    assert "s" * 20 not in shown


@pytest.mark.parametrize(
    "given",
    [
        "https://a.example/?monkey=1&page=2&q=a+key+thing",
        "the key: 'value' of a story",
        "https://a.example/sign-in/help",
        "from me@example.org, see https://a.example/b",
        "session_1 of 3",
    ],
)
def test_what_is_no_secret_is_left_as_it_is(given: str) -> None:
    assert redact.text(given) == given
