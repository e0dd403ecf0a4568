"""Plain text, and the scanner of last resort."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.text.plain import from_plain, visible


def test_hard_wrapped_lines_are_one_paragraph() -> None:
    document = from_plain("Title\r\n=====\r\n\r\nfirst line\r\nsecond line\r\n\r\n<b> & more\r\n", method="plain")
    assert document.text == "Title =====\nfirst line second line\n<b> & more"
    assert document.title == "Title"
    assert "<p>&lt;b&gt; &amp; more</p>" in document.html


def test_the_scanner_shows_what_a_browser_would() -> None:
    markup = "<head><title>t</title></head><script>if (a<b) {}</script><p>One &amp; <b>two</b><!-- no -->"
    markup += "<p>3 < 4<style>x{}</style>"
    assert visible(markup) == "One & two\n3 < 4"


@pytest.mark.parametrize(
    "piece", ["<nav>", "<script>", "<!--", "<", "<a ", "<style></sty", "&", "<p x='", "</", "<NAV><nav>"]
)
def test_the_scanner_is_linear_on_hostile_markup(piece: str) -> None:
    started = time.process_time()
    visible(piece * (400_000 // len(piece)))
    assert time.process_time() - started < 5


@given(st.text(alphabet="<>/!-?abp &;'\"\n=", max_size=300))
def test_the_scanner_takes_anything(markup: str) -> None:
    visible(markup)
