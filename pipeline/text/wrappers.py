"""Addresses that stand round another one: redirects that count clicks, mail filters, and Google's copies of AMP pages.

What they point at is written in them, so it is fetched itself: whoever wraps links learns nothing, and a wrapper that
expired keeps nobody from the page. A shortener (t.co, bit.ly) holds only a number: that is a redirect, found by
fetching. A copy in an archive is of its own day and stays what it is.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

# site: (path, * for any; the parameter that holds the address)
_REDIRECTS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "duckduckgo.com": (("/l/", "uddg"), ("/l", "uddg")),
    "facebook.com": (("/l.php", "u"), ("/flx/warn/", "u")),
    "instagram.com": (("/", "u"),),
    "linkedin.com": (("/redir/redirect", "url"), ("/safety/go", "url")),
    "messenger.com": (("/l.php", "u"),),
    "outlook.com": (("*", "url"),),
    "reddit.com": (("*", "url"),),
    "slack-redir.net": (("/link", "url"),),
    "steamcommunity.com": (("/linkfilter/", "u"), ("/linkfilter/", "url")),
    "umblr.com": (("/redirect", "z"),),
    "vk.com": (("/away.php", "to"),),
    "youtube.com": (("/redirect", "q"),),
}
# Where only one part of a site redirects: what its host has to begin or to end with.
_ONLY: Final = {
    "instagram.com": re.compile(r"l\."),
    "outlook.com": re.compile(r".*\bsafelinks\.protection\.outlook\.com"),
    "reddit.com": re.compile(r"out\."),
    "umblr.com": re.compile(r"t\."),
}
_GOOGLE: Final = re.compile(r"(?:www\.)?google\.(?:com?\.)?[a-z]{2,3}")
_GOOGLE_REDIRECT: Final = (("/url", "q"), ("/url", "url"))
_GOOGLE_AMP: Final = re.compile(r"/amp/(s/)?([^/?]+\..*)")
_AMP_CACHE: Final = re.compile(r"/(?:c|v|wp)/(s/)?([^/?]+\..*)")  # content, viewer, web package


def may_wrap(host: str, site: str) -> bool:
    """Whether to look closer, at little cost: nearly no address is a wrapper."""
    return site in _REDIRECTS or site == "ampproject.org" or "google." in host


def wrapped(host: str, site: str, path: str, query: str) -> str | None:
    """The address inside, or None. `path` and `query` (with its question mark, or empty) in canonical form.

    Shorter than what it was in, always.
    """
    if _GOOGLE.fullmatch(host):
        return _cached(_GOOGLE_AMP, path, query) or _parameter(_GOOGLE_REDIRECT, path, query)
    if host.endswith(".cdn.ampproject.org") or host == "cdn.ampproject.org":
        return _cached(_AMP_CACHE, path, query)
    only = _ONLY.get(site)
    if only is not None and not only.match(host):
        return None
    return _parameter(_REDIRECTS.get(site, ()), path, query)


def _cached(pattern: re.Pattern[str], path: str, query: str) -> str | None:
    found = pattern.fullmatch(path)
    return f"http{'s' if found[1] else ''}://{found[2]}{query}" if found else None


def _parameter(known: tuple[tuple[str, str], ...], path: str, query: str) -> str | None:
    for at, name in known:
        if at in {path, "*"} and (value := _value(query, name)) is not None:
            return value
    return None


def _value(query: str, name: str) -> str | None:
    """The first parameter of this name, decoded once; None when it is no http(s) address."""
    for part in query[1:].split("&"):
        found, _, value = part.partition("=")
        if found == name:
            try:
                decoded = unquote(value, errors="strict")
            except UnicodeDecodeError:
                return None
            return decoded if decoded.lower().startswith(("http://", "https://")) else None
    return None
