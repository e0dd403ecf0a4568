"""The heartbeat of a task."""

from __future__ import annotations

from pipeline.flow.pulse import Pulse


class Now:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


def test_nothing_is_expected_of_a_new_pulse() -> None:
    now = Now()
    pulse = Pulse(now)
    now.time += 1e9
    assert not pulse.overdue()


def test_a_beat_that_does_not_come_in_time_is_overdue() -> None:
    now = Now()
    pulse = Pulse(now)
    pulse.expect(10)
    now.time += 10
    assert not pulse.overdue()
    now.time += 0.1
    assert pulse.overdue()


def test_each_beat_gives_the_next_one_as_long_again() -> None:
    now = Now()
    pulse = Pulse(now)
    pulse.expect(10)
    for _ in range(5):
        now.time += 9
        pulse.beat()
        assert not pulse.overdue()
    now.time += 10.1
    assert pulse.overdue()


def test_a_longer_step_may_ask_for_more_time() -> None:
    now = Now()
    pulse = Pulse(now)
    pulse.expect(10)
    pulse.expect(70)
    now.time += 69
    assert not pulse.overdue()


def test_a_beat_while_nothing_is_expected_expects_nothing() -> None:
    now = Now()
    pulse = Pulse(now)
    pulse.expect(10)
    pulse.rest()
    pulse.beat()
    now.time += 1e9
    assert not pulse.overdue()


def test_a_restarted_task_starts_without_debts() -> None:
    now = Now()
    pulse = Pulse(now)
    pulse.expect(10)
    pulse.stalled = True
    now.time += 11
    pulse.restarted()
    assert not pulse.overdue()
    assert not pulse.stalled
