"""Text that is none: read in the wrong charset, binary data shown as text, pages that break off."""

from __future__ import annotations

import re
from typing import Final

from pipeline.lifecycle import Verdict
from stages.text.glance import Glance
from stages.text.judgement import Judgement, refused, weight_of

LEAST_CHARS: Final = 40  # of text; in less nothing can be told
BAD_SHARE: Final = 0.05  # of characters that no text has; a page about encodings shows a few
PAIRS_SHARE: Final = 0.15  # of characters in pairs that UTF-8 read as Latin makes; French read so has 0.05, Russian 1.0
ACCENT_SHARE: Final = 0.6  # of accented letters among all; Vietnamese, the richest, has 0.3, Russian read as Latin 0.9
CUT_WEIGHT: Final = 500  # of a page that breaks off, below which the article is what is missing
_BAD: Final = re.compile("[\ufffd\x00-\x08\x0e-\x1f\x7f-\x9f]")
# The first byte of two in UTF-8, then the second, both as windows-1252 or Latin-1 show them.
_SECOND: Final = "\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"  # noqa: RUF001 that is what they look like
_PAIRS: Final = re.compile(f"[\u00c2-\u00df\u00e0-\u00ef][{_SECOND}]")
_ACCENTED: Final = re.compile("[\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff]")
_LETTER: Final = re.compile(r"[^\W\d_]")


def garbled(glance: Glance) -> Judgement | None:
    """Whatever its length: nobody can read such a text."""
    text = glance.sample
    if len(text) < LEAST_CHARS or (said := _garbage(text)) is None:
        return None
    hint = "The text cannot be read: the site sends it damaged, or says the wrong charset. Look at it in your browser."
    return refused(Verdict.STUB, "garbled", said, hint)


def _garbage(text: str) -> str | None:
    bad = len(_BAD.findall(text)) / len(text)
    if bad > BAD_SHARE:
        return f"{bad:.0%} of the characters are no text"
    pairs = _PAIRS.findall(text)
    share = 2 * len(pairs) / len(text)
    if share > PAIRS_SHARE:
        return f"{share:.0%} of the text is read in the wrong charset (“{''.join(pairs[:4])}”)"
    letters, accented = len(_LETTER.findall(text)), _ACCENTED.findall(text)
    if letters >= LEAST_CHARS and len(accented) / letters > ACCENT_SHARE:
        shown = "".join(accented[:8])
        return f"{len(accented) / letters:.0%} of the letters have accents (“{shown}”): the wrong charset"
    return None


def broken_off(glance: Glance) -> Judgement | None:
    """A page that ends in the middle of a tag or a script before its article has come."""
    if glance.cut is None or weight_of(glance) >= CUT_WEIGHT:
        return None
    hint = "The site sent only the beginning of the page. Send the item through again."
    evidence = f"the page breaks off inside of {glance.cut}, after {glance.text_chars} characters of text"
    return refused(Verdict.STUB, "truncated", evidence, hint)
