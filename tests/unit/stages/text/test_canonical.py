"""What a page says its address is, where it may be believed."""

from __future__ import annotations

import pytest

from stages.text.canonical import named_key

PAGE = "https://www.example.com/2024/article?print=1"
SHORT = "https://short.test/x"

BELIEVED = [
    "https://www.example.com/2024/article",
    "https://example.com/2024/article",
    "https://m.example.com/2024/article",
    "https://news.example.com/article",
    "https://www.example.com/2024/",
    "https://www.example.com/?p=12",
]

NOT_BELIEVED = [
    None,
    "",
    "https://",
    "javascript:void(0)",
    PAGE,  # itself
    "https://www.example.com/",  # the front page
    "https://example.com/#top",
    "https://other.test/2024/article",  # another site
    "https://example.com.other.test/2024/article",
    "https://notexample.com/2024/article",
    "https://com/2024/article",
]


@pytest.mark.parametrize("said", BELIEVED)
def test_an_address_on_the_pages_own_site_is_believed(said: str) -> None:
    assert named_key(said, PAGE, SHORT)


@pytest.mark.parametrize("said", NOT_BELIEVED)
def test_an_address_elsewhere_the_front_page_and_the_page_itself_are_not(said: str | None) -> None:
    assert named_key(said, PAGE, SHORT) is None


@pytest.mark.parametrize(
    ("said", "own"),
    [
        ("https://one.github.io/a", "https://two.github.io/a"),
        ("https://one.co.uk/a", "https://two.co.uk/a"),
        ("http://10.0.0.1:80/a", "http://110.0.0.1:80/a"),
        ("https://0.0.1.test/a", "https://10.0.0.1/a"),
    ],
)
def test_sites_beside_each_other_are_not_one(said: str, own: str) -> None:
    assert named_key(said, own) is None
