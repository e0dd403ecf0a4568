"""The one way in for a person's own saves: what the API and the add form sent becomes a checked submission."""

from __future__ import annotations

import unicodedata

from gateway.wire import NewItem
from pipeline.errors import BadUrl, Fault, InvalidInput
from pipeline.items import Kind, Submission
from pipeline.text.urls import canonicalise, strip_credentials

MAX_TITLE = 500
MAX_TAGS = 50
MAX_TAG = 100


def submission(new: NewItem, *, source: str, trace: dict[str, str] | None = None) -> Submission:
    """Raises InvalidInput with every fault that is found."""
    faults: list[Fault] = []
    key = _key(new, faults)
    tags = clean_tags(new.tags, faults)
    title = (new.title or "").strip() or None
    if title is not None:
        _check_line("title", title, MAX_TITLE, faults)
    text = new.text if new.text and new.text.strip() else None
    if text is not None and "\0" in text:
        faults.append(Fault(where="text", what="contains a NUL character", hint="remove it"))
    if faults:
        raise InvalidInput("The item has faults.", faults=tuple(faults))
    return Submission(
        url=strip_credentials(new.url.strip()) if key and new.url else None,
        url_key=key,
        kind=Kind.PAGE if key else Kind.NOTE,
        title=title,
        text=text,
        tags=tags,
        source=source,
        trace=trace or {},
    )


def _key(new: NewItem, faults: list[Fault]) -> str | None:
    """The canonical URL of a page, None for a note."""
    url = (new.url or "").strip()
    text = (new.text or "").strip()
    if not url:
        if not text:
            faults.append(Fault(where="url", what="is missing", hint="give a url to save a page, or a text for a note"))
        return None
    if text:
        faults.append(Fault(where="text", what="does not go with a url", hint="a note has no url: send two items"))
    return url_key(url, faults)


def url_key(url: str, faults: list[Fault]) -> str | None:
    """The canonical form; a URL that has none adds to the faults."""
    try:
        return canonicalise(url)
    except BadUrl as error:
        faults.append(Fault(where="url", what=error.message, hint=error.hint))
        return None


def clean_tags(given: tuple[str, ...], faults: list[Fault]) -> tuple[str, ...]:
    """Trimmed, lower-cased, each once, in the order given."""
    tags = tuple(dict.fromkeys(" ".join(tag.split()).lower() for tag in given))
    if len(tags) > MAX_TAGS:
        faults.append(Fault(where="tags", what=f"are {len(tags)}", hint=f"at most {MAX_TAGS} tags"))
    for index, tag in enumerate(tags[:MAX_TAGS]):
        if not tag:
            faults.append(Fault(where=f"tags[{index}]", what="is empty", hint="leave it out"))
        else:
            _check_line(f"tags[{index}]", tag, MAX_TAG, faults)
    return tags


def split_tags(text: str) -> tuple[str, ...]:
    """Tags as people type them in one field: separated by commas."""
    return tuple(tag for tag in (part.strip() for part in text.split(",")) if tag)


def _check_line(where: str, text: str, limit: int, faults: list[Fault]) -> None:
    if len(text) > limit:
        faults.append(Fault(where=where, what=f"is {len(text)} characters long", hint=f"at most {limit}"))
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text):
        faults.append(Fault(where=where, what="contains a control character", hint="remove it"))
