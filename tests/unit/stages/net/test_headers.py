"""What response headers are taken to say."""

from __future__ import annotations

import pytest

from stages.net.headers import Headers, content_type, retry_after

NOON_MS = 1_795_435_200_000  # Mon, 23 Nov 2026 12:00:00 GMT


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text/html", ("text/html", None)),
        ("Text/HTML; Charset=UTF-8", ("text/html", "utf-8")),
        ('text/html;charset="windows-1251"', ("text/html", "windows-1251")),
        ("text/html; boundary=x; charset='koi8-r' ", ("text/html", "koi8-r")),
        ("text/html; charset=", ("text/html", None)),
        ("charset=utf-8", ("", None)),
        ("html", ("", None)),
        ("text/ht ml", ("", None)),
        ("", ("", None)),
        (None, ("", None)),
    ],
)
def test_content_type_yields_media_type_and_charset(value: str | None, expected: tuple[str, str | None]) -> None:
    assert content_type(value) == expected


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("86401", 86_400.0),
        ("9" * 5000, 86_400.0),
        ("Mon, 23 Nov 2026 12:05:00 GMT", 300.0),
        ("Monday, 23-Nov-26 12:05:00 GMT", 300.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400.0),
        ("-5", None),
        ("soon", None),
        ("1.5", None),
        ("٣", None),
        ("Mon, 99 Nov 2026 12:05:00 GMT", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_a_date_or_nothing_and_at_most_a_day(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, wall_ms=NOON_MS) == seconds


def test_the_first_of_repeated_headers_counts_and_long_ones_are_not_stored() -> None:
    headers = Headers([(b"ETag", b'"a"'), (b"etag", b'"b"'), (b"X-Long", b"x" * 5000), (b"Location", "/ü".encode())])
    assert headers.short("etag") == '"a"'
    assert headers.short("x-long") is None
    assert headers.get("location") == "/ü"
