"""The rules of a circuit breaker, with time as a number."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline import breaker
from pipeline.breaker import LONGEST_MS, Breaker, BreakerState
from pipeline.settings import BreakerSettings

SETTINGS = BreakerSettings()
NOW = 1_795_435_200_000
PROBE_MS = 90_000


def fallen(times: int, at: int = NOW, start: Breaker | None = None) -> Breaker:
    one = start or Breaker(name="host:example.org")
    for _ in range(times):
        one = breaker.bad(one, at, "HTTP 503", SETTINGS)
    return one


def admitted(one: Breaker, now: int) -> Breaker:
    after = breaker.admit(one, now, probe_ms=PROBE_MS)
    assert after is not None
    return after


def test_it_opens_after_five_failures_in_a_row_and_not_before() -> None:
    assert fallen(4).state is BreakerState.CLOSED
    assert fallen(5).state is BreakerState.OPEN
    assert fallen(4, start=breaker.good(fallen(4), NOW, SETTINGS)).state is BreakerState.CLOSED


def test_while_it_is_open_nobody_passes_and_then_exactly_one_probe() -> None:
    opened = fallen(5)
    assert breaker.admit(opened, NOW + 59_999, probe_ms=PROBE_MS) is None
    probing = admitted(opened, NOW + 60_000)
    assert probing.state is BreakerState.HALF_OPEN
    assert breaker.admit(probing, NOW + 60_000, probe_ms=PROBE_MS) is None


def test_two_good_probes_close_it_and_nothing_is_remembered() -> None:
    first = breaker.good(admitted(fallen(5), NOW + 60_000), NOW + 60_100, SETTINGS)
    assert first.state is BreakerState.HALF_OPEN
    second = breaker.good(admitted(first, NOW + 60_100), NOW + 60_200, SETTINGS)
    assert second == Breaker(name="host:example.org")
    assert second.is_fresh


def test_a_bad_probe_opens_it_for_twice_as_long_up_to_the_cap() -> None:
    one, now, waits = fallen(5), NOW, []
    for _ in range(9):
        waits.append(breaker.wait_ms(one, now) / 1000)
        now += breaker.wait_ms(one, now)
        one = breaker.bad(admitted(one, now), now, "timeout", SETTINGS)
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_a_good_probe_between_two_bad_ones_does_not_close_it() -> None:
    one = breaker.good(admitted(fallen(5), NOW + 60_000), NOW + 60_000, SETTINGS)
    one = breaker.bad(admitted(one, NOW + 60_000), NOW + 60_000, "timeout", SETTINGS)
    assert (one.state, one.successes) == (BreakerState.OPEN, 0)


def test_a_probe_that_was_cut_off_leaves_its_place_to_the_next() -> None:
    probing = admitted(fallen(5), NOW + 60_000)
    assert breaker.admit(breaker.release(probing, NOW + 61_000), NOW + 61_000, probe_ms=PROBE_MS) is not None


def test_a_probe_that_is_never_heard_of_again_is_replaced() -> None:
    probing = admitted(fallen(5), NOW + 60_000)
    assert breaker.admit(probing, NOW + 60_000 + PROBE_MS, probe_ms=PROBE_MS) is not None


def test_the_end_of_a_request_that_began_before_it_opened_neither_closes_nor_prolongs_it() -> None:
    opened = fallen(5)
    assert breaker.good(opened, NOW + 1, SETTINGS) == opened
    late = breaker.bad(opened, NOW + 1, "timeout", SETTINGS)
    assert (late.state, late.probe_at) == (BreakerState.OPEN, opened.probe_at)


def test_who_asks_to_be_left_alone_is_for_that_long_but_never_for_more_than_a_day() -> None:
    asked = breaker.hold(Breaker(name="host:example.org"), NOW, 300_000, "Retry-After")
    assert breaker.admit(asked, NOW + 299_999, probe_ms=PROBE_MS) is None
    assert breaker.wait_ms(breaker.hold(asked, NOW, 1000, "Retry-After"), NOW) == 300_000  # never shortened
    absurd = breaker.hold(Breaker(name="host:example.org"), NOW, 10**15, "Retry-After")
    assert breaker.wait_ms(absurd, NOW) == LONGEST_MS


def test_a_clock_that_is_set_back_lets_it_wait_no_longer_than_it_would_have() -> None:
    opened = fallen(5)
    assert breaker.wait_ms(opened, NOW - 86_400_000) == 60_000
    assert breaker.admit(opened, NOW - 86_400_000, probe_ms=PROBE_MS) is None
    assert breaker.admit(opened, NOW + 86_400_000, probe_ms=PROBE_MS) is not None


@given(st.lists(st.tuples(st.sampled_from(["good", "bad", "hold", "release"]), st.integers(0, 10**7)), max_size=60))
def test_whatever_happens_two_probes_are_never_out_at_once_and_no_wait_is_longer_than_a_day(
    happenings: list[tuple[str, int]],
) -> None:
    one, now, out = Breaker(name="host:example.org"), NOW, False
    for kind, passed in happenings:
        now += passed
        after = breaker.admit(one, now, probe_ms=10**12)
        if after is not None and after.state is BreakerState.HALF_OPEN:
            assert not out
            one, out = after, True
        if one.state is BreakerState.HALF_OPEN or after is not None:
            match kind:
                case "good":
                    one = breaker.good(one, now, SETTINGS)
                case "bad":
                    one = breaker.bad(one, now, "timeout", SETTINGS)
                case "hold":
                    one = breaker.hold(one, now, passed, "Retry-After")
                case _:
                    one = breaker.release(one, now)
            out = False
        assert breaker.wait_ms(one, now) <= max(LONGEST_MS, 10**12 if one.state is BreakerState.HALF_OPEN else 0)
