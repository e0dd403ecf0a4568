"""Pages that are not there although the server says so: by what they call themselves, or by where they sent us."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final
from urllib.parse import unquote, urlsplit

from pipeline.lifecycle import Verdict
from stages.text import signatures
from stages.text.glance import Glance
from stages.text.judgement import LITTLE_WEIGHT, Addresses, Judgement, refused, weight_of
from stages.text.likeness import Known, likeness
from stages.text.recognised import ARTICLE_CHARS

FRAME_LINKS: Final = 20  # an error page inside of a site's full frame: many links, hardly a paragraph,
FRAME_PARAGRAPHS: Final = 3
FRAME_CHARS_PER_LINK: Final = 60  # and little text beside the links
BARE_WEIGHT: Final = 350  # of a page that both title and heading call by a word that may be a headline
ABOUT_WORDS: Final = 3  # of a headline, beside the words for a missing page
DEEP_WORDS: Final = 3  # words in the last piece of a path that leads to one page and not to a section
AWAY: Final = 0.34  # likeness of a front page to an article's address, below which the article is not on it
_SENTENCE: Final = re.compile(r"[.!?]\s+")
_PART: Final = re.compile(r"\s*[|\u2013\u2014·•:»«/]\s*|\s+-+\s+|\.\s+|[!?]\s*")
_ENDS: Final = " .,!?:;…\"'“”()[]#*"
SENTENCE_WORDS: Final = 5  # of a sentence in the text that calls the page missing; shorter ones are said of anything
_NOT_FOUND: Final = frozenset(signatures.strings("soft_404", "says"))
_SENTENCES: Final = tuple(words for words in _NOT_FOUND if len(words.split()) >= SENTENCE_WORDS)
_BARE: Final = frozenset(signatures.strings("soft_404_bare", "says"))
_FRONT: Final = re.compile(r"/?(?:[a-z]{2}(?:-[a-z]{2})?/?)?(?:(?:index|default|home|main)(?:\.[a-z]{3,5})?/?)?")
_HINT: Final = "The site answers as if all were well, but the page is not there. It may have moved, or been taken down."


def called_missing(glance: Glance) -> Judgement | None:
    """A page whose title or heading says "not found" and nothing else, on little text or within a site's bare frame."""
    title, heading = says_not_found(glance.title), next(filter(None, map(says_not_found, glance.headings[:3])), None)
    said = title or heading or _said_below(glance)
    if not said or not (weight_of(glance) < LITTLE_WEIGHT or (title and heading and _framed(glance))):
        return None
    if _words(said) in _BARE and not (title and heading and (_framed(glance) or weight_of(glance) < BARE_WEIGHT)):
        return None
    if _is_about(glance, said):
        return None
    return refused(Verdict.DEAD_LINK, "soft_404", f"the page calls itself “{said}”", _HINT)


def _said_below(glance: Glance) -> str | None:
    """A whole sentence of a page of a few lines: "Lost? We can't find the page you're looking for."."""
    if weight_of(glance) >= BARE_WEIGHT or glance.paragraphs > 1:
        return None
    sentences = (_words(sentence) for sentence in _SENTENCE.split(glance.sample))
    return next((words for sentence in sentences for words in _SENTENCES if sentence.endswith(words)), None)


def _is_about(glance: Glance, said: str) -> bool:
    """Whether the heading says it within a longer headline that the title repeats: "404: the story of a number"."""
    if not glance.paragraphs or glance.text_chars < ARTICLE_CHARS:
        return False
    title, words = _words(glance.title or ""), _words(said).split()
    lines = (_words(line) for line in glance.headings[:3])
    return any(
        line in title and len(line.split()) >= len(words) + ABOUT_WORDS and said.lower() in line for line in lines
    )


def _framed(glance: Glance) -> bool:
    few = glance.paragraphs <= FRAME_PARAGRAPHS
    return few and glance.links >= FRAME_LINKS and glance.text_chars < FRAME_CHARS_PER_LINK * glance.links


def says_not_found(text: str | None) -> str | None:
    """The part of a title or heading that says "not found" and nothing else."""
    parts = [part.strip(_ENDS) for part in _PART.split((text or "")[:300])]
    told = [part for part in parts if part]
    # The parts, what two neighbours say together ("404 | Not found"), and the whole.
    spans = [*told, *(f"{first} {second}" for first, second in pairwise(told)), " ".join(told)]
    return next((span for span in spans if _words(span) in _NOT_FOUND or _words(span) in _BARE), None)


def _words(text: str) -> str:
    return " ".join(signatures.plain(text).replace(",", " ").replace("\u3001", " ").replace("\uff0c", " ").split())


def sent_away(glance: Glance, addresses: Addresses | None) -> Judgement | None:
    """One page was asked for, and the fetch ended at the front page of its site, which does not speak of it."""
    if addresses is None:
        return None
    asked, final = urlsplit(addresses.asked), urlsplit(addresses.final)
    at_front = _FRONT.fullmatch(final.path.lower()) and not final.query
    if not at_front or not _is_deep(asked.path) or not _same_site(asked.hostname, final.hostname):
        return None
    found = likeness(Known(title=None, url=addresses.asked), glance)
    if found is not None and found >= AWAY:
        return None
    seen = f"{asked.path[:80]} led to the site's front page"
    return refused(Verdict.DEAD_LINK, "soft_404", seen, _HINT)


def _is_deep(path: str) -> bool:
    """Whether a path leads to one page: some words or a number in its last piece, and not the front page itself."""
    if _FRONT.fullmatch(path.lower()):
        return False
    last = unquote(path.rstrip("/").rpartition("/")[2])
    words = [word for word in re.split(r"[\W_]+", last) if word]
    return len(words) >= DEEP_WORDS or bool(re.search(r"\d{4,}", last)) or (not last.isascii() and len(last) >= 4)


def _same_site(asked: str | None, final: str | None) -> bool:
    """By name alone: one is the other, or a part of it, but for "www." and "m."."""
    first, second = (re.sub(r"^(?:www\d?|m|mobile)\.", "", host or "") for host in (asked, final))
    return bool(first) and (first == second or first.endswith(f".{second}") or second.endswith(f".{first}"))
