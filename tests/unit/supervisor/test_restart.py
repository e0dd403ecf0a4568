"""The pure half of a restart: how often, and after how long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.restart import RestartPolicy

POLICY = RestartPolicy(max_restarts=3, within=30.0, base=0.1, cap=5.0)


def test_exactly_the_allowed_number_of_crashes_is_restarted() -> None:
    crashes = [1.0, 2.0, 3.0]
    assert POLICY.decide(crashes, crashes, lambda: 0.5, now=3.0) is not None


def test_one_crash_more_than_allowed_gives_up() -> None:
    crashes = [1.0, 2.0, 3.0, 4.0]
    assert POLICY.decide(crashes, crashes, lambda: 0.5, now=4.0) is None


def test_a_crash_counts_until_the_time_of_the_budget_has_passed_and_not_longer() -> None:
    crashes = [0.0, 10.0, 20.0, 30.0]
    assert POLICY.decide(crashes, crashes, lambda: 0.5, now=30.0) is None
    crashes[-1] = 30.001
    assert POLICY.decide(crashes, crashes, lambda: 0.5, now=30.001) is not None


def test_no_restarts_at_all_may_be_allowed() -> None:
    assert RestartPolicy(max_restarts=0, within=30.0).decide([7.0], [7.0], lambda: 0.5, now=7.0) is None


def test_the_budget_counts_all_children_and_the_back_off_only_the_crashed_one() -> None:
    assert POLICY.decide([1.0, 2.0, 3.0], [3.0], lambda: 1.0, now=3.0) == pytest.approx(0.1)


def test_the_back_off_doubles_up_to_its_cap() -> None:
    ceilings = [POLICY.ceiling([float(at) for at in range(count)]) for count in range(1, 9)]
    assert ceilings == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])


def test_the_back_off_starts_afresh_after_a_quiet_period() -> None:
    assert POLICY.ceiling([0.0, 1.0, 2.0, 32.1]) == pytest.approx(0.1)
    assert POLICY.ceiling([0.0, 1.0, 2.0, 32.0]) == pytest.approx(0.8)
    assert POLICY.ceiling([0.0, 1.0, 2.0, 40.0, 41.0]) == pytest.approx(0.2)


@given(
    streak=st.lists(st.floats(min_value=0, max_value=1e9), min_size=1, max_size=2000).map(sorted),
    chance=st.floats(min_value=0, max_value=1, exclude_max=True),
)
def test_jitter_stays_between_nothing_and_the_ceiling(streak: list[float], chance: float) -> None:
    delay = RestartPolicy(max_restarts=10_000, within=30.0).decide(streak, streak, lambda: chance, now=streak[-1])
    assert delay is not None
    assert 0 <= delay <= 5.0


def test_jitter_is_full() -> None:
    assert POLICY.decide([1.0], [1.0], lambda: 0.0, now=1.0) == 0.0
    assert POLICY.decide([1.0], [1.0], lambda: 0.999, now=1.0) == pytest.approx(0.0999)
