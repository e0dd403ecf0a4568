"""The language of selections: any text is understood, or refused with all that is wrong; told back it is the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InvalidInput
from pipeline.lifecycle import State
from pipeline.selection import Key, Selection, Term, describe, parse, within

TERMS = st.one_of(
    st.sampled_from(
        ["error:timeout", "site:example.com", "-site:a.example", "state:dead", "stage:130", "stage:acquire"]
    ),
    st.sampled_from(["stage:fetching", "stage:100", "verdict:blocked", 'tag:"two words"', "source:feed:01ABC"]),
    st.builds("older:{}{}".format, st.integers(1, 999), st.sampled_from("smhdw")),
    st.builds("{}:{}".format, st.sampled_from([key.value for key in Key]), st.text(max_size=20)),
    st.text(max_size=30),
)


def one(text: str) -> Term:
    (term,) = parse(text).terms
    return term


@given(st.one_of(st.text(max_size=200), st.lists(TERMS, max_size=6).map(" ".join)))
def test_any_text_is_a_selection_or_has_faults_and_a_selection_told_back_is_the_same(text: str) -> None:
    try:
        meant = parse(text)
    except InvalidInput as refused:
        has_faults = bool(refused.faults)
    else:
        told = describe(meant)
        assert meant.terms
        assert parse(told) == meant
        assert describe(parse(told)) == told
        return
    assert has_faults


def test_a_selection_of_every_key_is_understood() -> None:
    text = (
        'error:Timeout SITE:Example.COM. -state:dead stage:acquire stage:130 verdict:dead-link tag:"To  Read"'
        " source:feed:01ABC older:7d newer:24h"
    )
    said = [(term.key.value, term.value, term.negated) for term in parse(text).terms]
    assert said == [
        ("error", "timeout", False),
        ("site", "example.com", False),
        ("state", "dead", True),
        ("stage", "100-199", False),
        ("stage", "130", False),
        ("verdict", "dead_link", False),
        ("tag", "to read", False),
        ("source", "feed:01ABC", False),
        ("older", "604800", False),
        ("newer", "86400", False),
    ]


def test_a_hundred_is_its_whole_actor_and_a_name_of_a_step_is_that_step() -> None:
    assert one("stage:200").value == one("stage:validate").value == "200-299"
    assert one("stage:fetch_failed").value == "130"


def test_every_fault_is_named_and_what_was_nearly_right_is_suggested() -> None:
    with pytest.raises(InvalidInput) as refused:
        parse("eror:timeout state:daed stage:131 older:soon loose error:timeout verdict:blokced")
    said = {fault.where: fault.hint for fault in refused.value.faults}
    assert said["eror:timeout"] == "did you mean error?"
    assert said["state:daed"] == "did you mean dead?"
    assert said["verdict:blokced"] == "did you mean blocked?"
    assert set(said) == {"eror:timeout", "state:daed", "stage:131", "older:soon", "loose", "verdict:blokced"}


@pytest.mark.parametrize("text", ["", "   ", 'tag:"open', 'tag:""', 'tag:a"b', "site:a/b", "older:0d", "x" * 1001])
def test_what_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse(text)


def test_more_terms_than_anybody_writes_are_refused() -> None:
    with pytest.raises(InvalidInput):
        parse(" ".join(f"tag:t{n}" for n in range(33)))


def test_a_selection_is_kept_to_some_states_unless_it_names_one_itself() -> None:
    named = parse("state:done site:a.example")
    assert within(named, [State.DEAD]) == named
    assert within(parse("-state:done"), [State.DEAD]).terms[-1] == Term(key=Key.STATE, value="dead")
    assert within(Selection(terms=()), [State.DEAD]) == parse("state:dead")
