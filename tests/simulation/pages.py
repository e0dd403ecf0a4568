"""Pages of the world: of a few dozen layouts, each page with words of its own in a marked place.

The mark lets the parser of this world read each layout once and put the words in afterwards; what it reads is real.
"""

from __future__ import annotations

import re
from random import Random

_SYLLABLES = ("ba", "re", "ti", "lo", "ma", "ne", "su", "vo", "ki", "da", "pe", "ru", "sha", "mon", "tel", "gar")
MARKED = re.compile(r"Qzbegin (.+?) qzend", re.DOTALL)
LAYOUTS = 24


_WORDS = tuple(one + two + three for one in _SYLLABLES for two in _SYLLABLES for three in ("", *_SYLLABLES))


def words(dice: Random, count: int) -> str:
    return " ".join(dice.choices(_WORDS, k=count))


def article(url: str, *, title: str = "") -> bytes:
    """The article at `url`: always the same one."""
    own = Random(url)
    layout = Random(f"layout {own.randrange(LAYOUTS)}")
    paragraphs = [
        f"<p>{'. '.join(words(layout, 12).capitalize() for _ in range(4))}.</p>" for _ in range(layout.randint(1, 3))
    ]
    paragraphs.insert(1, f"<p>Qzbegin {words(own, 220)} qzend.</p>")
    heading = title or f"{words(layout, 4).capitalize()} Qzbegin {words(own, 4)} qzend"
    return (
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{heading}</title></head><body><header>"
        f"<nav>Home</nav></header><article><h1>{heading}</h1>{''.join(paragraphs)}</article></body></html>"
    ).encode()


def feed(host: str, numbers: range) -> bytes:
    items = "".join(
        f"<item><title>Entry {n}</title><link>http://{host}/entry/{n}</link><guid>{host}-{n}</guid></item>"
        for n in numbers
    )
    head = f"<title>{host}</title><link>http://{host}/</link><description>d</description>"
    return f'<?xml version="1.0"?><rss version="2.0"><channel>{head}{items}</channel></rss>'.encode()


MISSING = (
    b"<html><head><title>404 - Page not found</title></head><body><h1>Page not found</h1>"
    b"<p>Sorry, the page you are looking for does not exist.</p></body></html>"
)
CHALLENGE = (
    b"<html><head><title>Just a moment...</title></head><body><div id=cf-challenge>Checking your browser before "
    b"accessing. Enable JavaScript and cookies to continue</div>"
    b"<script src=/cdn-cgi/challenge-platform/x.js></script></body></html>"
)
