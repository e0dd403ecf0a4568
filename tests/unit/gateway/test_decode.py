"""Strict decoding of bodies."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import BadRequest

from gateway.decode import decode
from gateway.wire import Flags, NewFeed, NewItem
from pipeline.errors import InvalidInput


def test_a_body_without_faults_becomes_its_struct() -> None:
    assert decode(b'{"url": "u", "tags": ["a"]}', NewItem) == NewItem(url="u", tags=("a",))


def test_all_faults_are_found_not_only_the_first() -> None:
    with pytest.raises(InvalidInput) as caught:
        decode(b'{"colour": 1, "url": 2, "title": [], "tags": [1, "a", null], "text": {}}', NewItem)
    assert [fault.where for fault in caught.value.faults] == ["colour", "url", "title", "tags[0]", "tags[2]", "text"]


def test_what_is_missing_is_a_fault() -> None:
    with pytest.raises(InvalidInput) as caught:
        decode(b"{}", NewFeed)
    assert [(fault.where, fault.what) for fault in caught.value.faults] == [("url", "is required")]


@pytest.mark.parametrize("content", [b"1", b"[]", b"null", b'"x"', b"true", b"1.5"])
def test_json_that_is_no_object_says_what_was_expected(content: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode(content, NewItem)
    assert caught.value.faults[0].what.startswith("expected an object")


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_the_two_documented_errors(content: bytes) -> None:
    with contextlib.suppress(BadRequest, InvalidInput):
        decode(content, NewItem)


words = st.text('aZ0_ "\\\0ä', max_size=5)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["read", "starred", "archived", "other"]), json_values, max_size=4))
def test_a_body_is_accepted_exactly_when_msgspec_alone_would_accept_it(body: dict[str, object]) -> None:
    try:
        expected = msgspec.json.decode(msgspec.json.encode(body), type=Flags)
    except msgspec.ValidationError:
        with pytest.raises(InvalidInput):
            decode(msgspec.json.encode(body), Flags)
    else:
        assert decode(msgspec.json.encode(body), Flags) == expected
