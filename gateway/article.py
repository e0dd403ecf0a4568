"""An article's HTML on its way to a reader: sanitised again, and without pictures that other hosts would see loaded."""

from __future__ import annotations

import html
import re

from markupsafe import escape

from gateway.wording import href
from pipeline.text.sanitise import sanitise

# Exact on the sanitiser's own output: there every attribute is in double quotes, and text holds no bare "<".
_TAG = re.compile(r'<(/?[a-zA-Z][a-zA-Z0-9]*)([^<>"]*(?:"[^"]*"[^<>"]*)*)>')
_ATTRIBUTE = re.compile(r'([a-z-]+)="([^"]*)"')


# A heading with nothing before it but the starts of what contains it; again exact on the sanitiser's output.
_FIRST_HEADING = re.compile(
    r"\s*(?:<(?:div|article|section|header|main)[^<>]*>\s*)*(<(h[1-3])[^<>]*>(.{0,1000}?)</\2>)", re.DOTALL
)


def safe_html(stored: str, *, title: str | None = None) -> str:
    """Sanitised at write already, but the rules may be stricter by now; in place of a picture stands its text.

    A first heading that says the `title` again is left out: the page shows it above the article.
    """
    return _without_pictures(_without_title(sanitise(stored), title))


def _without_title(clean: str, title: str | None) -> str:
    found = _FIRST_HEADING.match(clean)
    if title is None or found is None or _words(_TAG.sub("", found[3])) != _words(escape(title)):
        return clean
    return clean[: found.start(1)] + clean[found.end(1) :]


def _words(markup: str) -> list[str]:
    return html.unescape(markup).casefold().split()


def _without_pictures(clean: str) -> str:
    links = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal links
        tag = match[1].lower()
        if tag == "img":
            return _picture(dict(_ATTRIBUTE.findall(match[2])), inside_link=links > 0)
        links += {"a": 1, "/a": -1}.get(tag, 0)
        return match[0]

    return _TAG.sub(replace, clean)


def _picture(attributes: dict[str, str], *, inside_link: bool) -> str:
    words = html.unescape(attributes.get("alt", "")).strip()
    address = href(html.unescape(attributes.get("src", "")))
    text = escape(words or "Picture")
    if inside_link or not address:
        return f'<span class="picture">{text}</span>'
    return f'<a class="picture" href="{escape(address)}" rel="noreferrer noopener">{text}</a>'
