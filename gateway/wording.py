"""Numbers, times and states in words that people use; also the filters of the templates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from gateway.shape import iso, stage_name
from pipeline.errors import BadUrl
from pipeline.items import Item
from pipeline.lifecycle import IN_FLIGHT, Stage, State
from pipeline.text.urls import canonicalise, complete, host_of

_UNITS = (("year", 31_557_600), ("month", 2_629_800), ("day", 86_400), ("hour", 3600), ("minute", 60))
_SHORT = {"year": "y", "month": "mo", "day": "d", "hour": "h", "minute": "min"}
_RTL = frozenset({"ar", "arc", "ckb", "dv", "fa", "he", "iw", "ks", "ku", "ps", "sd", "ug", "ur", "yi"})
_STAGES = {
    Stage.PENDING: "waiting for room",
    Stage.QUEUED: "queued",
    Stage.FETCHING: "fetching",
    Stage.FETCH_FAILED: "could not be fetched",
    Stage.FALLING_BACK: "looking elsewhere",
    Stage.RETRIEVED_ELSEWHERE: "found elsewhere",
    Stage.VALIDATING: "checking",
    Stage.PASSED: "checked",
    Stage.FAILED: "failed the check",
    Stage.PROCESSING: "extracting",
    Stage.ENRICHING: "enriching",
    Stage.FINALISING: "filing",
    Stage.CROSS_REFERENCED: "cross-referenced",
}
_VERDICTS = {
    "full": "Complete article",
    "partial": "Part of the article",
    "stub": "Only a stub",
    "blocked": "The site blocked us",
    "dead_link": "Dead link",
}


def duration(seconds: float) -> str:
    """The largest unit alone, short: "now", "42 s", "3 min", "5 h", "2 d"."""
    for unit, length in _UNITS:
        if seconds >= length:
            return f"{int(seconds // length)} {_SHORT[unit]}"
    return f"{int(seconds)} s" if seconds >= 1 else "now"


def ago(then_ms: int, now_ms: int) -> str:
    """In words: "just now", "3 minutes ago", "in 2 hours"."""
    seconds = (now_ms - then_ms) / 1000
    for unit, length in _UNITS:
        if abs(seconds) >= length:
            count = int(abs(seconds) // length)
            amount = f"{count} {unit}{'' if count == 1 else 's'}"
            return f"{amount} ago" if seconds > 0 else f"in {amount}"
    return "just now" if seconds >= 0 else "in a moment"


def milliseconds(value: float) -> str:
    """A step's duration: "12 ms", "3.4 s", "2 min"."""
    if value < 1000:
        return f"{value:.0f} ms"
    return f"{value / 1000:.1f} s" if value < 60_000 else duration(value / 1000)


def size(count: int) -> str:
    if count < 1000:
        return f"{count} B"
    power = 1 if count < 999_500 else 2 if count < 999_500_000 else 3
    amount, unit = count / 1000**power, ("kB", "MB", "GB")[power - 1]
    return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:.0f} {unit}"


def number(value: int) -> str:
    """With thin spaces between thousands, which read right in every language."""
    return f"{value:,}".replace(",", "\u202f")


def moment(ms: int) -> str:
    """Date and time, to the second, in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%d %b %Y, %H:%M:%S UTC").lstrip("0")


def clock(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%H:%M:%S")


def day(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%d %b %Y").lstrip("0")


def published(text: str) -> str:
    """A document's own date, which is ISO 8601 or whatever the page claimed."""
    try:
        return datetime.fromisoformat(text).strftime("%d %B %Y").lstrip("0")
    except ValueError:
        return text


def stage(code: int) -> str:
    known = _STAGES.get(Stage(code)) if code in Stage.__members__.values() else None
    return known or stage_name(code).replace("_", " ")


def verdict(value: str) -> str:
    return _VERDICTS.get(value, value)


def direction(language: str | None) -> str:
    """For `dir`: by the language where it is known, else by the text itself."""
    if not language:
        return "auto"
    return "rtl" if language.split("-")[0].lower() in _RTL else "ltr"


def href(url: str | None) -> str:
    """An address that is safe to link to, "" for one that is not http or https."""
    try:
        return complete(url or "")
    except BadUrl:
        return ""


def host(url: str | None) -> str:
    try:
        return host_of(canonicalise(url or "")).removeprefix("www.")
    except BadUrl:
        return ""


def title(item: Item) -> str:
    return item.title or item.given_title or _bare(item.url) or "Untitled note"


def _bare(url: str | None) -> str:
    """An address as a title: without what every address begins with."""
    return (url or "").removeprefix("https://").removeprefix("http://").removesuffix("/")


def is_in_flight(item: Item) -> bool:
    return State(item.state) in IN_FLIGHT


FILTERS: dict[str, Callable[..., str]] = {
    "ago": ago,
    "bytes": size,
    "clock": clock,
    "day": day,
    "direction": direction,
    "duration": duration,
    "host": host,
    "href": href,
    "iso": iso,
    "milliseconds": milliseconds,
    "moment": moment,
    "number": number,
    "published": published,
    "stage": stage,
    "title_of": title,
    "verdict": verdict,
}
