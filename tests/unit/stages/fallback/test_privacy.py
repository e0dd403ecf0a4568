"""Which addresses others are told."""

from __future__ import annotations

import pytest

from stages.fallback.privacy import may_be_told
from tests.unit.stages.fallback.elsewhere import Elsewhere


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/a",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://[::1]:8080/a",
        "http://[::ffff:10.0.0.1]/",
        "http://203.0.113.7/a",
        "http://nas/photos",
        "http://nas:5000/photos",
        "https://wiki.local/a",
        "https://wiki.internal./a",
        "https://router.home.arpa/",
        "https://printer.LAN/",
        "https://build.corp/",
        "http://expyuzz4wqqyqhjn.onion/",
        "https://name:word@example.org/a",
        "https://name@example.org/a",
        "https://example.org/share?token=abc",
        "https://example.org/a?page=2&access_token=abc",
        "https://example.org/a;X-Amz-Signature=abc",
        "https://example.org/reset?q=1&password=abc",
        "http:///nothing",
        "http://[broken",
    ],
)
def test_what_means_something_only_inside_is_nobodys_business(url: str) -> None:
    assert not may_be_told(url)


@pytest.mark.parametrize(
    "url", ["https://example.org/a", "http://example.org:8080/?page=2&q=token", "https://localhost.example.com/", "https://xn--bcher-kva.de/"]
)  # fmt: skip
def test_a_public_name_may_be_told(url: str) -> None:
    assert may_be_told(url)


ALL = ("browser", "wayback", "archive_today", "google", "searxng", "brave")


async def test_of_a_private_address_only_the_site_itself_is_asked(world: Elsewhere) -> None:
    chain = world.chain(*ALL)
    assert [one.name for one in chain.left("http://nas/photos", ())] == ["browser"]
    assert chain.left("http://nas/photos", ("browser",)) == ()
    assert [one.name for one in chain.left("https://example.org/a", ())] == list(ALL)


async def test_who_wants_others_to_be_told_says_so(world: Elsewhere) -> None:
    chain = world.chain(*ALL, ask_about_private=True)
    assert [one.name for one in chain.left("http://nas/photos", ("wayback",))] == [
        name for name in ALL if name != "wayback"
    ]
