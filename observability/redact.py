"""What must not reach a log: secrets, credentials in URLs, characters that steer a terminal. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

MASK: Final = "***"
DEPTH: Final = 6  # nested values below this are shown as their type only

_SECRET_WORDS: Final = frozenset(
    {"password", "passwd", "secret", "token", "authorization", "cookie", "credential", "credentials", "apikey", "key"}
)
_SECRET_ENDINGS: Final = ("google_engine", "search_engine_id")  # half of an account; the other half is its key
# Words that end in one of the above and are no secrets.
_HARMLESS: Final = frozenset({"url_key", "entry_key", "key", "idempotency_key", "host_key"})

# Of parameters of an address, beside those words: what logins, signatures and accounts of services are called there.
_SECRET_PARAMETERS: Final = _SECRET_WORDS | frozenset(
    ("sig", "signature", "auth", "code", "cx", "pass", "pwd", "sid", "session", "jwt")
)
_ANYWHERE: Final = ("token", "secret", "password", "passwd", "signature", "credential", "apikey")

_USERINFO: Final = re.compile(r"(?P<scheme>\b[a-zA-Z][a-zA-Z0-9+.-]{0,40}://|(?<!:)//)[^/?#\s\"'<>]*@")
_PARAMETER: Final = re.compile(r"(?P<mark>[?&;#])(?P<name>[^=&;#?\s\"'<>]{1,100})=[^&#;\s\"'<>]+")
_QUOTED: Final = re.compile(
    r"(?i)(?<![\w-])(?P<name>[\w-]{0,60}(?:password|passwd|secret|token|authorization|cookie|api[-_]?key)['\"]?\s?[:=]\s?)"
    r"(?P<quote>['\"])[^'\"]+(?P=quote)"
)
_TOKEN: Final = re.compile(r"\b(?P<kind>atlas|session|link)_[A-Za-z0-9_-]{32,}|(?P<path>/sign-in/)[A-Za-z0-9_-]{16,}")
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
    "[@=\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
    "|atlas_|session_|link_|/sign-in/|: ?['\"]|[Bb][Ee][Aa][Rr]|[Bb][Aa][Ss][Ii]"
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
    value = _PARAMETER.sub(_without_secret, value)
    value = _QUOTED.sub(rf"\g<name>\g<quote>{MASK}\g<quote>", value)
    value = _TOKEN.sub(lambda found: f"{found['path'] or found['kind'] + '_'}{MASK}", value)
    value = _BEARER.sub(rf"\g<scheme> {MASK}", value)
    return printable(value, lines=lines)


def _without_secret(found: re.Match[str]) -> str:
    return f"{found['mark']}{found['name']}={MASK}" if _is_secret_parameter(found["name"]) else found[0]


@lru_cache(maxsize=1024)
def _is_secret_parameter(name: str) -> bool:
    lowered = unquote(name).lower()
    return re.split(r"[-_.\[\]]", lowered.rstrip("]"))[-1] in _SECRET_PARAMETERS or lowered.endswith(_ANYWHERE)


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
