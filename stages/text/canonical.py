"""The address that a page gives itself (rel=canonical), where it may be believed at all."""

from __future__ import annotations

import ipaddress
from typing import Final

from pipeline.errors import BadUrl
from pipeline.text.urls import canonicalise, host_of

_SAME_SITE: Final = frozenset({"www", "m", "mobile", "amp"})


def named_key(said: str | None, *page_keys: str) -> str | None:
    """The canonical key of what the page says, None unless it is on the site of one of the page's own keys.

    None also for a front page: a page that has a path and says it is the front page is mistaken.
    """
    if not said:
        return None
    try:
        key = canonicalise(said)
    except BadUrl:
        return None
    if key in page_keys or not any(same_site(key, own) for own in page_keys):
        return None
    return None if _is_front(key) else key


def same_site(one: str, other: str) -> bool:
    """Whether two keys are of one host, or one's is below the other's; `www`, `m`, `mobile` and `amp` do not count.

    No list of public suffixes is asked: hosts beside each other (two blogs of one provider, two firms under co.uk)
    are never one site, which is the safe side.
    """
    first, second = _host(one), _host(other)
    if first == second:
        return True
    return _below(first, second) or _below(second, first)


def _host(key: str) -> str:
    host = host_of(key)
    label, _, rest = host.partition(".")
    return rest if label in _SAME_SITE and "." in rest else host


def _below(host: str, parent: str) -> bool:
    return "." in parent and not _is_address(parent) and host.endswith("." + parent)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_front(key: str) -> bool:
    path, _, query = key.partition("://")[2].partition("/")[2].partition("?")
    return path == "" and query == ""
