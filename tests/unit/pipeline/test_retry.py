"""When something that failed is tried again, and when not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.items import Reason
from pipeline.retry import LONGEST_SECONDS, decide
from pipeline.settings import RetrySettings
from pipeline.work import Bury, Retry

REASON = Reason(code="timeout")
POLICY = RetrySettings(attempts=4, base_seconds=10, cap_seconds=100)


@given(attempts=st.integers(0, 2), draw=st.floats(0, 1))
def test_a_delay_is_drawn_between_nothing_and_a_ceiling_that_doubles_up_to_the_cap(attempts: int, draw: float) -> None:
    decided = decide(Retry(reason=REASON), attempts=attempts, policy=POLICY, random=lambda: draw)
    assert isinstance(decided, Retry)
    assert decided.after == draw * min(100, 10 * 2**attempts)


def test_the_last_attempt_that_fails_buries_the_item_with_its_reason() -> None:
    assert decide(Retry(reason=REASON), attempts=3, policy=POLICY, random=lambda: 1.0) == Bury(reason=REASON)


def test_what_costs_no_attempt_is_never_buried() -> None:
    decided = decide(Retry(reason=REASON, costs_attempt=False), attempts=99, policy=POLICY, random=lambda: 1.0)
    assert isinstance(decided, Retry)


def test_a_time_that_the_server_named_is_kept_but_never_longer_than_a_day() -> None:
    for asked, given_time in ((5.0, 5.0), (-3.0, 0.0), (1e12, LONGEST_SECONDS)):
        decided = decide(Retry(reason=REASON, after=asked), attempts=0, policy=POLICY, random=lambda: 0.5)
        assert isinstance(decided, Retry)
        assert decided.after == given_time


def test_no_number_of_attempts_overflows_the_back_off() -> None:
    policy = RetrySettings(attempts=10**6)
    decided = decide(Retry(reason=REASON), attempts=5000, policy=policy, random=lambda: 1.0)
    assert isinstance(decided, Retry)
    assert decided.after == policy.cap_seconds
