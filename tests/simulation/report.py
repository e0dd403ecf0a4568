"""What became of a world, in a line and in all its detail."""

from __future__ import annotations

import msgspec


class Report(msgspec.Struct, frozen=True, kw_only=True):
    seed: int
    days: float
    saves: int
    again: int  # of them, of what had been saved before
    fed: int  # items from feeds
    accepted: int  # items, by the store's own count
    items: dict[str, int]  # by how they ended
    copies: int  # of pages, had from the archive
    codes: dict[str, int]  # of the dead
    deaths: int  # of the worker
    happened: dict[str, int]
    ends: tuple[str, ...]  # of the worker, other than by being killed
    requests: int
    refused: int  # saves that had to be tried again
    checks: int
    availability: float
    why: dict[str, int]  # minutes that were not good
    digest: str
    seconds: float  # of real time
    faults: tuple[str, ...]

    @property
    def adds_up(self) -> bool:
        """Whether what came in, what was counted and what is there are the same."""
        return self.saves - self.again + self.fed == self.accepted == sum(self.items.values())

    @property
    def is_well(self) -> bool:
        return self.adds_up and not self.faults

    def line(self) -> str:
        ended = " + ".join(f"{n} {state}" for state, n in sorted(self.items.items()))
        come = f"{self.saves} saves - {self.again} again + {self.fed} from feeds = {self.accepted} items"
        return (
            f"seed {self.seed}: {'ok' if self.is_well else 'FAILED'}  {come} = {ended}  "
            f"{self.deaths} deaths  {self.requests} requests  {self.checks} checks  "
            f"availability {self.availability:.4%}  {self.seconds:.0f} s"
        )

    def detail(self) -> str:
        return "\n".join(
            (
                f"  happened: {_counted(self.happened)}",
                f"  copies from the archive: {self.copies}",
                f"  not good: {_counted(self.why)}",
                f"  dead: {_counted(self.codes)}",
                *(f"  the worker ended: {why}" for why in self.ends),
                *(() if self.adds_up else ("  WRONG: the counts of the first line do not add up",)),
                *(f"  WRONG: {fault}" for fault in self.faults),
            )
        )


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in sorted(counts.items())) or "nothing"


def summary(reports: list[Report]) -> str:
    shares = [report.availability for report in reports]
    bad = [str(report.seed) for report in reports if not report.is_well]
    said = "all well" if not bad else f"failed: {', '.join(bad)}; replay one with --seed N"
    return (
        f"{len(reports)} worlds of {reports[0].days:g} days: {sum(r.saves for r in reports)} saves, "
        f"{sum(r.deaths for r in reports)} deaths of the worker, availability at least {min(shares):.4%}, "
        f"on average {sum(shares) / len(shares):.4%}; {said}"
    )
