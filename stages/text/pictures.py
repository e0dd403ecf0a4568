"""Images of an article: put back where they stood, after the text was extracted without them.

Extraction with images in it keeps too much: lists of links full of thumbnails look like content (word F1 over the
corpus falls from 0.93 to 0.90). So the text decides what the article is, and an image belongs to it when it stands
next to its text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urljoin

import msgspec
from lxml.etree import Element, _Element, iterwalk
from lxml.html import HtmlElement

from pipeline.documents import Image

IMAGES_MAX: Final = 100
SMALLEST: Final = 64  # pixels; what declares less is an icon or a counter
_SIGNIFICANT: Final = 20  # characters that make a piece of text a landmark
_AWAY: Final = 3  # foreign pieces of text (caption, credit, date) between an image and the article's own text
_KEY: Final = 100
_OUTSIDE: Final = frozenset({"nav", "footer", "aside", "header", "form", "button", "select", "script", "style", "svg"})
_SOURCES: Final = ("data-src", "data-original", "data-lazy-src", "data-hi-res-src", "src")
_NUMBER: Final = re.compile(r"\s*(\d{1,5})(?:px)?\s*$")


class _Place(msgspec.Struct):
    """An image between the article's own texts before and after it, counted in foreign pieces in between."""

    image: Image
    before: str | None
    before_away: int
    figure: bool
    after: str | None = None
    after_away: int = 0


def put_back(tree: HtmlElement, body: _Element, base: str) -> tuple[Image, ...]:
    """Insert the page's images into the extracted `body` as <graphic>; returns them in the order of the page."""
    if next(tree.iter("img"), None) is None:
        return ()
    landmarks = _landmarks(body)
    placed: list[Image] = []
    last: dict[_Element, _Element] = {}
    for place in _places(tree, landmarks, base):
        if place.after is not None and place.after_away <= _AWAY and place.before is None:
            landmarks[place.after].addprevious(_graphic(place.image))
        elif place.before is not None and (place.figure or place.after is not None) and place.before_away <= _AWAY:
            block = landmarks[place.before]
            graphic = _graphic(place.image)
            graphic.tail, anchor = None, last.get(block, block)
            anchor.addnext(graphic)
            last[block] = graphic
        else:
            continue
        placed.append(place.image)
    return tuple(placed)


def _graphic(image: Image) -> _Element:
    return Element("graphic", src=image.url, alt=image.alt)


def _landmarks(body: _Element) -> dict[str, _Element]:
    """The article's pieces of text, each with the child of the body it stands in. What occurs twice tells nothing."""
    found: dict[str, _Element] = {}
    twice: set[str] = set()
    for block in body:
        for piece in block.itertext():
            if key := _key(str(piece)):
                if key in found:
                    twice.add(key)
                found[key] = block
    return {key: block for key, block in found.items() if key not in twice}


def _key(text: str) -> str | None:
    line = " ".join(text[: _KEY * 8].split())[:_KEY]
    return line if len(line) >= _SIGNIFICANT else None


def _places(tree: HtmlElement, landmarks: dict[str, _Element], base: str) -> list[_Place]:
    places: list[_Place] = []
    seen: set[str] = set()
    before: str | None = None
    away = 0
    waiting = 0  # places[waiting:] have not yet met the text after them
    for thing in _pieces(tree):
        if isinstance(thing, str):
            if key := _key(thing):
                away = 0 if key in landmarks else away + 1
            if key and key in landmarks:
                before = key
                for place in places[waiting:]:
                    place.after = key
                waiting = len(places)
            elif key:
                for place in places[waiting:]:
                    place.after_away += 1
            continue
        image = _image(thing, base)
        if image and image.url not in seen and len(places) < IMAGES_MAX:
            seen.add(image.url)
            figure = any(parent.tag == "figure" for parent in thing.iterancestors())
            places.append(_Place(image=image, before=before, before_away=away, figure=figure))
    return places


def _pieces(tree: HtmlElement) -> Iterator[str | HtmlElement]:
    """Texts and images in page order, without what stands outside of any article."""
    outside = 0
    for event, element in iterwalk(tree, events=("start", "end")):
        if event == "start":
            outside += element.tag in _OUTSIDE
            if outside:
                continue
            if element.tag == "img":
                yield element
            if element.text and len(element.text) >= _SIGNIFICANT:
                yield element.text
        else:
            outside -= element.tag in _OUTSIDE
            if not outside and element.tail and len(element.tail) >= _SIGNIFICANT:
                yield element.tail


def _image(element: HtmlElement, base: str) -> Image | None:
    for side in ("width", "height"):
        size = _NUMBER.match(element.get(side) or "")
        if size and int(size[1]) < SMALLEST:
            return None
    for name in _SOURCES:
        if address := absolute(element.get(name), base):
            return Image(url=address, alt=" ".join((element.get("alt") or "")[:500].split()))
    if srcset := (element.get("data-srcset") or element.get("srcset")):
        last = srcset[:20_000].rsplit(", ", 1)[-1].split()
        if last and (address := absolute(last[0], base)):
            return Image(url=address, alt=" ".join((element.get("alt") or "")[:500].split()))
    return None


def absolute(address: str | None, base: str) -> str | None:
    """An absolute http(s) address of at most 2,000 characters, or None."""
    if not address or len(address) > 2000:
        return None
    try:
        joined = urljoin(base, address.strip())
    except ValueError:
        return None
    return joined if joined.startswith(("http://", "https://")) and len(joined) <= 2000 else None
