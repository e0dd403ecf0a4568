"""Which characters a body's bytes mean: BOM, then the HTTP header, then what the page says itself, then a guess.

Order and labels follow the WHATWG Encoding Standard as far as Python's codecs go. A declared charset that plainly
does not fit is a lie and is passed over.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Final

from charset_normalizer import from_bytes

PRESCAN_BYTES: Final = 4096  # the standard says 1024; many pages put scripts before their meta tag
GUESS_BYTES: Final = 64 * 1024
LIE: Final = 0.1  # share of undecodable bytes among those past ASCII, above which a charset is not believed
TELLING: Final = 8  # this many bytes past ASCII that are valid UTF-8 are UTF-8, whatever is declared
_ASCII: Final = bytes(range(128))

_BOMS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))

# Labels that browsers read as a superset (encoding.spec.whatwg.org, section 4.2), by Python's codec names.
_SUPERSETS: Final = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "hz": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "johab": "cp949",
    "big5": "big5hkscs",
    "utf-16": "utf-16-le",
}
_LABELS: Final = {
    "x-sjis": "cp932",
    "windows-31j": "cp932",
    "x-gbk": "gb18030",
    "x-euc-jp": "euc_jp",
    "windows-874": "cp874",
    "windows-949": "cp949",
    "ks_c_5601-1987": "cp949",
    "x-x-big5": "big5hkscs",
    "big5-hkscs": "big5hkscs",
    "x-cp1251": "cp1251",
    "x-cp1252": "cp1252",
    "x-cp1250": "cp1250",
    "unicode-1-1-utf-8": "utf-8",
    "utf8": "utf-8",
    "x-mac-cyrillic": "mac_cyrillic",
    "macintosh": "mac_roman",
}
_META: Final = re.compile(rb"<meta\b[^>]{0,1000}", re.IGNORECASE)
_CHARSET: Final = re.compile(rb"charset\s{0,20}=\s{0,20}[\"']?\s{0,20}([A-Za-z0-9_:.\-]{1,40})", re.IGNORECASE)
_XML: Final = re.compile(rb"^\s{0,20}<\?xml\b[^>]{0,200}?encoding\s{0,20}=\s{0,20}[\"']([A-Za-z0-9_.\-]{1,40})")
# Character sets that pages are really in. Python lists more codecs: some are none, and UTF-7 hides markup from whoever
# looks at bytes.
_TEXT: Final = re.compile(
    r"utf-(?:8|16|32)|iso8859|iso2022|cp\d|koi8|mac-|gb|big5|euc_|shift_jis|tis-620|kz1048|ptcp154|johab|hz|ascii"
)


def codec_of(label: str | None) -> str | None:
    """Python's codec for a charset label as servers and pages write it; None when no such text codec exists."""
    if not label:
        return None
    name = label.strip().strip("\"'").lower()
    if name in _LABELS:
        return _LABELS[name]
    try:
        info = codecs.lookup(name)
    except (LookupError, ValueError):
        return None
    if not _TEXT.match(info.name):
        return None
    return _SUPERSETS.get(info.name, info.name)


def declared(content: bytes) -> str | None:
    """The codec that the body itself names in its first bytes (meta tag or XML declaration)."""
    start = content[:PRESCAN_BYTES]
    if match := _XML.search(start):
        return _ascii_based(codec_of(match[1].decode("ascii")))
    for tag in _META.finditer(start):
        if match := _CHARSET.search(tag[0]):
            return _ascii_based(codec_of(match[1].decode("ascii")))
    return None


def _ascii_based(codec: str | None) -> str | None:
    """A label that was read as ASCII cannot truly mean UTF-16: browsers take UTF-8."""
    return "utf-8" if codec in ("utf-16-le", "utf-16-be", "utf-32") else codec


def decode(content: bytes, header: str | None = None) -> tuple[str, str]:
    """The text of `content` and the codec it was read with. Never raises; what cannot be read becomes U+FFFD."""
    for bom, codec in _BOMS:
        if content.startswith(bom):
            return content[len(bom) :].decode(codec, "replace"), codec
    named = tuple(dict.fromkeys(filter(None, (codec_of(header), declared(content)))))
    high = len(content.translate(None, _ASCII))
    if high >= TELLING or named[:1] in ((), ("utf-8",)):
        try:
            return _utf8(content), "utf-8"
        except UnicodeDecodeError:
            pass
    return _best(content, named, high)


def _utf8(content: bytes) -> str:
    """Strict, but a body may have been cut off within its last character."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    text = decoder.decode(content)
    return f"{text}\ufffd" if decoder.getstate()[0] else text


def _best(content: bytes, named: tuple[str, ...], high: int) -> tuple[str, str]:
    """The first of what is declared that fits, else what is guessed, else the least damaged."""
    tries: list[tuple[float, str, str]] = []
    for codec in _candidates(content, named):
        text = content.decode(codec, "replace")
        damage = text.count("\ufffd") / max(1, high)
        if damage <= LIE:
            return text, codec
        tries.append((damage, text, codec))
    return min(tries, key=lambda attempt: attempt[0])[1:]


def _candidates(content: bytes, named: tuple[str, ...]) -> Iterator[str]:
    yield from named
    if guessed := _guess(content):
        yield guessed
    yield "utf-8"


def _guess(content: bytes) -> str | None:
    match = from_bytes(content[:GUESS_BYTES]).best()
    return codec_of(match.encoding) if match else None
