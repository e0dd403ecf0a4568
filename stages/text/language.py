"""Which language a text is in: by its letters; what the page declares decides when the text is too short to tell."""

from __future__ import annotations

import re
from typing import Final

import py3langid

from stages.text.declared import primary

SAMPLE_CHARS: Final = 2000  # more tells nothing more, and the time grows with it
SHORT_WORDS: Final = 40
_CJK: Final = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_LETTER: Final = re.compile(r"[^\W\d_]")
# Scripts that only some languages are written in: a declared language that cannot be written so is not plausible.
_SCRIPTS: Final = (
    (re.compile("[\u3040-\u30ff]"), frozenset({"ja"})),
    (re.compile("[\uac00-\ud7af]"), frozenset({"ko"})),
    (re.compile("[\u4e00-\u9fff]"), frozenset({"zh", "ja", "ko"})),
    (re.compile("[\u0590-\u05ff]"), frozenset({"he", "yi"})),
    (re.compile("[\u0600-\u06ff]"), frozenset({"ar", "fa", "ur", "ps", "ug", "ku", "sd"})),
    (
        re.compile("[\u0400-\u04ff]"),
        frozenset({"ru", "uk", "be", "bg", "sr", "mk", "kk", "ky", "mn", "tg", "uz", "tt"}),
    ),
    (re.compile("[\u0370-\u03ff]"), frozenset({"el"})),
    (re.compile("[\u0e00-\u0e7f]"), frozenset({"th"})),
    (re.compile("[\u0900-\u097f]"), frozenset({"hi", "mr", "ne", "sa"})),
)
_OTHERS: Final = frozenset().union(*(languages for _, languages in _SCRIPTS)) - {"sr", "uz", "ku"}


def is_cjk(text: str) -> bool:
    """Whether a text is written mainly without spaces between words: Chinese, Japanese (Korean is not)."""
    sample = text[:SAMPLE_CHARS]
    return len(_CJK.findall(sample)) * 2 > len(_LETTER.findall(sample)) and not _mainly(sample, _SCRIPTS[1][0])


def language_of(text: str, declared: str | None) -> str | None:
    """ISO 639-1. `declared` as pages write it ("en-US", "zh_TW"); None when nothing can be told."""
    said = primary(declared)
    sample = text[:SAMPLE_CHARS]
    if not _LETTER.search(sample):
        return said
    few = len(_CJK.findall(sample)) + len(sample.split()) < SHORT_WORDS
    if few and said and _plausible(said, sample):
        return said
    found, _ = py3langid.classify(sample)
    return str(found)


def _mainly(text: str, letters: re.Pattern[str]) -> bool:
    return len(letters.findall(text)) * 2 > len(_LETTER.findall(text))


def _plausible(said: str, text: str) -> bool:
    for letters, languages in _SCRIPTS:
        if _mainly(text, letters):
            return said in languages
    return said not in _OTHERS
