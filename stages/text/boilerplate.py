"""Text that nobody wrote for this page: menus, notices on cookies, one line again and again, set type."""

from __future__ import annotations

import re
from typing import Final

from pipeline.lifecycle import Verdict
from stages.text import signatures
from stages.text.glance import Glance
from stages.text.judgement import LITTLE_WEIGHT, STUB_WEIGHT, Judgement, refused, weight, weight_of
from stages.text.recognised import Page, seen

MENU_LINKS: Final = 8
MENU_CHARS: Final = 16.0  # mean length of a menu's links; the titles of articles are longer
SET_WEIGHT: Final = (
    600  # of set type, below which a page is a theme's and not a test of typesetting (in the corpus: 883)
)
SHINGLE: Final = 4  # words, or characters of a language without blanks, that are compared
LEAST_SHINGLES: Final = 40
ONCE_WEIGHT: Final = 30  # a sentence again and again may be meant; "Loading…" is not
OWN_PARAGRAPHS: Final = 2  # and words of a heading, from which on a short page is an article and not a notice
OWN_WORDS: Final = 3
_NOTICES: Final = signatures.of("notice")
_COOKIES: Final = signatures.strings("cookies", "texts")
_PLACEHOLDERS: Final = signatures.strings("placeholder", "texts")
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")  # noqa: RUF001 that is how CJK sentences end
_EMPTY_HINT: Final = "There is no article in the page. Save the page that the article is on."


def boilerplate(glance: Glance, page: Page) -> Judgement | None:
    """Only on pages with little text."""
    if weight_of(glance) >= LITTLE_WEIGHT:
        return None
    return _notice(glance, page) or _placeholder(glance, page) or _menu(glance) or _repeated(glance)


def _notice(glance: Glance, page: Page) -> Judgement | None:
    """A notice on cookies and hardly a sentence beside it. With a known platform's marks it is a consent wall."""
    words = [words for words in _COOKIES if words in page.text]
    if len(words) < 2 or _beside(page.text, _COOKIES) >= STUB_WEIGHT:
        return None
    hint = "The site asks for consent first. Open it in your browser and save it from there."
    if platform := seen(page, _NOTICES):
        return refused(Verdict.BLOCKED, "consent", f"a consent page of {platform.name}: {platform.said}", hint)
    if _is_titled(glance):
        return None
    evidence = f"a notice on cookies and nothing else: “{'”, “'.join(words[:3])}”"
    return refused(Verdict.STUB, "boilerplate", evidence, hint)


def _is_titled(glance: Glance) -> bool:
    """Whether some paragraphs stand below a heading that the title repeats: somebody writes about cookies."""
    title = signatures.plain(glance.title or "")
    own = (signatures.plain(line) for line in glance.headings[:3])
    return glance.paragraphs >= OWN_PARAGRAPHS and any(len(line.split()) >= OWN_WORDS and line in title for line in own)


def _placeholder(glance: Glance, page: Page) -> Judgement | None:
    words = [words for words in _PLACEHOLDERS if words in page.text]
    if not words or weight_of(glance) >= SET_WEIGHT or _beside(page.text, _PLACEHOLDERS) >= STUB_WEIGHT:
        return None
    return refused(Verdict.STUB, "boilerplate", f"set type and nothing else: “{words[0]}”", _EMPTY_HINT)


def _beside(text: str, phrases: tuple[str, ...]) -> float:
    """The weight of the sentences that hold none of the phrases."""
    rest = (sentence for sentence in _SENTENCE.split(text) if not any(words in sentence for words in phrases))
    return weight(" ".join(rest))


def _menu(glance: Glance) -> Judgement | None:
    """Short links and hardly a word beside them."""
    if glance.links < MENU_LINKS or glance.link_chars / glance.links >= MENU_CHARS or glance.paragraphs:
        return None
    if weight_of(glance) * max(0.0, 1 - glance.link_chars / max(1, glance.text_chars)) >= STUB_WEIGHT:
        return None
    evidence = f"{glance.links} links of a menu, {glance.link_chars} of {glance.text_chars} characters"
    return refused(Verdict.STUB, "boilerplate", evidence, _EMPTY_HINT)


def _repeated(glance: Glance) -> Judgement | None:
    """The same few words again and again: what is said once is less than a line."""
    pieces = _shingles(glance.sample)
    if len(pieces) < LEAST_SHINGLES:
        return None
    new = len(set(pieces)) / len(pieces)
    if new * weight(glance.sample) >= ONCE_WEIGHT:
        return None
    evidence = f"the same words again and again: “{pieces[0]}” ({new:.0%} of the text is new)"
    return refused(Verdict.STUB, "boilerplate", evidence, _EMPTY_HINT)


def _shingles(text: str) -> list[str]:
    words = text.split()
    if words and len(text) / len(words) > 20:  # a language without blanks
        return [text[at : at + SHINGLE] for at in range(len(text) - SHINGLE)]
    return [" ".join(words[at : at + SHINGLE]) for at in range(len(words) - SHINGLE)]
