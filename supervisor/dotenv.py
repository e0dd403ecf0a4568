"""Reads `.env`: NAME=value a line, `export`, comments, single and double quotes; nothing is expanded or run."""

from __future__ import annotations

import re
from typing import Final

from pipeline.errors import Fault

_LINE: Final = re.compile(r"(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?P<value>.*)")
_SINGLE: Final = re.compile(r"'(?P<text>[^']*)'\s*(?:#.*)?")
_DOUBLE: Final = re.compile(r'"(?P<text>(?:[^"\\]|\\.)*)"\s*(?:#.*)?')
_ESCAPE: Final = re.compile(r"\\(.)")
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t"}


def parse(content: str, where: str) -> tuple[dict[str, str], list[Fault]]:
    """The variables of a file's `content`, and what could not be read. The last of two equal names counts."""
    values: dict[str, str] = {}
    faults: list[Fault] = []
    for number, raw in enumerate(content.removeprefix("\ufeff").splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        value = None if match is None else _value(match["value"])
        if match is None:
            faults.append(Fault(where=f"{where}:{number}", what="not a line of the form NAME=value"))
        elif value is None:
            faults.append(
                Fault(where=f"{where}:{number}", what=f"{match['name']}: the quotes do not close on this line")
            )
        else:
            values[match["name"]] = value
    return values, faults


def _value(text: str) -> str | None:
    """A value without its quotes and its comment; None when the quotes are broken."""
    if text.startswith("'"):
        match = _SINGLE.fullmatch(text)
        return None if match is None else match["text"]
    if text.startswith('"'):
        match = _DOUBLE.fullmatch(text)
        return None if match is None else _ESCAPE.sub(lambda found: _ESCAPES.get(found[1], found[1]), match["text"])
    # A comment begins after a blank: a # inside a URL or a password belongs to the value.
    return "" if text.startswith("#") else re.split(r"\s+#", text, maxsplit=1)[0].rstrip()
