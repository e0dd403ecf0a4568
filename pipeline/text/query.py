"""The search language: any text is a query, and none is an error.

    word  two words (both)  "a phrase"  begin*  -without  this OR that  (OR binds its two neighbours only)
    title:word  author:"a name"  site:example.com (and below it)  tag:name  is:unread  after:2024  before:2024-05-01

`after:` includes the first day of what it names and `before:` ends just before it, so that `after:2024 before:2025` is
the year 2024. What is not one of these (an unknown field, a date that is none, a quote that is not closed) is words.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

import msgspec

from pipeline.errors import BadUrl
from pipeline.text.cjk import words
from pipeline.text.urls import canonicalise, host_of

MAX_LENGTH: Final = 1000  # characters that are read
MAX_TERMS: Final = 32


class Flag(StrEnum):
    """What `is:` can ask."""

    UNREAD = "unread"
    READ = "read"
    STARRED = "starred"
    ARCHIVED = "archived"
    PENDING = "pending"  # not at its end yet
    WAITING = "waiting"  # for its next try
    DONE = "done"
    DUPLICATE = "duplicate"
    DEAD = "dead"
    PAGE = "page"
    NOTE = "note"


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """These words in this order, folded as the index is; `prefix`: the last one may go on."""

    words: tuple[str, ...]
    prefix: bool = False
    field: str | None = None  # title, author or site; None: anywhere


class Site(msgspec.Struct, frozen=True, kw_only=True):
    host: str  # itself and its subdomains


class Tag(msgspec.Struct, frozen=True, kw_only=True):
    name: str


class Is(msgspec.Struct, frozen=True, kw_only=True):
    flag: Flag


class Since(msgspec.Struct, frozen=True, kw_only=True):
    day: str  # ISO date, included


class Until(msgspec.Struct, frozen=True, kw_only=True):
    day: str  # ISO date, not included


class Not(msgspec.Struct, frozen=True, kw_only=True):
    node: Node


class Either(msgspec.Struct, frozen=True, kw_only=True):
    nodes: tuple[Node, ...]  # at least two


class All(msgspec.Struct, frozen=True, kw_only=True):
    nodes: tuple[Node, ...]  # none: everything


Leaf = Words | Site | Tag | Is | Since | Until
Node = Leaf | Not | Either | All

_TERM: Final = re.compile(
    r"""(?P<minus>(?<!\S)-(?=[^\s-]))?
        (?:(?P<field>[A-Za-z]{2,6}):(?=[^\s]))?
        (?:"(?P<phrase>[^"]*)" | (?P<word>[^\s"]+))
        (?P<star>\*)?""",
    re.VERBOSE,
)
_DAY: Final = re.compile(r"([0-9]{4})(?:-([0-9]{1,2}))?(?:-([0-9]{1,2}))?")
_QUOTES: Final = str.maketrans(dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02", '"'))
_UNREADABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def parse(query: str) -> All:
    """The meaning of `query`. Never raises; reads at most MAX_LENGTH characters and MAX_TERMS terms."""
    groups: list[list[Node]] = []
    joining = False
    for term in _terms(query):
        if term == "OR":
            joining = bool(groups)
            continue
        node = _node(term) if isinstance(term, re.Match) else None
        if node is not None and joining:
            groups[-1].append(node)
        elif node is not None:
            groups.append([node])
        joining = False
    return All(nodes=tuple(group[0] if len(group) == 1 else Either(nodes=tuple(group)) for group in groups))


def sought(node: Node, field: str | None = None) -> Iterator[Words]:
    """The words that a hit of this query is marked with: those not negated, of no field or of `field`."""
    match node:
        case Words():
            if node.field in {None, field}:
                yield node
        case Either() | All():
            for inner in node.nodes:
                yield from sought(inner, field)
        case _:
            return


def _terms(query: str) -> Iterator[re.Match[str] | str]:
    text = _UNREADABLE.sub(" ", query[:MAX_LENGTH]).translate(_QUOTES)
    for count, found in enumerate(_TERM.finditer(text)):
        if count == MAX_TERMS:
            return
        yield "OR" if found[0] == "OR" else found


def _node(term: re.Match[str]) -> Node | None:
    """None when nothing in it can be searched for."""
    value = term["phrase"] if term["phrase"] is not None else term["word"]
    prefix = bool(term["star"]) or (term["word"] or "").endswith("*")
    node = _FIELDS[term["field"].lower()](value, prefix) if (term["field"] or "").lower() in _FIELDS else None
    if node is None:
        written = f"{term['field']}:{value}" if term["field"] else value
        node = _words(written, prefix)
    return Not(node=node) if node is not None and term["minus"] else node


def _words(value: str, prefix: bool, field: str | None = None) -> Words | None:
    found = words(value)
    return Words(words=found, prefix=prefix, field=field) if found else None


def _title(value: str, prefix: bool) -> Node | None:
    return _words(value, prefix, "title")


def _author(value: str, prefix: bool) -> Node | None:
    return _words(value, prefix, "author")


def _site(value: str, prefix: bool) -> Node | None:
    """A host, or a word of the site's name: `site:bbc` means either."""
    named = _words(value, prefix, "site")
    try:
        host = host_of(canonicalise(value if "://" in value else "https://" + value.lstrip(".")))
    except BadUrl:
        return named
    return Site(host=host) if "." in host or named is None else Either(nodes=(Site(host=host), named))


def _tag(value: str, _prefix: bool) -> Node | None:
    name = value.strip().lower()
    return Tag(name=name) if name else None


def _is(value: str, _prefix: bool) -> Node | None:
    return Is(flag=Flag(value.lower())) if value.lower() in set(Flag) else None


def _after(value: str, _prefix: bool) -> Node | None:
    day = _day(value)
    return Since(day=day) if day else None


def _before(value: str, _prefix: bool) -> Node | None:
    day = _day(value)
    return Until(day=day) if day else None


def _day(value: str) -> str | None:
    found = _DAY.fullmatch(value)
    if found is None:
        return None
    try:
        return dt.date(int(found[1]), int(found[2] or 1), int(found[3] or 1)).isoformat()
    except ValueError:
        return None


_FIELDS: Final = {
    "title": _title,
    "author": _author,
    "site": _site,
    "tag": _tag,
    "is": _is,
    "after": _after,
    "before": _before,
}
