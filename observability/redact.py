"""What must not reach a log: secrets, credentials in URLs, characters that steer a terminal. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

MASK: Final = "***"
DEPTH: Final = 6  # nested values below this are shown as their type only

_SECRET_WORDS: Final = frozenset(
    {"password", "passwd", "secret", "token", "authorization", "cookie", "credential", "credentials", "apikey", "key"}
)
_SECRET_ENDINGS: Final = ("google_engine", "search_engine_id")  # half of an account; the other half is its key
# Words that end in one of the above and are no secrets.
_HARMLESS: Final = frozenset({"url_key", "entry_key", "key", "idempotency_key", "host_key"})

_USERINFO: Final = re.compile(r"(?P<scheme>\b[a-zA-Z][a-zA-Z0-9+.-]{0,40}://)[^/?#\s\"'<>]*@")
_PARAMETER: Final = re.compile(
    r"(?i)(?P<name>[?&;#](?:[\w.-]{0,100}(?:token|secret|password|passwd|signature|api_?key)|key|sig|auth|code|cx)=)[^&#;\s\"'<>]+"
)
_TOKEN: Final = re.compile(r"\batlas_[A-Za-z0-9_-]{32,}")
_BEARER: Final = re.compile(r"(?i)\b(?P<scheme>bearer|basic)\s+[A-Za-z0-9+/._~=-]{8,}")

# C0, DEL, C1, the marks that turn the direction of a line round, and lone surrogates, which no UTF-8 can hold.
_CONTROL: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_CONTROL_BUT_LINES: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


# Without one of these none of the above can match: most texts are cleared by one look.
_SUSPECT: Final = re.compile(
    "[@=\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]|atlas_|[Bb][Ee][Aa][Rr]|[Bb][Aa][Ss][Ii]"
)


@lru_cache(maxsize=1024)
def is_secret(name: str) -> bool:
    """Whether a field of this name holds a secret: `api_key`, `lease_token`, `Set-Cookie`, ..."""
    lowered = name.lower().replace("-", "_")
    if lowered.endswith(_SECRET_ENDINGS):
        return True
    return lowered not in _HARMLESS and lowered.rsplit("_", 1)[-1] in _SECRET_WORDS


def text(value: str, *, lines: bool = False) -> str:
    """`value` without secrets and control characters; line breaks stay only where `lines` says that they belong."""
    if _SUSPECT.search(value) is None:
        return value
    value = _USERINFO.sub(rf"\g<scheme>{MASK}@", value)
    value = _PARAMETER.sub(rf"\g<name>{MASK}", value)
    value = _TOKEN.sub(f"atlas_{MASK}", value)
    value = _BEARER.sub(rf"\g<scheme> {MASK}", value)
    return printable(value, lines=lines)


def error(raised: BaseException, *, most: int = 1000) -> str:
    """An exception's kind and its words, cleaned and at most so long; one of a library may be unable to say any."""
    try:
        words = str(raised)
    except Exception:  # noqa: BLE001 - whoever tells of an error must not fail by it
        words = "(it cannot say what it is)"
    return f"{type(raised).__name__}: {text(words)[:most]}"


def printable(value: str, *, lines: bool = False) -> str:
    """`value` with its control characters written out, so that it can neither forge a line nor steer a terminal."""
    return (_CONTROL_BUT_LINES if lines else _CONTROL).sub(_escaped, value)


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


def value(name: str, content: object, *, depth: int = DEPTH) -> object:
    """The value of a field as it may be shown: masked when the name says so, cleaned in depth otherwise."""
    if is_secret(name) and content not in (None, "", False, True):
        return MASK
    if isinstance(content, str):
        return text(content)
    if content is None or isinstance(content, bool | int | float):
        return content
    if depth <= 0:
        return f"<{type(content).__name__}>"
    if isinstance(content, Mapping):
        return {text(str(key)): value(str(key), inner, depth=depth - 1) for key, inner in content.items()}
    if isinstance(content, list | tuple | set | frozenset):
        return [value("", inner, depth=depth - 1) for inner in content]
    if isinstance(content, bytes | bytearray | memoryview):
        return f"<{len(content)} bytes>"
    return text(str(content))
