"""What response headers say, as values: media type, charset, Retry-After."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

RETRY_AFTER_CAP: Final = 86_400.0  # a day; servers have been seen to ask for a century
_TEXT_MAX: Final = 1024  # of a header that is stored


class Headers:
    """The headers of one response, by lower-case name; the first of several of a name counts."""

    def __init__(self, raw: list[tuple[bytes, bytes]]) -> None:
        self._values: dict[str, str] = {}
        for name, value in raw:
            self._values.setdefault(name.decode("latin-1").lower(), _text(value))

    def get(self, name: str) -> str | None:
        return self._values.get(name)

    def short(self, name: str) -> str | None:
        """The value when it is there and of a length worth storing."""
        value = self._values.get(name)
        return value if value and len(value) <= _TEXT_MAX else None


def _text(value: bytes) -> str:
    # Headers are latin-1 by the letter, but servers put UTF-8 paths into Location.
    try:
        return value.decode("utf-8").strip()
    except UnicodeDecodeError:
        return value.decode("latin-1").strip()


def content_type(value: str | None) -> tuple[str, str | None]:
    """Media type in lower case ("" when there is none) and charset of a Content-Type header."""
    kind, *parameters = (value or "")[:_TEXT_MAX].split(";")
    media_type = kind.strip().lower()
    if "/" not in media_type or any(letter.isspace() for letter in media_type):
        media_type = ""
    for parameter in parameters:
        name, _, charset = parameter.partition("=")
        if name.strip().lower() == "charset":
            return media_type, charset.strip().strip("\"'").strip().lower()[:40] or None
    return media_type, None


def retry_after(value: str | None, *, wall_ms: int) -> float | None:
    """Seconds to wait by a Retry-After header (seconds or a date), 0 to a day; None when it says nothing sensible."""
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return RETRY_AFTER_CAP if len(value) > 9 else min(float(value), RETRY_AFTER_CAP)
    try:
        moment = parsedate_to_datetime(value)
        seconds = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - wall_ms / 1000
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_CAP)
