"""What one look at a page tells, without extracting it: the facts that validation judges by."""

from __future__ import annotations

import msgspec

SAMPLE_CHARS = 3000  # of visible text kept as the sample
# Markers: "#id", ".class", the addresses of scripts, iframes and forms, and inline scripts shorter than MARKER_CHARS;
# the first are kept. "schema:isAccessibleForFree=false" is one, too: the page's structured data says so.
MARKERS_MAX = 400
MARKER_CHARS = 200


class Glance(msgspec.Struct, frozen=True, kw_only=True):
    """Bounded facts of one page. Visible text leaves out script, style, template, noscript and head."""

    title: str | None
    headings: tuple[str, ...]  # h1 to h3 in page order, at most 20
    text_chars: int  # characters of visible text, runs of white space counted as one
    sample: str  # the first SAMPLE_CHARS of it
    paragraphs: int  # <p> with at least 40 characters of text
    links: int  # <a href>
    link_chars: int  # characters of visible text in links
    scripts: int
    forms_password: int  # <input type=password>
    meta_refresh: str | None  # the content attribute, as it stands
    canonical: str | None  # rel=canonical, absolute
    cut: str | None  # what the page breaks off inside of ("a tag", "a script"); None when it does not
    markers: tuple[str, ...]  # see MARKERS_MAX
