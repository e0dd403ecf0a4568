"""What a fetched page is: an article, part of one, or something that stands in its place. Pure, and slow to accuse.

Little text is a condition of every accusation but garbage: a page with an article's worth of text passes, whatever
else it says. The figures come from the corpus of 41 real pages, whose shortest article has 883 characters of text.
`just bench verdicts` counts what these rules refuse, rightly and wrongly.
"""

from __future__ import annotations

from typing import Final

from pipeline.lifecycle import Verdict
from stages.text import signatures
from stages.text.boilerplate import boilerplate
from stages.text.damage import broken_off, garbled
from stages.text.glance import Glance
from stages.text.judgement import STUB_WEIGHT, Addresses, Judgement, refused, weight_of
from stages.text.missing import called_missing, sent_away
from stages.text.recognised import Page
from stages.text.walls import absent, challenge, consent, login, offered, paywall

_SCRIPTS_WANTED: Final = signatures.strings("scripts", "texts")


def judge(glance: Glance, *, whole: bool = True, addresses: Addresses | None = None) -> Judgement:
    """The verdict on a page. `whole` is False for plain text, of which only emptiness and garbage are held against it.

    `addresses` are known for what the site itself sent; of a copy they would say nothing.
    """
    page = Page.of(glance, addresses)
    if not whole:
        plain = Judgement(verdict=Verdict.FULL, evidence=f"{glance.text_chars} characters of plain text")
        return _empty(glance) or garbled(glance) or plain
    return (
        challenge(glance, page)
        or absent(glance, page)
        or _empty(glance)
        or called_missing(glance)
        or consent(glance, page)
        or login(glance, page, addresses)
        or sent_away(glance, addresses)
        or garbled(glance)
        or paywall(glance, page)
        or boilerplate(glance, page)
        or broken_off(glance)
        or _stub(glance)
        or _passed(glance, page)
    )


def _empty(glance: Glance) -> Judgement | None:
    if glance.text_chars or glance.scripts or glance.cut:
        return None
    return refused(Verdict.STUB, "empty", "no visible text", "The page holds no text at all.")


def _stub(glance: Glance) -> Judgement | None:
    weight = weight_of(glance)
    if weight >= STUB_WEIGHT:
        return None
    text = signatures.plain(glance.sample)
    wanted = glance.scripts and (weight == 0 or any(words in text for words in _SCRIPTS_WANTED))
    hint = (
        "The page is made by scripts in the browser and holds no text itself. Save it from your browser."
        if wanted
        else "There is too little text for an article. Save it as a note if that is all there is."
    )
    return refused(Verdict.STUB, "stub", f"{glance.text_chars} characters of text", hint)


def _passed(glance: Glance, page: Page) -> Judgement:
    seen = f"{glance.text_chars} characters of text, {glance.paragraphs} paragraphs"
    if glance.cut:
        return Judgement(verdict=Verdict.PARTIAL, evidence=f"{seen}; the page breaks off inside of {glance.cut}")
    found = offered(page) if glance.text_chars <= len(glance.sample) else None
    if found:
        return Judgement(verdict=Verdict.PARTIAL, evidence=f"{seen}; the rest is sold: {found.said}")
    return Judgement(verdict=Verdict.FULL, evidence=seen)
