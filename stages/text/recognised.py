"""Whether a page carries a known signature, and what of it was seen."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from stages.text.glance import Glance
from stages.text.judgement import Addresses
from stages.text.signatures import Signature, plain

HEADLINE_WORDS = 4  # of a headline that is nobody's standard notice,
HEADLINE_SIGNS = 10  # or so many characters where words are not set apart
OWN_WORDS = 3  # of them that are not the notice's
AGREED = 0.5  # share of a heading's words that stand in the title, which has the site's name besides
ARTICLE_CHARS = 240  # of text below it, from which on words that also stand in a notice prove nothing


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A signature and the string of it that was seen. `weak`: in the text, where anybody may quote it, or in a
    marker, as vendors also have their scripts on the pages behind them."""

    name: str
    said: str
    weak: bool = False


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What signatures are looked for in, written as they are."""

    title: str
    text: str
    markers: tuple[str, ...]
    final: str  # without its scheme

    @classmethod
    def of(cls, glance: Glance, addresses: Addresses | None) -> Page:
        return cls(
            title=plain((glance.title or next(iter(glance.headings), "")).strip()),
            text=plain(glance.sample),
            markers=tuple(map(plain, glance.markers)),
            final=plain(addresses.final).partition("://")[2] if addresses else "",
        )


def seen(page: Page, signatures: Sequence[Signature]) -> Seen | None:
    """The first signature that the page carries; one that is told by more than words comes first."""
    certain = (found for one in signatures if (found := _certain(page, one)))
    quoted = (
        Seen(name=one.name, said=f"the words “{words}”", weak=True)
        for one in signatures
        for words in one.texts
        if words in page.text
    )
    return next(certain, None) or next(quoted, None)


def _certain(page: Page, one: Signature) -> Seen | None:
    for title in one.titles:
        if page.title.startswith(title):
            return Seen(name=one.name, said=f"the title “{title}”")
    for known in one.markers:
        if any(known in marker for marker in page.markers):
            return Seen(name=one.name, said=f"the marker “{known}”", weak=True)
    for address in one.addresses:
        if address in page.final:
            return Seen(name=one.name, said=f"the address {address}")
    return None


def is_headlined(glance: Glance, phrase: str = "") -> bool:
    """Whether title and heading agree on a headline of its own, with a text below it: then quoted words prove nothing.

    A headline in the words of the phrase that was seen is the notice's own.
    """
    title, quoted = frozenset(plain(glance.title or "").split()), frozenset(phrase.split())
    if not title or not glance.paragraphs or glance.text_chars < ARTICLE_CHARS:
        return False
    return any(_agree(plain(line), title, quoted) for line in glance.headings[:5])


def _agree(line: str, title: frozenset[str], quoted: frozenset[str]) -> bool:
    words = frozenset(line.split())
    if not line.isascii() and len(words) < HEADLINE_WORDS:  # perhaps a language without blanks
        return len(line) >= HEADLINE_SIGNS and words <= title
    return (
        len(words) >= HEADLINE_WORDS and len(words - quoted) >= OWN_WORDS and len(words & title) >= len(words) * AGREED
    )
