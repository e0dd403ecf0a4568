"""A stage graph that could never run is refused at start, with every fault named."""

from __future__ import annotations

import pytest

from pipeline.errors import TopologyError
from pipeline.lifecycle import Stage
from pipeline.stage import StageSpec
from pipeline.topology import freeze


def spec(name: str, hundred: int, following: int | None, **more: object) -> StageSpec:
    return StageSpec(name=name, hundred=hundred, following=following, **({"slots": 1, "deadline": 1.0} | more))  # type: ignore[arg-type]


GOOD = (spec("b", 200, None), spec("a", 100, 200))


def test_a_graph_that_runs_is_frozen_in_the_order_of_the_flow() -> None:
    assert [s.name for s in freeze(GOOD).specs] == ["a", "b"]


@pytest.mark.parametrize(
    ("specs", "said"),
    [
        ((spec("a", 100, 300),), "followed by 300, which is not there"),
        ((*GOOD, spec("c", 400, None)), "c is never reached"),
        ((spec("a", 100, None, slots=0),), "a has 0 slots"),
        ((spec("a", 100, None, deadline=0.0),), "a has no time"),
        ((spec("a", 150, None),), "no hundred of the lifecycle"),
        ((spec("a", 100, None), spec("b", 100, None)), "share a hundred"),
        ((spec("a", 100, 200), spec("a", 200, None)), "share a name"),
        ((spec("a", 100, 100),), "forward only"),
        ((spec("a", 100, 300), spec("b", 300, None, diverts=(Stage.FALLING_BACK,))), "b may not divert to"),
    ],
)
def test_each_fault_of_a_graph_is_named(specs: tuple[StageSpec, ...], said: str) -> None:
    with pytest.raises(TopologyError) as refused:
        freeze(specs)
    assert said in str(refused.value)


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(TopologyError) as refused:
        freeze((spec("a", 100, 300, slots=0), spec("c", 400, None)))
    for said in ("0 slots", "which is not there", "never reached"):
        assert said in str(refused.value)


def test_a_failed_validation_may_send_an_item_back_to_falling_back() -> None:
    freeze((spec("a", 100, 200), spec("v", 200, None, diverts=(Stage.FALLING_BACK,))))
