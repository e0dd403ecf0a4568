"""What went wrong, in words that people use: the codes of reasons, and who is left alone."""

from __future__ import annotations

import re
from typing import Final

_CAUSES: Final = {
    "timeout": "No answer in time",
    "dns_failed": "Its name is not known to the network",
    "network_down": "This machine has no network",
    "connect_failed": "No connection",
    "tls_failed": "No secure connection",
    "protocol": "A broken answer",
    "too_large": "Too large",
    "redirect": "Redirects that lead nowhere",
    "address_denied": "A private address",
    "http_status": "The site answered with an error",
    "robots_denied": "The site keeps programs away",
    "breaker_open": "The site is left alone for now",
    "quota_spent": "Today's questions are used up",
    "challenge": "The site wants to see a browser",
    "consent": "The site asks for consent first",
    "login": "A login is wanted",
    "paywall": "The rest is sold",
    "parked": "Nobody is at this address",
    "suspended": "The site was closed by its host",
    "maintenance": "The site is being worked on",
    "boilerplate": "A menu or a notice, no article",
    "garbled": "The text cannot be read",
    "truncated": "The page breaks off",
    "stub": "Too little text",
    "not_alike": "Only another page was found",
    "soft_404": "The page is gone",
    "no_text": "No text on the page",
    "no_body": "Nothing was fetched",
    "empty": "An empty answer",
    "unsupported_type": "Not a page",
    "parse": "The page cannot be read",
    "parse_timeout": "Reading the page took too long",
    "parse_crashed": "The page crashed its reader",
    "store_unreadable": "The fetched page is missing or damaged",
    "poison": "The worker died of it",
    "deadline": "A step took too long",
    "stalled": "A step made no progress",
    "internal": "A fault of Atlas",
    "now_a_duplicate": "It leads to what is kept already",
    "now_partial": "It shows only a part now",
}
_CODE: Final = re.compile(r"[a-z][a-z0-9_]*")
_PROVIDERS: Final = {
    "wayback": "Wayback Machine",
    "archive_today": "archive.today",
    "google": "Google search",
    "searxng": "SearXNG",
    "brave": "Brave Search",
}


def cause(code: str) -> str:
    """The words for a code; one that this release does not know is shown as itself, and words stay as they are."""
    if not _CODE.fullmatch(code):
        return code or "No reason given"
    return _CAUSES.get(code) or code.replace("_", " ").capitalize()


def passer(name: str) -> str:
    """Whom a breaker guards: "example.org" of "host:example.org", a provider by its name."""
    kind, _, bare = name.partition(":")
    return _PROVIDERS.get(bare, bare) if kind == "provider" else bare


FILTERS: Final = {"cause": cause, "passer": passer}
