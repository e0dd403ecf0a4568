"""From what was typed or sent to a checked submission."""

from __future__ import annotations

import pytest

from gateway.intake import split_tags, submission
from gateway.wire import NewItem
from pipeline.errors import InvalidInput
from pipeline.items import Kind


def test_tags_are_trimmed_lower_cased_and_kept_once() -> None:
    found = submission(NewItem(text="x", tags=(" Web  Design ", "web design", "ÄÖ")), source="api", trace={})
    assert found.tags == ("web design", "äö")


def test_commas_part_the_tags_of_a_form() -> None:
    assert split_tags(" a, b c ,,d,") == ("a", "b c", "d")


def test_a_page_has_its_canonical_key_and_a_note_has_none() -> None:
    page = submission(NewItem(url=" http://Example.com/a#b "), source="api", trace={})
    assert (page.kind, page.url, page.url_key) == (Kind.PAGE, "http://Example.com/a#b", "https://example.com/a")
    note = submission(NewItem(text="x"), source="api", trace={})
    assert (note.kind, note.url, note.url_key) == (Kind.NOTE, None, None)


@pytest.mark.parametrize(
    "new",
    [
        NewItem(),
        NewItem(url="  ", text="\n"),
        NewItem(url="https://example.com/", text="both"),
        NewItem(url="https://example.com/" + "x" * 10_000),
        NewItem(text="x", title="y" * 501),
        NewItem(text="x", title="a\r\nb"),
        NewItem(text="a\0b"),
        NewItem(text="x", tags=tuple(str(n) for n in range(51))),
        NewItem(text="x", tags=("t" * 101,)),
        NewItem(text="x", tags=("a\x1bb",)),
    ],
)
def test_what_cannot_be_kept_is_refused(new: NewItem) -> None:
    with pytest.raises(InvalidInput) as caught:
        submission(new, source="api", trace={})
    assert len(caught.value.faults) == 1
