"""`just bench memory`: thousands of queued items, and what they cost the worker in resident memory."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass, field
from typing import Final

from supervisor.instance import Instance, InstanceError
from tools.bench import processes
from tools.bench.run import SETTINGS, bench_site, complain, keep, say, wait_until_ended, workplace

WARM: Final = 200  # items before the first figure: everything is imported and every pool is filled


@dataclass(kw_only=True)
class Watch:
    """The resident memory of the worker and of its parse processes together, in KiB, sampled while items flow."""

    worker_pid: int
    worker: list[int] = field(default_factory=list)
    parsers: list[int] = field(default_factory=list)

    def look(self) -> None:
        self.worker.append(processes.resident(self.worker_pid))
        self.parsers.append(sum(processes.resident(child) for child in processes.children(self.worker_pid)))


@dataclass(frozen=True, kw_only=True)
class Figures:
    """In MiB."""

    start: float
    quarters: tuple[
        float, ...
    ]  # after a quarter, a half and three quarters of the time: growth that goes on shows here
    peak: float
    end: float


def figures(samples: list[int]) -> Figures:
    def mib(kib: int) -> float:
        return round(kib / 1024, 1)

    quarters = tuple(mib(samples[len(samples) * part // 4]) for part in (1, 2, 3))
    return Figures(start=mib(samples[0]), quarters=quarters, peak=mib(max(samples)), end=mib(samples[-1]))


def measure(items: int, *, seconds: float = 1200.0) -> dict[str, Figures]:
    settings = SETTINGS | {"ATLAS_PARSE_RECYCLE_PAGES": "100000"}  # a fresh parse process would hide growth
    with (
        workplace() as folder,
        bench_site(folder / "site", pages=items + WARM) as site,
        Instance(folder / "data", settings=settings) as atlas,
    ):
        assert atlas.up is not None
        keep(atlas, [f"{site}/p/{number}" for number in range(items, items + WARM)])
        wait_until_ended(atlas, WARM, seconds=120)
        watch = Watch(worker_pid=processes.role(atlas.up.pid, "worker"))
        watch.look()
        keep(atlas, [f"{site}/p/{number}" for number in range(items)])
        wait_until_ended(atlas, items + WARM, seconds=seconds, look=watch.look)
        watch.look()
        return {"worker": figures(watch.worker), "parsers": figures(watch.parsers)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=5000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.items)
    if options.json:
        say(json.dumps({name: asdict(value) for name, value in found.items()}))
        return 0
    for name, value in found.items():
        course = " ".join(f"{part:.1f}" for part in (value.start, *value.quarters, value.end))
        say(f"{name:<8} {course} MiB from start to end by quarters, {value.peak:.1f} at most")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InstanceError as error:
        complain(error.message)
        sys.exit(1)
