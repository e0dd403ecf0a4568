"""Every link of a page leads somewhere: to a file of the checkout, to a heading, or to a well-formed address."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.documents import ROOT, pages, read


def wrong(page: Path, link: str) -> str:
    """What is wrong with a link; "" when nothing is. Addresses are not fetched."""
    parts = urlsplit(link)
    if parts.scheme in {"http", "https"}:
        return "" if parts.hostname and "." in parts.hostname else "is no address of a host"
    if parts.scheme:
        return "" if parts.scheme == "mailto" and "@" in parts.path else f"has the scheme {parts.scheme}"
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not target.exists():
        return "leads to no file"
    if not target.is_relative_to(ROOT):
        return "leads out of the checkout"
    if parts.fragment and parts.fragment not in {each.anchor for each in read(target).headings}:
        return "leads to no heading"
    return ""


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_file_a_heading_or_a_well_formed_address(page: Path) -> None:
    found = {link: wrong(page, link) for link in read(page).links}
    assert {link: what for link, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "link", ["nowhere.md", "README.md#no-such-heading", "http://", "../../etc/passwd", "ftp://a.b"]
)
def test_a_link_that_leads_nowhere_is_found(link: str) -> None:
    assert wrong(ROOT / "README.md", link)


def test_every_page_can_be_reached_from_the_first_one() -> None:
    """GitHub shows some by itself; a person with the folder alone has only the links."""
    reached, left = set[Path](), [ROOT / "README.md"]
    while left:
        page = left.pop()
        reached.add(page)
        for link in read(page).links:
            target = (page.parent / unquote(urlsplit(link).path)).resolve()
            if target.suffix == ".md" and target not in reached and target.exists():
                left.append(target)
    assert set(pages()) - reached == set()
