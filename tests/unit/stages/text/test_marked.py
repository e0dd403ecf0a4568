"""Notes and Markdown pages."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.documents import Extracted, Image
from pipeline.text.sanitise import sanitise
from stages.text.marked import from_markdown

NOTE = """# The keeper's list

Read *today*: [the logbook](https://example.org/log "1872") and https://example.com/lamp.
Then README.md

| lamp | oil |
|------|-----|
| big  | 3 l |

![a chart](https://example.org/chart.png)

```
if a < b: "keep"
```
"""


def of(markdown: str) -> Extracted:
    return from_markdown(markdown, base="note:01ARZ3NDEKTSV4RRFFQ69G5FAV")


def test_a_note_is_shown_as_it_was_meant_and_kept_as_it_was_written() -> None:
    document = of(NOTE)
    assert document.markdown == NOTE.strip()
    assert document.title == "The keeper's list"
    assert "<h1>The keeper's list</h1>" in document.html
    assert "<em>today</em>" in document.html
    assert "<td>3 l</td>" in document.html
    assert 'if a &lt; b: "keep"' in document.html


def test_its_text_has_no_marks_and_a_line_for_each_block() -> None:
    assert of(NOTE).text.split("\n") == [
        "The keeper's list",
        "Read today: the logbook and https://example.com/lamp.",
        "Then README.md",
        "lamp", "oil", "big", "3 l",
        'if a < b: "keep"',
    ]  # fmt: skip


def test_its_links_and_pictures_are_known_also_bare_ones_but_no_file_names() -> None:
    document = of(NOTE)
    assert document.links == ("https://example.org/log", "https://example.com/lamp")
    assert document.images == (Image(url="https://example.org/chart.png", alt="a chart"),)


def test_tags_in_a_note_are_text_and_no_address_of_it_runs() -> None:
    document = of("<script>alert(1)</script> and <div>\n\n[a](javascript:alert(1)) [b](data:text/html,x) [c](/rel)")
    assert "&lt;script&gt;alert(1)&lt;/script&gt; and &lt;div&gt;" in document.html
    assert "href" not in document.html
    assert document.links == ()
    assert document.text.startswith("<script>alert(1)</script> and <div>")


@pytest.mark.parametrize(
    "piece", ["[", "![", "> ", "* ", "*a ", "`", "<a", "](", "- a\n ", "~~", "|", "https://a.b/ ", "&"]
)
def test_hostile_markdown_is_read_in_time(piece: str) -> None:
    started = time.process_time()
    of(piece * (20_000 // len(piece)))
    assert time.process_time() - started < 5


@given(st.text(alphabet="#*_[]()!`<>|-~:/.\\ \nab&;'\"", max_size=200))
def test_any_text_is_a_note_with_safe_html(markdown: str) -> None:
    document = of(markdown)
    assert sanitise(document.html) == document.html
