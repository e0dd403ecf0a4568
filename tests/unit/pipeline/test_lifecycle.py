"""The legal moves between the stage numbers."""

from __future__ import annotations

import pytest

from pipeline.lifecycle import ENTRY, Stage, may_advance, may_divert


@pytest.mark.parametrize(
    ("number", "to", "legal"),
    [
        (Stage.QUEUED, Stage.FETCHING, True),  # forward within an actor
        (Stage.ACQUIRED, Stage.VALIDATING, True),  # into the next one, where it is entered
        (Stage.ACQUIRED, Stage.PASSED, False),  # not into its middle
        (Stage.PASSED, Stage.VALIDATING, False),
        (Stage.VALIDATING, Stage.QUEUED, False),
        (Stage.FINALISING, Stage.DONE, True),
        (Stage.DONE, Stage.DONE, False),
    ],
)
def test_a_row_only_goes_forward_and_enters_an_actor_at_its_entry(number: Stage, to: Stage, legal: bool) -> None:
    assert may_advance(number, to) is legal


def test_only_a_fetch_in_vain_and_a_failed_validation_go_back_and_only_to_falling_back() -> None:
    back = [(number, to) for number in Stage for to in Stage if may_divert(number, to)]
    assert {to for _, to in back} == {Stage.FALLING_BACK}
    assert all(100 <= number < 300 for number, _ in back)


def test_every_actor_is_entered_at_a_number_of_its_own() -> None:
    assert all(hundred <= entry < hundred + 100 for hundred, entry in ENTRY.items())
