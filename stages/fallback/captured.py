"""The fourteen digits by which archives name a moment: 20261124093015, in UTC."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

_DIGITS: Final = re.compile(r"[0-9]{14}")


def digits_of(wall_ms: int) -> str:
    """A moment as archives write it."""
    return dt.datetime.fromtimestamp(wall_ms / 1000, dt.UTC).strftime("%Y%m%d%H%M%S")


def moment_of(digits: str) -> int | None:
    """Wall milliseconds; None for what is no moment."""
    if not _DIGITS.fullmatch(digits):
        return None
    try:
        moment = dt.datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=dt.UTC)
    except ValueError:
        return None
    return round(moment.timestamp() * 1000)
