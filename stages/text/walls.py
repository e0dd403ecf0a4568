"""What stands in front of an article: checks for robots, consent, logins, paywalls; and sites that are no more.

A page with an article's worth of text is never one of these: sites behind such services have their scripts everywhere.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from pipeline.lifecycle import Verdict
from stages.text import signatures
from stages.text.glance import Glance
from stages.text.judgement import LITTLE_WEIGHT, Addresses, Judgement, refused, weight_of
from stages.text.recognised import Page, Seen, is_headlined, seen
from stages.text.signatures import Category

CAPTCHA_WORDS: Final = re.compile(
    r"\b(?:captcha|robots?|robô|humans?|automated|unusual traffic|security check|bots?|roboter|mensch|humain|humano"
    r"|робот)\b"
)
SPOKEN_CHARS: Final = 600  # of the text, in which a page that is nothing but a captcha speaks of it
SPELLED_CHARS: Final = 8  # a way back shorter than this may stand in any address

_CHALLENGES: Final = signatures.of("challenge")
_CAPTCHAS: Final = signatures.of("captcha")
_CONSENTS: Final = signatures.of("consent")
_LOGINS: Final = signatures.of("login")
_LOGIN_PATHS: Final = frozenset(signatures.strings("login_path", "says"))
_LOGIN_HOSTS: Final = frozenset(signatures.strings("login_host", "says"))
_LOGIN_BACK: Final = frozenset(signatures.strings("login_back", "says"))
_PAYWALLS: Final = signatures.of("paywall")
_SOLD: Final = signatures.of("sold")
_LISTINGS: Final = signatures.of("listing")
# Code, verdict, what it is called and what to do about sites that are not there.
_ABSENT: Final[tuple[tuple[Category, str, Verdict, str, str], ...]] = (
    (
        "parked",
        "parked",
        Verdict.DEAD_LINK,
        "a parked domain ({})",
        "Nobody lives at this address any more: the domain is parked or for sale.",
    ),
    (
        "server",
        "parked",
        Verdict.DEAD_LINK,
        "a server's own page ({})",
        "There is an empty web server at this address; the site has gone or moved.",
    ),
    (
        "suspended",
        "suspended",
        Verdict.DEAD_LINK,
        "a suspended site ({})",
        "The site has been closed by its host; it may come back.",
    ),
    (
        "maintenance",
        "maintenance",
        Verdict.BLOCKED,
        "a site under maintenance ({})",
        "The site is being worked on. Send the item through again later.",
    ),
)
_ABSENT_SIGNATURES: Final = {category: signatures.of(category) for category, *_ in _ABSENT}


def challenge(glance: Glance, page: Page) -> Judgement | None:
    """A check for robots, by its maker's marks or by a captcha on a page that speaks of one."""
    if weight_of(glance) >= LITTLE_WEIGHT:
        return None
    found = _told(glance, seen(page, _CHALLENGES)) or _captcha(glance, page)
    if found is None:
        return None
    hint = "The site wants to see a browser and sent a check instead of the page. Save it from your browser."
    return refused(Verdict.BLOCKED, "challenge", f"a check by {found.name}: {found.said}", hint)


def _captcha(glance: Glance, page: Page) -> Seen | None:
    words = " ".join((page.title, *map(signatures.plain, glance.headings[:3]), page.text[:SPOKEN_CHARS]))
    return seen(page, _CAPTCHAS) if CAPTCHA_WORDS.search(words) and not is_headlined(glance) else None


def consent(glance: Glance, page: Page) -> Judgement | None:
    found = seen(page, _CONSENTS) if weight_of(glance) < LITTLE_WEIGHT else None
    if found is None:
        return None
    hint = "The site asks for consent first. Open it in your browser and save it from there."
    return refused(Verdict.BLOCKED, "consent", f"a consent page of {found.name}: {found.said}", hint)


def login(glance: Glance, page: Page, addresses: Addresses | None) -> Judgement | None:
    """A page that the fetch was sent on to so as to log in, or one that is a login form and hardly anything else."""
    little = weight_of(glance) < LITTLE_WEIGHT
    sent = addresses and _sent_to_login(addresses)
    if sent and (glance.forms_password or little):
        evidence = f"sent on to a login: {sent}"
    elif little and glance.forms_password and (named := seen(page, _LOGINS)):
        evidence = f"a login form and hardly anything else: {named.said}"
    else:
        return None
    hint = "The page is behind a login, which Atlas does not have. Save it from your browser."
    return refused(Verdict.BLOCKED, "login", evidence, hint)


def _sent_to_login(addresses: Addresses) -> str | None:
    """What shows that a fetch ended at a login that was not asked for: its path, or its host and a way back."""
    asked, final = urlsplit(addresses.asked.lower()), urlsplit(addresses.final.lower())
    if (asked.netloc, asked.path) == (final.netloc, final.path) or _LOGIN_PATHS & set(asked.path.split("/")):
        return None
    segments = [segment for segment in final.path.split("/") if segment]
    by_path = bool(_LOGIN_PATHS & set(segments[-2:]))
    label = (final.hostname or "").partition(".")[0]
    by_host = label in _LOGIN_HOSTS and (asked.hostname or "").partition(".")[0] not in _LOGIN_HOSTS
    if by_path or (by_host and _leads_back(final.query, asked.netloc, asked.path)):
        return f"{final.netloc}{final.path}"[:200]
    return None


def _leads_back(query: str, host: str, path: str) -> bool:
    fields = parse_qsl(query[:4000], max_num_fields=None)
    back = [value for name, value in fields[:50] if name.replace("-", "_") in _LOGIN_BACK]
    return any(host in value or (len(path) >= SPELLED_CHARS and path in value) for value in back)


def paywall(glance: Glance, page: Page) -> Judgement | None:
    """Only the beginning is there. More of it than that passes, as a part (judge.py)."""
    found = sold(page) if weight_of(glance) < LITTLE_WEIGHT / 2 else None
    if found is None:
        return None
    hint = "Only the beginning is there without a subscription. Save it from your browser when you are logged in."
    return refused(Verdict.STUB, "paywall", f"the rest is sold: {found.said}", hint)


def sold(page: Page) -> Seen | None:
    return seen(page, _PAYWALLS) or seen(page, _SOLD)


def offered(page: Page) -> Seen | None:
    """The words alone: structured data is on pages that are given away whole, too."""
    return seen(page, _PAYWALLS)


def absent(glance: Glance, page: Page) -> Judgement | None:
    """A domain for sale, an empty server, a site that was closed."""
    if weight_of(glance) >= LITTLE_WEIGHT:
        return None
    for category, code, verdict, called, hint in _ABSENT:
        if found := _told(glance, seen(page, _ABSENT_SIGNATURES[category])):
            return refused(verdict, code, f"{called.format(found.name)}: {found.said}", hint)
    if (found := seen(page, _LISTINGS)) and glance.paragraphs == 0 and glance.links:
        hint = "This is a list of files. Save the file that you want to keep."
        return refused(Verdict.STUB, "parked", f"{found.name}: {found.said}", hint)
    return None


def _told(glance: Glance, found: Seen | None) -> Seen | None:
    """Words and scripts prove nothing below a headline of its own: somebody writes of such pages, or is behind one."""
    return None if found and found.weak and is_headlined(glance, found.said) else found
