"""`just bench ingest`: pages a second from accepted to searchable, beside the bare loop on the same pages."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from supervisor.instance import Instance, InstanceError, environment
from tools.bench.run import SETTINGS, bench_site, complain, keep, say, wait_until_ended, workplace

PROCESSES: Final = 2  # parse processes of Atlas, and processes of the bare loop
WARM: Final = 20  # pages that go through before the clock starts


def measure_atlas(
    folder: Path,
    site: str,
    pages: int,
    *,
    settings: Mapping[str, str] | None = None,
    beside: Callable[[Instance], AbstractContextManager[object]] = nullcontext,
) -> float:
    """Pages a second, from the first save on disk to the last page searchable. `beside` goes on all the time."""
    told = SETTINGS | {"ATLAS_WORKER_CONCURRENCY": str(PROCESSES)} | dict(settings or {})
    with Instance(folder, settings=told) as atlas, beside(atlas):
        keep(atlas, [f"{site}/p/{number}" for number in range(pages, pages + WARM)])
        wait_until_ended(atlas, WARM, seconds=60)
        keep(atlas, [f"{site}/p/{number}" for number in range(pages)])
        items = wait_until_ended(atlas, pages + WARM, seconds=600)
    measured = [item for item in items if int(item["url"].rpartition("/")[2]) < pages]
    unfinished = [item for item in measured if item["state"] != "done"]
    if unfinished:
        ends = [f"{item['url']} {item['state']} {item['reason']}" for item in unfinished[:5]]
        raise InstanceError(f"{len(unfinished)} of {pages} pages did not become searchable: {'; '.join(ends)}")
    return pages / (max(map(_changed, measured)) - min(map(_created, measured)))


def _changed(item: dict[str, Any]) -> float:
    return datetime.fromisoformat(item["changed_at"]).timestamp()


def _created(item: dict[str, Any]) -> float:
    return datetime.fromisoformat(item["created_at"]).timestamp()


def measure_bare(folder: Path, site: str, pages: int, *, all_calls: bool = False) -> float:
    """Pages a second of the bare processes, each with every other page and a database of its own."""
    folder.mkdir(parents=True)
    with _bare(folder, site, pages, all_calls=all_calls) as loops:
        for loop in loops:
            _expect(loop, "ready")
        for loop in loops:
            assert loop.stdin is not None
            loop.stdin.write("go\n")
            loop.stdin.flush()
        return pages / max(float(_expect(loop, "took").split()[1]) for loop in loops)


@contextmanager
def _bare(folder: Path, site: str, pages: int, *, all_calls: bool) -> Iterator[list[subprocess.Popen[str]]]:
    common = ["--site", site, "--pages", str(pages), "--warm", str(WARM), "--step", str(PROCESSES)]
    common += ["--all-calls"] if all_calls else []
    python = [sys.executable, "-P", "-m", "tools.bench.bare"]
    loops = [
        subprocess.Popen(
            [*python, str(folder / f"{first}.db"), "--first", str(first), *common],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment({}),
        )
        for first in range(PROCESSES)
    ]
    try:
        yield loops
    finally:
        for loop in loops:
            loop.kill()
            loop.communicate()


def _expect(loop: subprocess.Popen[str], word: str) -> str:
    assert loop.stdout is not None
    line = loop.stdout.readline()
    if not line.startswith(word):
        raise InstanceError(f"the bare loop said {line!r}, not {word}")
    return line


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=400)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--kind", choices=("corpus", "small"), default="corpus")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    atlas, bare = [], []
    with workplace() as folder:
        for pair in range(options.pairs):
            many = options.pages + WARM
            with bench_site(folder / f"site-{pair}", pages=many, kind=options.kind, seed=pair + 1) as site:
                atlas.append(measure_atlas(folder / f"atlas-{pair}", site, options.pages))
                bare.append(measure_bare(folder / f"bare-{pair}", site, options.pages))
            if not options.json:
                say(f"pair {pair + 1}: Atlas {atlas[-1]:.1f} pages/s, bare loop {bare[-1]:.1f} pages/s")
    report = {
        "pages": options.pages,
        "atlas_pages_per_second": round(statistics.median(atlas), 2),
        "bare_pages_per_second": round(statistics.median(bare), 2),
        "ratio": round(statistics.median(ours / theirs for ours, theirs in zip(atlas, bare, strict=True)), 3),
    }
    say(
        json.dumps(report)
        if options.json
        else f"medians: Atlas {report['atlas_pages_per_second']} pages/s, bare loop "
        f"{report['bare_pages_per_second']} pages/s; median ratio {report['ratio']}"
    )
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InstanceError as error:
        complain(error.message)
        sys.exit(1)
