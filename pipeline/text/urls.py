"""URLs: one canonicalisation for every way in, so that one page is one item however it was saved.

A key is for comparing, never for fetching: http and https on their usual ports count as the same page, and what
servers treat alike is written alike. What is fetched is `complete(url)`.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

import idna
import msgspec

from pipeline.errors import BadUrl
from pipeline.text.aliases import Place, aliased
from pipeline.text.tracking import site_of, untracked
from pipeline.text.wrappers import may_wrap, wrapped

MAX_LENGTH: Final = 8192  # of the URL as given and of its key, in characters; what servers commonly accept

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_LAYERS_MOST: Final = 32  # of wrappers in wrappers, and of steps from an alias to the usual address

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_SLASHES: Final = re.compile(r"[/\\]*")
_HOST_AND_PORT: Final = re.compile(r"[^/\\?#@:]+:[0-9]*(?:[/\\?#]|$)")
_AUTHORITY: Final = re.compile(r"[^/\\?#]*")
_LABEL: Final = re.compile(r"[a-z0-9_-]{1,63}")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_CREDENTIALS: Final = re.compile(r"(\s*(?:[A-Za-z][A-Za-z0-9+.-]*:[/\\]+|[Hh][Tt][Tt][Pp][Ss]?:))[^/\\?#]*@")

# `!$'()*,:@` are written literally: browsers, wikis and e-mail programs disagree on whether to encode them.
_LITERAL: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$'()*,:@")
_PIECE: Final = re.compile(r"%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~]")


class _Parts(msgspec.Struct, frozen=True, kw_only=True):
    scheme: str
    host: str  # ready for a key
    port: int | None  # None: the scheme's own
    rest: str  # path, query and fragment, as given


def canonicalise(url: str) -> str:
    """The key of a URL, idempotent. Raises BadUrl, and nothing else, for what is no web address.

    http becomes https unless a port is named: with one, the two are different servers, and nothing is known of them.
    """
    for _ in range(_LAYERS_MOST):
        url, moved = _key(_unwrapped(url))
        if not moved:
            return url
    raise _too_deep()


def complete(url: str) -> str:
    """The URL to fetch: as given but trimmed, with a scheme, its host in ASCII, without credentials and wrappers.

    Raises BadUrl.
    """
    parts = _unwrapped(url)
    rest = parts.rest if parts.rest.startswith("/") else "/" + parts.rest
    return _origin(parts, secure=False) + rest


def host_of(url_key: str) -> str:
    """The host of a canonical key, without port and brackets."""
    authority = url_key.partition("://")[2].partition("/")[0]
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    return authority.partition(":")[0]


def strip_credentials(url: str) -> str:
    """`url` without `user:password@`, for logs and messages; what is no URL comes back as it is."""
    found = _CREDENTIALS.match(url)
    return found[1] + url[found.end() :] if found else url


def _unwrapped(url: str) -> _Parts:
    """What a wrapper points at; any other URL itself, and a wrapper round something that is no web address."""
    parts = _read(url)
    for _ in range(_LAYERS_MOST):
        site = site_of(parts.host)
        if parts.port is not None or not may_wrap(parts.host, site):
            return parts
        path, query, _ = _pieces(parts, site)
        inside = wrapped(parts.host, site, path, query)
        try:
            target = None if inside is None else _read(inside)
        except BadUrl:
            target = None
        if target is None:
            return parts
        parts = target
    raise _too_deep()


def _key(parts: _Parts) -> tuple[str, bool]:
    """The key, and whether it is another address of the page than the given one, which may have more to it."""
    site = site_of(parts.host)
    path, query, bang = _pieces(parts, site)
    origin = _origin(parts, secure=True)
    moved = False
    if parts.port is None:
        given = Place(host=parts.host, path=path, query=query[1:])
        usual = aliased(given, site)
        if moved := usual != given:
            origin, path, query = f"https://{usual.host}", usual.path, _asked(usual.query)
    key = origin + path + query + bang
    if len(key) > MAX_LENGTH:
        raise _too_long()
    return key, moved


def _pieces(parts: _Parts, site: str) -> tuple[str, str, str]:
    """Path, query (with its question mark, or empty) and hash-bang in the form of keys."""
    before, _, fragment = parts.rest.partition("#")
    path, _, query = before.partition("?")
    return _path(path), _asked(untracked(site, _encoded(query, keep="/;=+&?"))), _hash_bang(fragment)


def _read(url: str) -> _Parts:
    """Split as browsers do: backslashes are slashes, any number of them follows the scheme."""
    url = url.strip()
    if not url:
        raise BadUrl("the URL is empty", hint="give an address such as https://example.com/page")
    if len(url) > MAX_LENGTH:
        raise _too_long()
    if _CONTROL.search(url):
        raise BadUrl("the URL contains control characters", hint="copy it again, without line breaks")
    scheme, after = _scheme(url)
    authority = _match(_AUTHORITY, after)
    rest = after[len(authority) :]
    end = min((at for at in (rest.find("?"), rest.find("#")) if at >= 0), default=len(rest))
    host, port = _host_and_port(authority.rpartition("@")[2])
    return _Parts(
        scheme=scheme,
        host=host,
        port=None if port == _DEFAULT_PORTS[scheme] else port,
        rest=rest[:end].replace("\\", "/") + rest[end:],
    )


def _scheme(url: str) -> tuple[str, str]:
    """The scheme and what follows its slashes. A bare host gets https."""
    found = _SCHEME.match(url)
    if found and found[1].lower() in _DEFAULT_PORTS:
        return found[1].lower(), url[_SLASHES.match(url, found.end()).end() :]  # type: ignore[union-attr]
    if url.startswith(("//", "\\\\")):
        return "https", url.lstrip("/\\")
    if found and not _HOST_AND_PORT.match(url):
        raise BadUrl(f"{found[1].lower()}: addresses cannot be kept", hint="only http and https addresses can")
    authority = _match(_AUTHORITY, url)
    host = authority.partition(":")[0]
    if "@" in authority:
        raise BadUrl("this looks like an e-mail address", hint="put https:// in front if it is a web address")
    if "." not in host and host.lower() != "localhost" and not authority.startswith("["):
        raise BadUrl("this is not a web address", hint="give an address such as https://example.com/page")
    return "https", url


def _host_and_port(authority: str) -> tuple[str, int | None]:
    if authority.startswith("["):
        inside, closed, after = authority[1:].partition("]")
        host = f"[{_ipv6(inside)}]"
        colon, _, digits = after.partition(":")
        if not closed or colon:
            raise BadUrl("the URL's IPv6 address is not closed", hint="write it as [2001:db8::1]")
    else:
        name, _, digits = authority.partition(":")
        host = _host(name)
    if digits and not (len(digits) <= 8 and digits.isascii() and digits.isdigit() and 0 < int(digits) < 65536):
        raise BadUrl("the URL's port is not a number from 1 to 65535", hint="check what follows the host's colon")
    return host, int(digits) if digits else None


def _ipv6(text: str) -> str:
    try:
        address = ipaddress.IPv6Address(text.replace("%", "-"))  # a zone (fe80::1%eth0) means nothing elsewhere
    except ValueError:
        raise BadUrl("the URL's IPv6 address is not valid", hint="write it as [2001:db8::1]") from None
    if address.ipv4_mapped is not None:  # Python 3.13 writes these in another way than those before
        low = int(address) & 0xFFFFFFFF
        return f"::ffff:{low >> 16:x}:{low & 0xFFFF:x}"
    return str(address)


def _host(name: str) -> str:
    """A host name in lower-case ASCII without its trailing dot. Numbers in disguise (`127.1`, `0x7f.1`) are refused."""
    bad = BadUrl("the URL has no valid host name", hint="give an address such as https://example.com/page")
    if not name or len(name) > 1000:
        raise bad
    try:
        name = _decoded(name).lower()
        if not name.isascii():
            name = idna.encode(name, uts46=True).decode("ascii")
    except UnicodeError:
        raise bad from None
    name = name.removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise bad
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            raise bad from None
    return name


def _origin(parts: _Parts, *, secure: bool) -> str:
    scheme = "https" if secure and parts.port is None else parts.scheme
    if parts.port is None:
        return f"{scheme}://{parts.host}"
    return f"{scheme}://{parts.host}:{parts.port}"


def _path(path: str) -> str:
    """The path without dot segments; never empty."""
    kept: list[str] = []
    segments = _encoded(path, keep="/;=+&").split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments and segments[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)


def _asked(query: str) -> str:
    return "?" + query if query else ""


def _hash_bang(fragment: str) -> str:
    """Only `#!…` names another page; every other fragment is a place on the same one."""
    if not fragment.startswith("!") or fragment == "!":
        return ""
    return "#" + _encoded(fragment, keep="/;=+&?")


def _encoded(text: str, *, keep: str) -> str:
    """Percent-encoding in one form: literal where it may be, else UTF-8 in capital hex. Those of `keep` stay."""

    def write(found: re.Match[str]) -> str:
        piece = found[0]
        if len(piece) == 3:
            character = chr(int(piece[1:], 16))
            return character if character in _LITERAL else piece.upper()
        if piece in _LITERAL or piece in keep:
            return piece
        return "".join(f"%{byte:02X}" for byte in piece.encode())

    return _PIECE.sub(write, text)


def _decoded(host: str) -> str:
    if "%" not in host:
        return host
    raw = re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), host.encode())
    return raw.decode()


def _match(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.match(text)
    return found[0] if found else ""


def _too_long() -> BadUrl:
    return BadUrl(f"the URL is longer than {MAX_LENGTH} characters", hint="is it a data dump rather than an address?")


def _too_deep() -> BadUrl:
    return BadUrl(f"the URL has more than {_LAYERS_MOST} others inside", hint="open it and save where it leads")
