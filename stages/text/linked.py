"""JSON-LD: what a page says of its article in schema.org's words. Bounded, and nothing in it is believed blindly."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Final

import msgspec

SCRIPTS_MAX: Final = 10
CHARS_MAX: Final = 512 * 1024
_NODES_MAX: Final = 500
_ARTICLES: Final = re.compile(
    r"^(?:https?://schema\.org/)?\w*(?:Article|BlogPosting|Posting|Report|Review|Recipe|NewsItem|Book|Chapter)$"
)
_WRAPPING: Final = re.compile(r"^\s*(?:<!--|//<!\[CDATA\[|<!\[CDATA\[)|(?:-->|//\]\]>|\]\]>)\s*$")


class Linked(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of the first article found; None where it says nothing usable."""

    title: str | None = None
    author: str | None = None
    site: str | None = None
    published: str | None = None
    language: str | None = None
    description: str | None = None


def linked(scripts: Iterator[str]) -> Linked:
    """Read the texts of <script type="application/ld+json">. Never raises for what they hold."""
    for number, script in enumerate(scripts):
        if number >= SCRIPTS_MAX:
            break
        if len(script) > CHARS_MAX:
            continue
        try:
            data = json.loads(_WRAPPING.sub("", script), strict=False)
        except (ValueError, RecursionError):
            continue
        for node in _nodes(data):
            if _is_article(node):
                return _fields(node)
    return Linked()


def _nodes(data: object) -> Iterator[dict[str, object]]:
    """The objects of a JSON-LD document, outermost first, through lists, @graph and mainEntity."""
    waiting = [data]
    for _ in range(_NODES_MAX):
        if not waiting:
            return
        node = waiting.pop(0)
        if isinstance(node, list):
            waiting.extend(node[:_NODES_MAX])
        elif isinstance(node, dict):
            yield node
            waiting.extend(node[key] for key in ("@graph", "mainEntity", "mainEntityOfPage") if key in node)


def _is_article(node: dict[str, object]) -> bool:
    kinds = node.get("@type")
    return any(
        isinstance(kind, str) and _ARTICLES.match(kind) for kind in (kinds if isinstance(kinds, list) else [kinds])
    )


def _fields(node: dict[str, object]) -> Linked:
    return Linked(
        title=_text(node.get("headline")) or _text(node.get("name")),
        author=_names(node.get("author")) or _names(node.get("creator")),
        site=_names(node.get("publisher")),
        published=_text(node.get("datePublished")) or _text(node.get("dateCreated")),
        language=_text(node.get("inLanguage")),
        description=_text(node.get("description")),
    )


def _names(value: object) -> str | None:
    """The names of a person, an organisation, or a list of them, joined by commas; addresses are no names."""
    people = value if isinstance(value, list) else [value]
    names = [_text(person.get("name") if isinstance(person, dict) else person) for person in people[:20]]
    found = dict.fromkeys(name for name in names if name and "://" not in name)
    return ", ".join(found) or None


def _text(value: object) -> str | None:
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, str):
        return None
    return " ".join(html.unescape(value).split())[:2000] or None
