"""Which items a retry or a replay is for: `error:timeout site:example.com older:7d`, a frozen value. Pure.

    error:CODE  site:HOST (and below it)  state:dead  stage:acquire or stage:130  verdict:blocked  tag:"two words"
    source:feed  older:7d  newer:24h (than the last change of stage or state)

Terms of the same key are alternatives, different keys must all hold, and a leading `-` turns one round.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Final

import msgspec

from pipeline.errors import BadUrl, Fault, InvalidInput
from pipeline.lifecycle import Stage, State, Verdict
from pipeline.text.urls import canonicalise, host_of

MAX_LENGTH: Final = 1000  # characters
MAX_TERMS: Final = 32


class Key(StrEnum):
    """What a term can ask for."""

    ERROR = "error"  # the code of the item's reason
    SITE = "site"
    STATE = "state"
    STAGE = "stage"
    VERDICT = "verdict"
    TAG = "tag"
    SOURCE = "source"  # how it came in; "feed" is any feed
    OLDER = "older"
    NEWER = "newer"


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """One condition. `value` is in its one spelling: a stage is "100-199" or "130", an age whole seconds."""

    key: Key
    value: str
    negated: bool = False


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """All terms that were given, each once; at least one when it was parsed."""

    terms: tuple[Term, ...]


# The actors by name, as the range of their numbers.
_ACTORS: Final = {
    "discover": "0-99",
    "acquire": "100-199",
    "validate": "200-299",
    "extract": "300-399",
    "enrich": "400-499",
    "finalise": "500-599",
}
_STAGES: Final = _ACTORS | {stage.name.lower(): str(stage.value) for stage in Stage}
_UNITS: Final = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_TERM: Final = re.compile(r'(?P<minus>-)?(?P<key>[^\s":]+):(?:"(?P<quoted>[^"]*)"|(?P<plain>[^\s"]+))(?!\S)')
_CHUNK: Final = re.compile(r'(?:"[^"]*"?|[^\s"])+')
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,59}")
_AGE: Final = re.compile(r"([0-9]{1,6})([smhdw])")
_FORM: Final = "write key:value, for example site:example.com"


def parse(text: str) -> Selection:
    """The meaning of `text`. Raises InvalidInput with every fault, each with what it may have been meant to be."""
    if len(text) > MAX_LENGTH:
        raise _invalid([Fault(where="where", what=f"is longer than {MAX_LENGTH} characters")])
    faults: list[Fault] = []
    terms = tuple(dict.fromkeys(_terms(text, faults)))
    if not terms and not faults:
        faults.append(Fault(where="where", what="is empty", hint=_FORM))
    if len(terms) > MAX_TERMS:
        faults.append(Fault(where="where", what=f"has {len(terms)} terms", hint=f"at most {MAX_TERMS}"))
    if faults:
        raise _invalid(faults)
    return Selection(terms=terms)


def describe(selection: Selection) -> str:
    """The selection as text that parses to it again."""
    return " ".join(f"{'-' * term.negated}{term.key}:{_spelled(term)}" for term in selection.terms)


def within(selection: Selection, states: Iterable[State]) -> Selection:
    """The same among items in one of `states`, unless it asks for a state itself."""
    if any(term.key is Key.STATE and not term.negated for term in selection.terms):
        return selection
    added = tuple(Term(key=Key.STATE, value=state) for state in states)
    return Selection(terms=(*selection.terms, *added))


def _invalid(faults: list[Fault]) -> InvalidInput:
    return InvalidInput("The selection has faults.", faults=tuple(faults), hint="known keys: " + ", ".join(Key))


def _terms(text: str, faults: list[Fault]) -> Iterator[Term]:
    for chunk in _CHUNK.findall(text):
        found = _TERM.fullmatch(chunk)
        if found is None:
            faults.append(Fault(where=chunk[:80], what="is not a term", hint=_FORM))
            continue
        name = found["key"].lower()
        if name not in Key.__members__.values():
            faults.append(Fault(where=chunk[:80], what=f"there is no key {name[:40]}", hint=_meant(name, Key)))
            continue
        key = Key(name)
        value, hint = _READERS[key](found["quoted"] if found["plain"] is None else found["plain"])
        if value is None:
            faults.append(Fault(where=chunk[:80], what=f"is not a {key} that can be asked for", hint=hint))
        else:
            yield Term(key=key, value=value, negated=found["minus"] is not None)


Read = tuple[str | None, str]  # the value in its one spelling or None, and what is allowed


def _error(text: str) -> Read:
    code = text.lower()
    return (code if _CODE.fullmatch(code) else None), "the code of an error, for example timeout"


def _site(text: str) -> Read:
    try:
        host = host_of(canonicalise(f"http://{text}"))
        again = host_of(canonicalise(f"http://{host}"))
    except BadUrl:
        host, again = "", ""
    is_host = bool(host) and host == again and not re.search(r"[/?#@:]", text)
    return (host if is_host else None), "a host name, for example example.com"


def _one_of(known: dict[str, str]) -> Callable[[str], Read]:
    def read(text: str) -> Read:
        value = text.lower().replace("-", "_")
        return known.get(value), _meant(value, known)

    return read


def _stage(text: str) -> Read:
    value = text.lower().replace("-", "_")
    if value.isascii() and value.isdigit() and len(value) <= 3:
        number = int(value)
        actor = next((span for span in _ACTORS.values() if span.startswith(f"{number}-")), None)
        return actor or (str(number) if number in Stage.__members__.values() else None), "a number of the life cycle"
    return _STAGES.get(value), _meant(value, _STAGES)


def _tag(text: str) -> Read:
    tag = " ".join(text.split()).lower()
    return (tag if _is_line(tag, 100) else None), "1 to 100 characters"


def _source(text: str) -> Read:
    return (text if _is_line(text, 100) and not re.search(r"\s", text) else None), "api, ui, cli, feed or feed:ID"


def _age(text: str) -> Read:
    found = _AGE.fullmatch(text.lower())
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    return (str(seconds) if 0 < seconds <= 10**9 else None), "a number with m, h, d or w, for example 7d"


_READERS: Final[dict[Key, Callable[[str], Read]]] = {
    Key.ERROR: _error,
    Key.SITE: _site,
    Key.STATE: _one_of({state.value: state.value for state in State}),
    Key.STAGE: _stage,
    Key.VERDICT: _one_of({verdict.value: verdict.value for verdict in Verdict}),
    Key.TAG: _tag,
    Key.SOURCE: _source,
    Key.OLDER: _age,
    Key.NEWER: _age,
}


def _is_line(text: str, most: int) -> bool:
    return 0 < len(text) <= most and not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text)


def _meant(given: str, known: Iterable[str]) -> str:
    names = [str(name) for name in known]
    near = difflib.get_close_matches(given[:40], names, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else "one of " + ", ".join(names)


def _spelled(term: Term) -> str:
    match term.key:
        case Key.STAGE:
            return next((name for name, span in _STAGES.items() if span == term.value), term.value)
        case Key.OLDER | Key.NEWER:
            seconds = int(term.value)
            unit = next(unit for unit, length in _UNITS.items() if seconds % length == 0 and seconds // length < 10**6)
            return f"{seconds // _UNITS[unit]}{unit}"
        case _:
            return f'"{term.value}"' if re.search(r"\s", term.value) else term.value
