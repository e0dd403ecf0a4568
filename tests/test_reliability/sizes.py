"""How often a fault is tried: few times in continuous integration, the full number by `just faults`."""

from __future__ import annotations

import os


def size(name: str, *, small: int, full: int) -> int:
    """FAULT_<name> when it is set; else `full` under FAULTS=full, which `just faults` sets; else `small`."""
    given = os.environ.get(f"FAULT_{name}")
    if given is not None:
        return int(given)
    return full if os.environ.get("FAULTS") == "full" else small


def figure(test: str, told: str) -> None:
    """Print what was measured, where a person and a script find it."""
    print(f"figure {test}: {told}", flush=True)
