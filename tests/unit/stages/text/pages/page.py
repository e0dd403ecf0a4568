"""A page as a site would serve it, with what is to be found out about it."""

from __future__ import annotations

import html
from collections.abc import Sequence

import msgspec

ASKED = "https://www.site.test/2024/03/the-keeper-of-the-northern-light"


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """`code` None: an article. `signature`: category and name of the entry of signatures.toml that it must be told by."""

    name: str
    content: bytes
    code: str | None = None
    signature: tuple[str, str] | None = None
    asked: str = ASKED
    final: str = ASKED
    media_type: str = "text/html"


def bare(title: str, body: str, *, head: str = "", lang: str = "en") -> str:
    """A page that a service in front of a site sends: no menu, no footer."""
    return (
        f'<!DOCTYPE html>\n<html lang="{lang}"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="robots" content="noindex,nofollow"><meta name="viewport" content="width=device-width">'
        f"<style>body{{margin:0;font-family:sans-serif}}</style>{head}</head>\n<body>{body}</body></html>\n"
    )


def site(
    title: str,
    body: str,
    *,
    head: str = "",
    lang: str = "en",
    menu: Sequence[str] = (),
    footer: str = "",
    tail: str = "",
) -> str:
    """A page within a site's frame."""
    labels = menu or ("Home", "News", "Opinion", "Culture", "Science", "About us", "Contact")
    links = "".join(f'<li><a href="/{number}">{html.escape(label)}</a></li>' for number, label in enumerate(labels))
    return (
        f'<!DOCTYPE html>\n<html lang="{lang}"><head><meta charset="utf-8"><title>{title}</title>\n'
        '<link rel="stylesheet" href="/assets/main.css"><script async src="https://stats.test/collect.js"></script>\n'
        f'<script>window.dataLayer = window.dataLayer || [];</script>{head}</head>\n<body class="page">'
        f'<header><a class="logo" href="/">The Site</a><nav><ul>{links}</ul></nav></header>\n<main>{body}</main>\n'
        f'<footer><p>{footer or "© 2026 The Site"}</p><a href="/privacy">Privacy</a> <a href="/imprint">Imprint</a>'
        f'</footer><script src="/assets/app.js"></script>{tail}</body></html>\n'
    )


def article(heading: str, *paragraphs: str, more: str = "") -> str:
    return f"<article><h1>{heading}</h1>{''.join(f'<p>{text}</p>' for text in paragraphs)}</article>{more}"
