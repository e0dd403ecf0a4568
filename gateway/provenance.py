"""Where a text came from, in words: who had it, and how it was found when that is not its own address."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from gateway.causes import passer
from gateway.wording import host
from pipeline.items import Capture

_DIRECT: Final = "direct"
_BROWSER: Final = "browser"
_ARCHIVES: Final = frozenset({"wayback", "archive_today"})


def provider(name: str) -> str:
    """Who was asked: "the site itself", "the Wayback Machine"."""
    if name == _DIRECT:
        return "the site itself"
    if name == _BROWSER:
        return "the site itself, asked as a browser would"
    return f"the {passer('provider:wayback')}" if name == "wayback" else passer(f"provider:{name}")


def recovered(capture: Capture) -> str:
    """A sentence on how the text was had although its own address did not give it; "" when that did."""
    when = _date(capture.captured_at)
    if capture.provider == _DIRECT:
        return ""
    if capture.provider == _BROWSER:
        return f"The site refused Atlas and gave this to a request that looks like a browser's, on {when}."
    if capture.provider in _ARCHIVES:
        found = f"Recovered from {provider(capture.provider)}, captured {when}"
    else:
        found = f"Recovered from a copy at {host(capture.url)}, found by {provider(capture.provider)} on {when}"
    alike = "" if capture.similarity is None else f", {round(capture.similarity * 100)} % like what was saved"
    return f"{found}{alike}."


def _date(wall_ms: int) -> str:
    return datetime.fromtimestamp(wall_ms / 1000, UTC).strftime("%d %B %Y").lstrip("0")


FILTERS: Final[dict[str, Callable[..., str]]] = {"provider": provider, "recovered": recovered}
