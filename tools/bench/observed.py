"""`just bench observed`: what it costs to be seen: everything on beside everything off, in pairs, on the same pages."""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from supervisor.instance import Instance, InstanceError, Process
from tools.bench.ingest import WARM, measure_atlas
from tools.bench.run import ADDRESS, SETTINGS, bench_site, complain, say, workplace

LEAST_RATIO: Final = 0.93  # of the pages a second
MOST_ADDED_MS: Final = 0.3  # to the median POST
SCRAPE_SECONDS: Final = 5.0  # Prometheus asks every 15 s where nobody says otherwise
WARM_POSTS: Final = 50
ON: Final = {
    "ATLAS_LOG_LEVEL": "info",
    "ATLAS_LOG_FILE": "logs/atlas.log",
    "ATLAS_TRACE_SAMPLE": "1.0",
    "ATLAS_TRACE_KEEP": "20000",
    "ATLAS_METRICS_ENABLED": "true",
}
OFF: Final = {
    "ATLAS_LOG_LEVEL": "error",
    "ATLAS_LOG_FILE": "",
    "ATLAS_TRACE_SAMPLE": "0",
    "ATLAS_TRACE_KEEP": "0",
    "ATLAS_METRICS_ENABLED": "false",
}


Beside = Callable[[Instance], AbstractContextManager[object]]


@dataclass(frozen=True, kw_only=True)
class Side:
    pages_per_second: float
    post_ms: float  # the median of one request after the other


@dataclass(frozen=True, kw_only=True)
class Pair:
    on: Side
    off: Side

    @property
    def ratio(self) -> float:
        return self.on.pages_per_second / self.off.pages_per_second

    @property
    def added_ms(self) -> float:
        return self.on.post_ms - self.off.post_ms


def order(pair: int) -> tuple[str, str]:
    """Who goes first takes turns: what changes with time on this machine falls on both sides."""
    return ("on", "off") if pair % 2 == 0 else ("off", "on")


def summary(pairs: Sequence[Pair]) -> dict[str, float]:
    return {
        "pairs": len(pairs),
        "on_pages_per_second": round(statistics.median(pair.on.pages_per_second for pair in pairs), 2),
        "off_pages_per_second": round(statistics.median(pair.off.pages_per_second for pair in pairs), 2),
        "ratio": round(statistics.median(pair.ratio for pair in pairs), 3),
        "on_post_ms": round(statistics.median(pair.on.post_ms for pair in pairs), 3),
        "off_post_ms": round(statistics.median(pair.off.post_ms for pair in pairs), 3),
        "added_ms": round(statistics.median(pair.added_ms for pair in pairs), 3),
    }


def shortfalls(total: Mapping[str, float]) -> list[str]:
    """What is not met, a sentence each."""
    rules = (
        (total["ratio"] >= LEAST_RATIO, f"the throughput is {total['ratio']} of that without, not {LEAST_RATIO}"),
        (total["added_ms"] <= MOST_ADDED_MS, f"a POST takes {total['added_ms']} ms longer, not {MOST_ADDED_MS}"),
    )
    return [said for holds, said in rules if not holds]


@contextmanager
def collector(folder: Path) -> Iterator[str]:
    """A place to send spans to, as a process; its address. Raises InstanceError when nothing came."""
    folder.mkdir(parents=True, exist_ok=True)
    process = Process("tools.bench.collector", folder=folder)
    try:
        yield process.printed(ADDRESS)
    finally:
        process.stop(seconds=5)
    if process.printed(r"took \d+ batches") == "took 0 batches":
        raise InstanceError("no spans were sent to the collector")


@contextmanager
def scraped(atlas: Instance) -> Iterator[None]:
    """GET /metrics once a second, as Prometheus does."""
    stop, statuses = threading.Event(), list[int]()

    def scrape() -> None:
        while not stop.wait(SCRAPE_SECONDS):
            statuses.append(atlas.ask("GET", "/metrics").status)

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
    if set(statuses) - {200}:
        raise InstanceError(f"/metrics answered {statuses}")


def measure_posts(folder: Path, posts: int, settings: Mapping[str, str], beside: Beside) -> float:
    """The median of one POST after the other on one connection, in ms. No worker takes the items."""
    atlas = Instance(folder, settings=SETTINGS | dict(settings))
    atlas.data.mkdir(mode=0o700, parents=True)
    atlas.token = atlas.command("token", "create", "--name", "bench", "--scope", "admin").strip()
    api = atlas.start("api")
    try:
        api.wait_for(lambda: _answers(atlas), seconds=60, what="becoming ready")
        with beside(atlas):
            return 1000 * statistics.median(_posts(atlas, WARM_POSTS + posts)[WARM_POSTS:])
    finally:
        api.stop()


def _answers(atlas: Instance) -> bool:
    try:
        return atlas.ask("GET", "/ready").status == 200
    except (OSError, http.client.HTTPException):
        return False


def _posts(atlas: Instance, count: int) -> list[float]:
    headers = {"Authorization": f"Bearer {atlas.token}", "Content-Type": "application/json"}
    connection, taken = http.client.HTTPConnection("127.0.0.1", atlas.port, timeout=30), list[float]()
    with closing(connection):
        for number in range(count):
            body = json.dumps({"url": f"http://127.0.0.1:9/{number}"})
            begun = time.perf_counter()
            connection.request("POST", "/api/v1/items", body, headers)
            answer = connection.getresponse()
            answer.read()
            taken.append(time.perf_counter() - begun)
            if answer.status != 202:
                raise InstanceError(f"POST was answered {answer.status}")
    return taken


def measure(folder: Path, site: str, how: str, *, pages: int, posts: int) -> Side:
    """One side of a pair."""
    if how == "off":
        return Side(
            pages_per_second=measure_atlas(folder / "pages", site, pages, settings=OFF),
            post_ms=measure_posts(folder / "posts", posts, OFF, nullcontext),
        )
    with collector(folder / "collector") as address:
        told = ON | {"ATLAS_TRACE_OTLP_ENDPOINT": f"{address}/v1/traces"}
        return Side(
            pages_per_second=measure_atlas(folder / "pages", site, pages, settings=told, beside=scraped),
            post_ms=measure_posts(folder / "posts", posts, told, scraped),
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--pages", type=int, default=150)
    parser.add_argument("--posts", type=int, default=400)
    parser.add_argument("--kind", choices=("corpus", "small"), default="corpus")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    pairs = list[Pair]()
    with workplace() as folder:
        for number in range(options.pairs):
            place = folder / str(number)
            with bench_site(place / "site", pages=options.pages + WARM, kind=options.kind, seed=number + 1) as site:
                sides = {
                    how: measure(place / how, site, how, pages=options.pages, posts=options.posts)
                    for how in order(number)
                }
            pairs.append(Pair(on=sides["on"], off=sides["off"]))
            if not options.json:
                say(_told(number, pairs[-1]))
    total = summary(pairs)
    missed = shortfalls(total)
    if options.json:
        say(json.dumps({"summary": total, "missed": missed, "pairs": [asdict(pair) for pair in pairs]}))
        return 0
    say(
        f"medians: {total['on_pages_per_second']} pages/s on, {total['off_pages_per_second']} off, ratio"
        f" {total['ratio']}; POST {total['on_post_ms']} ms on, {total['off_post_ms']} off, {total['added_ms']:+} ms"
    )
    for line in missed:
        say(f"not met: {line}")
    if not missed:
        say(f"met: a ratio of at least {LEAST_RATIO}, at most {MOST_ADDED_MS} ms more")
    return 0


def _told(number: int, pair: Pair) -> str:
    return (
        f"pair {number + 1}, {order(number)[0]} first: {pair.on.pages_per_second:.1f} pages/s on,"
        f" {pair.off.pages_per_second:.1f} off, ratio {pair.ratio:.3f};"
        f" POST {pair.on.post_ms:.2f} ms on, {pair.off.post_ms:.2f} off, {pair.added_ms:+.2f} ms"
    )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InstanceError as error:
        complain(error.message)
        sys.exit(1)
