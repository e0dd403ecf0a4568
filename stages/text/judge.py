"""What a fetched page is: an article, part of one, or something that stands in its place. Pure, and slow to accuse.

Little text is a condition of every accusation: a page with an article's worth of text passes, whatever else it says.
The figures come from the corpus of 41 real pages, whose shortest article page has 883 characters of visible text.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

import msgspec

from pipeline.lifecycle import Verdict
from stages.text.glance import Glance
from stages.text.signatures import (
    BARE,
    CAPTCHA_MARKERS,
    CAPTCHA_WORDS,
    CHALLENGES,
    CONSENTS,
    LOGIN_TITLES,
    NOT_FOUND,
    PAYWALL_TEXTS,
    SCRIPTS_WANTED,
    Signature,
)

STUB_WEIGHT: Final = 140  # less than two sentences
LITTLE_WEIGHT: Final = 1500  # what a challenge, a login or an error page says, with its footer
FRAME_LINKS: Final = 20  # an error page inside of a site's full frame: many links, hardly a paragraph,
FRAME_PARAGRAPHS: Final = 3
FRAME_CHARS_PER_LINK: Final = 60  # and little text beside the links
_WIDE: Final = re.compile("[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_WIDE_WEIGHT: Final = 2.5  # a CJK character says as much as this many letters
_PART: Final = re.compile(r"\s*[|\u2013\u2014·•:»«/]\s*|\s+-+\s+|\.\s+|[!?]\s*")
_ENDS: Final = " .,!?:;…\"'“”()[]#*"


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """`code` is set when the page is to be refused."""

    verdict: Verdict
    evidence: str
    code: str | None = None
    hint: str = ""


def judge(glance: Glance, *, whole: bool = True) -> Judgement:
    """The verdict on a page. `whole` is False for plain text, of which only emptiness is held against it."""
    if not glance.text_chars and not glance.scripts:
        return _refused(Verdict.STUB, "empty", "no visible text", "The page holds no text at all.")
    if not whole:
        return Judgement(verdict=Verdict.FULL, evidence=f"{glance.text_chars} characters of plain text")
    weight = _weight(glance)
    return (
        _challenge(glance, weight)
        or _not_found(glance, weight)
        or _wall(glance, weight)
        or _stub(glance, weight)
        or _passed(glance)
    )


def _weight(glance: Glance) -> float:
    """Characters of text, as if it were all letters."""
    if not glance.sample:
        return float(glance.text_chars)
    wide = len(_WIDE.findall(glance.sample)) / len(glance.sample)
    return glance.text_chars * (1 + wide * (_WIDE_WEIGHT - 1))


def _challenge(glance: Glance, weight: float) -> Judgement | None:
    if weight >= LITTLE_WEIGHT:
        return None
    name = _named(glance, CHALLENGES) or _captcha(glance)
    if name is None:
        return None
    return _refused(
        Verdict.BLOCKED,
        "challenge",
        f"a check by {name}",
        "The site wants to see a browser and sent a check instead of the page. Save it from your browser.",
    )


def _captcha(glance: Glance) -> str | None:
    """A captcha widget on a page that has little else and speaks of it."""
    words = " ".join((glance.title or "", *glance.headings[:3], glance.sample[:600])).lower()
    spoken = any(re.search(rf"\b{word}\b", words) for word in CAPTCHA_WORDS)
    if not spoken:
        return None
    markers = [marker.lower() for marker in glance.markers]
    return next((f"a captcha ({known})" for known in CAPTCHA_MARKERS if any(known in one for one in markers)), None)


def _not_found(glance: Glance, weight: float) -> Judgement | None:
    title, heading = says_not_found(glance.title), next(filter(None, map(says_not_found, glance.headings[:3])), None)
    said = title or heading
    if (
        not said
        or not (weight < LITTLE_WEIGHT or (title and heading and _framed(glance)))
        or (_plain(said) in BARE and not (title and heading))
    ):
        return None
    return _refused(
        Verdict.DEAD_LINK,
        "soft_404",
        f"the page calls itself “{said}”",
        "The site answers as if all were well, but the page says that it was not found.",
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
    return next((span for span in spans if _plain(span) in NOT_FOUND), None)


def _plain(text: str) -> str:
    return " ".join(text.replace("\u2019", "'").replace(",", " ").lower().split())


def _wall(glance: Glance, weight: float) -> Judgement | None:
    """Consent, login and pay walls that leave no article to read."""
    if weight >= LITTLE_WEIGHT:
        return None
    if name := _named(glance, CONSENTS):
        hint = "The site asks for consent first. Open it in your browser and save it from there."
        return _refused(Verdict.BLOCKED, "consent", f"a consent page of {name}", hint)
    called = _plain(glance.title or next(iter(glance.headings), ""))
    if glance.forms_password and called.startswith(LOGIN_TITLES):
        hint = "The page is behind a login, which Atlas does not have. Save it from your browser."
        return _refused(Verdict.BLOCKED, "login", "a login form and hardly anything else", hint)
    if weight < LITTLE_WEIGHT / 2 and (sold := _paywall(glance)):
        hint = "Only the beginning is there without a subscription. Save it from your browser when you are logged in."
        return _refused(Verdict.STUB, "paywall", f"“{sold}”", hint)
    return None


def _paywall(glance: Glance) -> str | None:
    text = glance.sample.lower()
    return next((words for words in PAYWALL_TEXTS if words in text), None)


def _stub(glance: Glance, weight: float) -> Judgement | None:
    if weight >= STUB_WEIGHT:
        return None
    wanted = glance.scripts and (weight == 0 or any(words in glance.sample.lower() for words in SCRIPTS_WANTED))
    hint = (
        "The page is made by scripts in the browser and holds no text itself. Save it from your browser."
        if wanted
        else "There is too little text for an article. Save it as a note if that is all there is."
    )
    return _refused(Verdict.STUB, "stub", f"{glance.text_chars} characters of text", hint)


def _passed(glance: Glance) -> Judgement:
    seen = f"{glance.text_chars} characters of text, {glance.paragraphs} paragraphs"
    sold = _paywall(glance) if glance.text_chars <= len(glance.sample) else None
    if sold:
        return Judgement(verdict=Verdict.PARTIAL, evidence=f"{seen}; “{sold}”")
    return Judgement(verdict=Verdict.FULL, evidence=seen)


def _named(glance: Glance, signatures: tuple[Signature, ...]) -> str | None:
    title, text = (glance.title or "").strip().lower(), glance.sample.lower().replace("\u2019", "'")
    markers = [marker.lower() for marker in glance.markers]
    for one in signatures:
        if (
            title.startswith(one.titles or ("\0",))
            or any(words in text for words in one.texts)
            or any(known in marker for known in one.markers for marker in markers)
        ):
            return one.name
    return None


def _refused(verdict: Verdict, code: str, evidence: str, hint: str) -> Judgement:
    return Judgement(verdict=verdict, evidence=evidence, code=code, hint=hint)
