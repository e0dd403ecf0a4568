"""`just simulate --seeds 20`: worlds of 30 days; a seed that fails is printed and can be replayed."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections.abc import Iterator, Sequence
from functools import partial

from tests.simulation.report import Report, summary
from tests.simulation.world import live

AVAILABILITY = 0.999


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="just simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many worlds")
    parser.add_argument("--first", type=int, default=1, help="seed; the others follow it")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--days", type=float, default=30.0, help="that each world lives")
    parser.add_argument("--jobs", type=int, default=2, help="worlds at once")
    given = parser.parse_args(arguments)
    seeds = range(given.first, given.first + given.seeds) if given.seed is None else (given.seed,)
    reports = []
    for report in _lives(seeds, given.days, given.jobs):
        print(report.line(), report.detail(), sep="\n", flush=True)
        reports.append(report)
    print(summary(reports))
    well = all(report.is_well and report.availability >= AVAILABILITY for report in reports)
    return 0 if well else 1


def _lives(seeds: Sequence[int], days: float, jobs: int) -> Iterator[Report]:
    if jobs == 1 or len(seeds) == 1:
        yield from (live(seed, days) for seed in seeds)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(partial(live, days=days), seeds)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
