"""The table at a pull request: medians, and ratios pair by pair."""

from __future__ import annotations

from tools.bench.compare import FIGURES, table


def test_the_ratio_is_the_median_of_the_pairs_with_its_range() -> None:
    pairs = [
        (dict.fromkeys(FIGURES, base), dict.fromkeys(FIGURES, head))
        for base, head in ((100.0, 110.0), (50.0, 50.0), (80.0, 72.0))
    ]
    told = table(pairs, "main").splitlines()
    assert told[0] == "Measured in 3 pairs of runs, this change beside `main`:"
    assert len(told) == 4 + len(FIGURES)
    assert all(line.endswith("| 80.00 | 72.00 | 1.00 (0.90-1.10) |") for line in told[4:])
