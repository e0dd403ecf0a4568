"""What stands in an article's place, by category: the table of signatures.toml, read once and held to its rules.

A fault in the table is a fault of this release: it fails the import, with every fault named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Final, Literal

import msgspec

Category = Literal[
    "challenge", "captcha", "consent", "notice", "cookies", "login", "login_path", "login_host", "login_back",
    "paywall", "sold", "soft_404", "soft_404_bare", "parked", "server", "listing", "suspended", "maintenance",
    "placeholder", "scripts",
]  # fmt: skip

_ADDRESS: Final = re.compile(r"https?://[\w.-]+/\S*")
_STRINGS: Final = ("titles", "texts", "markers", "addresses", "says")


class Signature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Any one of its strings is enough. signatures.toml says where each kind is looked for."""

    category: Category
    name: str
    source: str  # addresses, set apart by blanks, of where its strings were found
    titles: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    markers: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    says: tuple[str, ...] = ()


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    signature: tuple[Signature, ...]


class SignatureFault(ValueError):
    """The table breaks its own rules."""


def read(text: str) -> tuple[Signature, ...]:
    """The table. Raises SignatureFault naming everything that is wrong with it."""
    try:
        table = msgspec.toml.decode(text, type=_Table)
    except msgspec.DecodeError as error:
        raise SignatureFault(f"signatures.toml: {error}") from error
    if found := list(_faults(table.signature)):
        raise SignatureFault("signatures.toml: " + "; ".join(found))
    return table.signature


def _faults(signatures: tuple[Signature, ...]) -> Iterator[str]:
    names = [(one.category, one.name) for one in signatures]
    for one in signatures:
        where = f"{one.category} “{one.name}”"
        if names.count((one.category, one.name)) > 1:
            yield f"{where} is there twice"
        if not one.source.strip():
            yield f"{where} names no source"
        if strange := [word for word in one.source.split() if not _ADDRESS.fullmatch(word)]:
            yield f"{where} names a source that is no address: {' '.join(strange)}"
        strings = [string for kind in _STRINGS for string in getattr(one, kind)]
        if not strings:
            yield f"{where} looks for nothing"
        for string in strings:
            # What is found is compared in lower case with straight quotes: anything else would never be found.
            if string != plain(string) or len(string) < 2:
                yield f"{where}: “{string}” is not in lower case with straight quotes, or too short"


def plain(text: str) -> str:
    """As signatures are written: lower case, straight quotes. Blanks are kept: "404 " is not "404"."""
    return text.replace("\u2019", "'").replace("\u2018", "'").replace("\u201c", '"').replace("\u201d", '"').lower()


ALL: Final = read(files("stages.text").joinpath("signatures.toml").read_text("utf-8"))


def of(category: Category) -> tuple[Signature, ...]:
    """The entries of a category, in the order of the table."""
    return tuple(one for one in ALL if one.category == category)


def strings(category: Category, kind: Literal["titles", "texts", "says"]) -> tuple[str, ...]:
    """All strings of one kind in a category."""
    return tuple(string for one in of(category) for string in getattr(one, kind))
