"""What was found out about a page, and how much text weighs: what all the rules of judge.py share."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from pipeline.lifecycle import Verdict
from stages.text.glance import Glance

STUB_WEIGHT: Final = 140  # less than two sentences
LITTLE_WEIGHT: Final = 1500  # what a challenge, a login or an error page says, with its footer
_WIDE: Final = re.compile("[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_WIDE_WEIGHT: Final = 2.5  # a CJK character says as much as this many letters


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """`code` is set when the page is to be refused; `evidence` names the rule and what it saw."""

    verdict: Verdict
    evidence: str
    code: str | None = None
    hint: str = ""
    similarity: float | None = None  # of a copy to what was sought


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """Where a page was asked for and where the fetch ended."""

    asked: str
    final: str


def refused(verdict: Verdict, code: str, evidence: str, hint: str) -> Judgement:
    return Judgement(verdict=verdict, evidence=evidence, code=code, hint=hint)


def weight_of(glance: Glance) -> float:
    """Characters of text, as if it were all letters."""
    return glance.text_chars * _density(glance.sample)


def weight(text: str) -> float:
    return len(text) * _density(text)


def _density(text: str) -> float:
    return 1 + len(_WIDE.findall(text)) / len(text) * (_WIDE_WEIGHT - 1) if text else 1.0
