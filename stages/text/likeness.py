"""How like a page is to what is known of the one that is sought: shared words of titles, and of an address's end.

Robust to a site's name beside the title, case, accents, punctuation, inflection, and to a slug in Latin letters for a
title in Cyrillic or Greek. Chinese, Japanese and Korean are compared by pairs of characters. Nothing here is learnt:
`just bench verdicts` prints how far the corpus's pages stand apart.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec

from stages.text.glance import Glance

SLUG_WORDS: Final = 2  # fewer say nothing
SURE_WORDS: Final = 4  # of a slug; with fewer, all of them may well stand in another title
START_CHARS: Final = 1200  # of the text, in which an article without a heading names its subject
START_WORTH: Final = 0.6  # of a title's words found there and not in a title
LINES: Final = 12  # headings that are compared

_SEPARATOR: Final = re.compile(r"\s+[|\u2013\u2014·•:»«/\\@-]+\s+|\s*[|»«]\s*|\s*::\s*|:\s+")
_WIDE: Final = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]+")
_WORD: Final = re.compile(r"[^\W_]+")
_ENDING: Final = re.compile(r"\.(?:html?|php\d?|aspx?|jsp|shtml|xhtml|amp|md|txt|cfm)$", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[0-9]+|[0-9a-f]*[0-9][0-9a-f]{5,}|[a-z]{0,3}[0-9]{4,}")
_STOP: Final = frozenset(
    """
    a an and are as at be by for from has have how i in into is it its of on or s t that the their this to was we what
    when who why will with you your der die das den dem des ein eine einer und oder ist im von zu zum zur mit auf fur
    bei nicht wie le la les l un une du de d et ou est en dans pour sur au aux par que qui ce el los las una y o es del
    al con para se su lo il gli di e da che per non como os um uma do dos na no em com het een van op te voor niet och
    att som pa av til fra
    """.split()  # noqa: SIM905 - a table reads better than a list
)
# As slugs are written: GOST 7.79 system B and ELOT 743 without their marks.
_LETTERS: Final = """
    абвгдезийклмнопрстуфыэіґ abvgdeziiklmnoprstufyeig
    αβγδεζηικλμνξοπρσςτυφω avgdeziiklmnxoprsstyfo
"""
_CLUSTERS: Final = """
    ё e ж zh х kh ц ts ч ch ш sh щ shch ю yu я ya є ie ї i ђ dj ј j љ lj њ nj ћ c џ dz θ th χ ch ψ ps
    ß ss æ ae ø o ł l đ d ı i œ oe
"""  # noqa: RUF001 Cyrillic and Greek it is


def _table() -> dict[int, str]:
    letters, clusters = _LETTERS.split(), _CLUSTERS.split()
    table = {"ъ": "", "ь": ""}
    for alphabet, latin in zip(letters[::2], letters[1::2], strict=True):
        table |= dict(zip(alphabet, latin, strict=True))
    return str.maketrans(table | dict(zip(clusters[::2], clusters[1::2], strict=True)))


_LATIN: Final = _table()
_UMLAUTS: Final = str.maketrans({"ä": "a", "ö": "o", "ü": "u"})


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the page that is sought."""

    title: str | None  # that a person or a feed gave it
    url: str  # its address, whose last piece often is its title


def likeness(known: Known, found: Glance) -> float | None:
    """From 0 to 1; None when nothing is known that could be compared."""
    title, slug = _words(known.title or ""), slug_words(known.url)
    lines = [words for line in _lines(found) if (words := _words(line))]
    start = frozenset(_words(found.sample[:START_CHARS]))
    scores: list[float] = []
    if title:
        scores.append(max([_both_ways(title, line) for line in lines] + [START_WORTH * _share(title, start)]))
    if slug and not _other_script(slug, found):
        sure = min(1.0, len(slug) / SURE_WORDS)
        best = max([_share(slug, line) for line in lines] + [START_WORTH * _share(slug, start)])
        scores.append(best * sure if title or sure < 1 else best)
    return max(scores) if scores else None


def slug_words(url: str) -> tuple[str, ...]:
    """The words of an address's last telling piece; () when it has none."""
    path = urlsplit(url).path
    for piece in reversed([piece for piece in path.split("/") if piece][-3:]):
        words = _words(_ENDING.sub("", unquote(piece)).replace("_", " "))
        told = tuple(word for word in words if not _NUMBER.fullmatch(word))
        if len(told) >= SLUG_WORDS:
            return told
    return ()


def _lines(found: Glance) -> Iterator[str]:
    """The title whole and in its parts, and the headings: a site's name may stand on either side."""
    if found.title:
        yield found.title
        parts = [part for part in _SEPARATOR.split(found.title) if part]
        yield from parts
        for at in range(1, len(parts)):
            yield " ".join(parts[:at])
            yield " ".join(parts[at:])
    yield from found.headings[:LINES]


def _words(text: str) -> tuple[str, ...]:
    """Folded words without those that every text has, unless there are no others."""
    folded = _folded(text)
    wide = [pair for run in _WIDE.findall(folded) for pair in _pairs(run)]
    words = [*_WORD.findall(_WIDE.sub(" ", folded)), *wide]
    return tuple(dict.fromkeys(word for word in words if word not in _STOP)) or tuple(dict.fromkeys(words))


def _folded(text: str) -> str:
    """Lower case, no accents, Latin letters for Cyrillic and Greek ones, umlauts in either spelling alike."""
    whole = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'").replace("'s ", " ")
    composed = whole.translate(_UMLAUTS)
    bare = "".join(sign for sign in unicodedata.normalize("NFD", composed) if not unicodedata.combining(sign))
    latin = unicodedata.normalize("NFC", bare).translate(_LATIN)
    return latin.replace("ae", "a").replace("oe", "o").replace("ue", "u")


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)] or [run]


def _both_ways(known: Sequence[str], line: Sequence[str]) -> float:
    """The harmonic mean of the shares of each in the other."""
    first, second = _share(known, line), _share(line, known)
    return 2 * first * second / (first + second) if first + second else 0.0


def _share(words: Sequence[str], among: Sequence[str] | frozenset[str]) -> float:
    """The share of `words` that stand in `among`, by length: long words say more."""
    exact = among if isinstance(among, frozenset) else frozenset(among)
    total = sum(map(_worth, words))
    met = sum(_worth(word) for word in words if word in exact or _inflected(word, exact))
    return met / total if total else 0.0


def _worth(word: str) -> float:
    return 2.0 if _WIDE.match(word) else min(8, max(2, len(word)))


def _inflected(word: str, among: frozenset[str]) -> bool:
    """Whether another form of the word is there: the same beginning, and an ending of at most a third."""
    if len(word) < 5 or _WIDE.match(word):
        return False
    stem = word[: max(4, len(word) - max(1, len(word) // 4))]
    return any(other.startswith(stem) and abs(len(other) - len(word)) <= max(2, len(word) // 3) for other in among)


def _other_script(slug: Sequence[str], found: Glance) -> bool:
    """A slug in Latin letters says nothing about a title in characters that are not spelled (pinyin, romaji)."""
    title = found.title or next(iter(found.headings), "")
    wide = sum(len(run) for run in _WIDE.findall(title))
    return wide * 2 > len(_WORD.sub("", title)) + wide and not any(_WIDE.match(word) for word in slug) and wide > 3
