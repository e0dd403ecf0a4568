"""The stage graph: checked once at start, then frozen. A graph that could not run is refused with every fault named."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pipeline import errors
from pipeline.lifecycle import ENTRY, may_advance, may_divert
from pipeline.stage import StageSpec

# Where rows enter from outside: polls, pages, and notes (which have nothing to fetch).
SOURCES = (0, 100, 300)


class Topology(msgspec.Struct, frozen=True, kw_only=True):
    """The actors in the order of the flow."""

    specs: tuple[StageSpec, ...]


def freeze(specs: Sequence[StageSpec]) -> Topology:
    """Check the graph. Raises TopologyError that names every fault."""
    faults = [*_faults_of_each(specs), *_faults_between(specs)]
    if faults:
        raise errors.TopologyError("the stage graph cannot run: " + "; ".join(faults), hint="see stages/catalog.py")
    return Topology(specs=tuple(sorted(specs, key=lambda spec: spec.hundred)))


def _faults_of_each(specs: Sequence[StageSpec]) -> list[str]:
    faults = []
    for spec in specs:
        if spec.hundred not in ENTRY:
            faults.append(f"{spec.name} is at {spec.hundred}, which is no hundred of the lifecycle")
        if spec.slots < 1:
            faults.append(f"{spec.name} has {spec.slots} slots")
        if spec.deadline <= 0:
            faults.append(f"{spec.name} has no time to work in")
        faults.extend(
            f"{spec.name} may not divert to {stage}" for stage in spec.diverts if not may_divert(spec.hundred, stage)
        )
    return faults


def _faults_between(specs: Sequence[StageSpec]) -> list[str]:
    by_hundred = {spec.hundred: spec for spec in specs}
    faults = []
    if len(by_hundred) < len(specs):
        faults.append("two stages share a hundred")
    if len({spec.name for spec in specs}) < len(specs):
        faults.append("two stages share a name")
    for spec in specs:
        if spec.following is not None and spec.following not in by_hundred:
            faults.append(f"{spec.name} is followed by {spec.following}, which is not there")
        elif spec.following is not None and not may_advance(_last(spec.hundred), ENTRY.get(spec.following, 0)):
            faults.append(f"{spec.name} is followed by {spec.following}: the flow goes forward only")
    reached = _reached(by_hundred)
    faults.extend(f"{spec.name} is never reached" for spec in specs if spec.hundred not in reached)
    return faults


def _last(hundred: int) -> int:
    """The last number of an actor: what follows must lie behind it."""
    return hundred + 99


def _reached(by_hundred: dict[int, StageSpec]) -> set[int]:
    reached: set[int] = set()
    for source in SOURCES:
        at: int | None = source
        while at in by_hundred and at not in reached:
            reached.add(at)
            at = by_hundred[at].following
    return reached
