"""`just bench compare REF`: this checkout beside another commit, in pairs on the same machine; a table of ratios.

Both run on this checkout's .venv, one after the other, in turns who is first: what the machine does meanwhile meets
both. The pages are small made ones, so that what is measured is Atlas and not the parsers.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from supervisor.instance import CHECKOUT
from tools.bench.run import complain, say, workplace

FIGURES: Final = {
    "atlas_pages_per_second": "pages a second, accepted to searchable",
    "ratio": "the same beside a bare loop on the same pages",
}
SECONDS: Final = 600


class Failed(Exception):
    """One line that says what did not work."""


Figures = dict[str, float]


@contextmanager
def checked_out(ref: str, folder: Path) -> Iterator[Path]:
    """The files of another commit."""
    made = folder / "base"
    git = ["git", "-C", str(CHECKOUT)]
    ran = subprocess.run(
        [*git, "worktree", "add", "--quiet", "--detach", str(made), ref], capture_output=True, text=True, check=False
    )
    if ran.returncode != 0:
        raise Failed(f"git has no commit {ref}: {ran.stderr.strip()}")
    try:
        yield made
    finally:
        subprocess.run([*git, "worktree", "remove", "--force", str(made)], check=False)


def measure(checkout: Path, pages: int) -> Figures:
    """One run of the ingest bench of a checkout."""
    options = ["--pages", str(pages), "--pairs", "1", "--kind", "small", "--json"]
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "tools.bench.ingest", *options],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if ran.returncode != 0:
        raise Failed(f"the bench of {checkout} ended with status {ran.returncode}")
    told: Figures = json.loads(ran.stdout.splitlines()[-1])
    return {name: told[name] for name in FIGURES}


def table(pairs: list[tuple[Figures, Figures]], ref: str) -> str:
    """The pairs (base, head) as Markdown: medians, and the median of the ratios with the range they lie in."""
    lines = [
        f"Measured in {len(pairs)} pairs of runs, this change beside `{ref}`:",
        "",
        "| figure | base | head | head / base |",
        "|---|---|---|---|",
    ]
    for name, meaning in FIGURES.items():
        base, head = ([each[at][name] for each in pairs] for at in (0, 1))
        ratios = sorted(after / before for before, after in zip(base, head, strict=True))
        share = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"
        lines.append(f"| {meaning} | {statistics.median(base):.2f} | {statistics.median(head):.2f} | {share} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="just bench compare", description=__doc__)
    parser.add_argument("ref", help="the commit to compare with")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--to", type=Path, metavar="FILE", help="write the table there, too")
    options = parser.parse_args()
    pairs = []
    with workplace() as folder, checked_out(options.ref, folder) as base:
        for number in range(options.pairs):
            order = (base, CHECKOUT) if number % 2 == 0 else (CHECKOUT, base)
            found = {checkout: measure(checkout, options.pages) for checkout in order}
            pairs.append((found[base], found[CHECKOUT]))
    told = table(pairs, options.ref)
    say(told)
    if options.to is not None:
        options.to.parent.mkdir(parents=True, exist_ok=True)
        options.to.write_text(told + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failed, subprocess.TimeoutExpired) as error:
        complain(f"atlas: {error}")
        sys.exit(69)
