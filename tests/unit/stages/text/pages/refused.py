"""All pages that are to be refused, by the family that the bench counts them in."""

from __future__ import annotations

from tests.unit.stages.text.pages.absent import FRONTS, MISSING, PARKED
from tests.unit.stages.text.pages.checks import CAPTCHAS, CHALLENGES, CONSENTS, LOGINS, PAYWALLS
from tests.unit.stages.text.pages.hollow import BOILERPLATE, EMPTY, GARBLED, STUBS, TRUNCATED
from tests.unit.stages.text.pages.page import Sample

REFUSED: tuple[Sample, ...] = (
    *CHALLENGES, *CAPTCHAS, *CONSENTS, *LOGINS, *PAYWALLS, *MISSING, *FRONTS, *PARKED, *BOILERPLATE, *GARBLED,
    *TRUNCATED, *EMPTY, *STUBS,
)  # fmt: skip
