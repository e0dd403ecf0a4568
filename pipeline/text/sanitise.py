"""Sanitising: article markup by an allow-list, nothing that runs, nothing that is loaded without being asked for.

Used when a document is written and again when it is read: a hole closed tomorrow is closed for what was kept yesterday.
"""

from __future__ import annotations

import re
from html import unescape
from typing import Final
from urllib.parse import urljoin

import nh3

_TAGS: Final = frozenset(
    """
    h1 h2 h3 h4 h5 h6 p br hr div span section article header footer aside main nav address blockquote pre code samp kbd
    var a img figure figcaption picture ul ol li dl dt dd table caption colgroup col thead tbody tfoot tr th td
    b strong i em u s del ins mark small sub sup q cite abbr dfn time bdi bdo ruby rb rt rp wbr details summary tt big
    """.split()  # noqa: SIM905 - a table reads better than a list
)

# Their content is no text for a reader; every other tag that is not allowed leaves its text behind. Buttons and
# marquees also end what a paragraph may hold, so that leaving only their content would parse differently next time.
_REMOVED: Final = frozenset(
    """
    script style template noscript noembed noframes iframe object embed applet svg math title textarea select xmp
    plaintext frameset canvas audio video head button marquee
    """.split()  # noqa: SIM905
)

_ATTRIBUTES: Final[dict[str, set[str]]] = {
    "*": {"lang", "dir"},
    "a": {"href", "title"},
    "abbr": {"title"},
    "blockquote": {"cite"},
    "col": {"span"},
    "colgroup": {"span"},
    "del": {"cite", "datetime"},
    "details": {"open"},
    "dfn": {"title"},
    "img": {"src", "alt", "title", "width", "height"},
    "ins": {"cite", "datetime"},
    "li": {"value"},
    "ol": {"start", "reversed", "type"},
    "q": {"cite"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "time": {"datetime"},
}

_NUMBERS: Final = frozenset({"width", "height", "colspan", "rowspan", "span", "start", "value"})

_NUMBER: Final = re.compile(r"-?[0-9]{1,5}")
_LANGUAGE: Final = re.compile(r"[A-Za-z0-9-]{1,35}")
_WEB: Final = re.compile(r"https?://[^/\\?#\s]", re.IGNORECASE)
_MAIL: Final = re.compile(r"mailto:[^\s<>]+@", re.IGNORECASE)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
# Browsers skip some of these inside a URL, so that `java<tab>script:` is javascript; none has a place in one.
_INVISIBLE: Final = dict.fromkeys(
    [*range(0x21), 0x7F, *range(0x80, 0xA1), 0xAD, *range(0x200B, 0x2010), *range(0x2028, 0x202F), 0x2060, 0xFEFF]
)
# A parser drops the first line break of a `pre`, so one more has to be written; attributes hold no line breaks here.
_PRE: Final = re.compile(r"(<pre(?: [a-z]+=\"[^\"]*\")*>)\n")

_PASSES: Final = 4  # invalid nesting settles after two or three

# Browsers repeat formatting left open in every block that follows, and look through all open elements at each new one:
# 20 KB can become 6 MB and take seconds. Real articles stay under a million.
_EFFORT: Final = 10_000_000
_TAG: Final = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]{0,20})[^<]*")
# The parser takes quadratic time over character references: 0.1 s for this many, 10 s for a million.
_AMPERSANDS: Final = 100_000
_BARE: Final = re.compile(r"<[^<>]*>")
_MARKUP: Final = str.maketrans("<>&", "   ")
_FORMATTING: Final = frozenset("a b big code em font i nobr s small strike strong tt u".split())  # noqa: SIM905
_CLOSE_THEMSELVES: Final = frozenset(
    """
    br hr img wbr col input link meta area base embed source track p li dt dd tr td th tbody thead tfoot option rb rt rp
    """.split()  # noqa: SIM905
)


def sanitise(html: str, base_url: str | None = None) -> str:
    """The markup of `html` that is safe to show, idempotent. Relative addresses need a `base_url`, else they go.

    Never fails: broken markup comes back whole, markup made to exhaust a parser as its text only.
    Whether images load is for the page's Content-Security-Policy to say.
    """
    if html.count("&") > _AMPERSANDS or _exhausting(html):
        html = unescape(_BARE.sub(" ", html)).translate(_MARKUP)
    clean = _pass(_cleaner(base_url) if base_url else _CLEANER, html)
    for _ in range(_PASSES):
        again = _pass(_CLEANER, clean)
        if again == clean:
            return clean
        clean = again
    return _TEXT_ONLY.clean(clean)


def _exhausting(html: str) -> bool:
    """Whether parsing would take more than _EFFORT, in elements looked at and characters repeated."""
    effort = depth = repeated = 0
    open_sizes: dict[str, list[int]] = {}
    for found in _TAG.finditer(html):
        name = found[2].lower()
        sizes = open_sizes.setdefault(name, []) if name not in _CLOSE_THEMSELVES else []
        size = found.end() - found.start() if name in _FORMATTING else 0
        if found[1] and sizes:
            depth -= 1
            repeated -= sizes.pop()
        elif not found[1]:
            effort += depth + repeated
            if name not in _CLOSE_THEMSELVES:
                depth += 1
                repeated += size
                sizes.append(size)
        if effort > _EFFORT:
            return True
    return False


def _pass(cleaner: nh3.Cleaner, html: str) -> str:
    return _PRE.sub(r"\1\n\n", cleaner.clean(html))


def _cleaner(base_url: str | None) -> nh3.Cleaner:
    def keep(tag: str, name: str, value: str) -> str | None:
        return _attribute(tag, name, value, base_url)

    return nh3.Cleaner(
        tags=set(_TAGS),
        clean_content_tags=set(_REMOVED),
        attributes=_ATTRIBUTES,
        attribute_filter=keep,
        link_rel="noopener noreferrer nofollow",
        url_schemes={"http", "https", "mailto"},
    )


def _attribute(tag: str, name: str, value: str, base_url: str | None) -> str | None:
    """The value to keep, None to drop the attribute."""
    if name in {"href", "src", "cite"}:
        return _address(value, base_url, mail=tag == "a")
    if name in _NUMBERS:
        return value if _NUMBER.fullmatch(value) else None
    if name == "dir":
        return value.lower() if value.lower() in {"ltr", "rtl", "auto"} else None
    if name == "lang":
        return value if _LANGUAGE.fullmatch(value) else None
    return " ".join(value.split())


def _address(value: str, base_url: str | None, *, mail: bool) -> str | None:
    value = value.strip().replace(" ", "%20").translate(_INVISIBLE)
    if mail and _MAIL.match(value):
        return value
    if base_url and not _SCHEME.match(value):
        try:
            value = urljoin(base_url, value)
        except ValueError:
            return None
    return value if _WEB.match(value) else None


_CLEANER: Final = _cleaner(None)
_TEXT_ONLY: Final = nh3.Cleaner(tags=set(), attributes={}, link_rel=None)
