"""Language tags as pages write them."""

from __future__ import annotations

import re


def primary(declared: str | None) -> str | None:
    """The language of a tag such as "en-US" or "zh_TW", in lower case; None for what is no tag."""
    found = re.match(r"[A-Za-z]{2,3}(?![A-Za-z])", declared.strip()) if declared else None
    return found[0].lower() if found else None
