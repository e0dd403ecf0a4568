"""A process that only fetches, to measure what a hostile answer costs it: `measured_fetch PORT MODE PATH…`.

It is told the port of a site on loopback, fetches an honest page first, and prints one JSON object.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from pathlib import Path

import trio

from pipeline.errors import FetchError
from stages.net.client import Fetcher
from tests.unit.stages.net.site import fetcher

HONEST_AT_ONCE = 20
HONEST_PAGES = 400


def peak_mib() -> float:
    """The most memory that was resident since `forget_peak`."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmHWM")


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def url(port: int, path: str, host: str = "site.test") -> str:
    return f"http://{host}:{port}{path}"


async def one(fetch: Fetcher, address: str) -> str:
    """How a fetch ended: its error's code, or "ok"."""
    try:
        await fetch.fetch(address)
    except FetchError as error:
        return error.code
    return "ok"


async def costs(port: int, paths: list[str]) -> dict[str, object]:
    """What fetching hostile pages, one after the other, costs in memory, processor time and time."""
    async with fetcher(total_seconds=60) as fetch:
        assert await one(fetch, url(port, "/honest")) == "ok"
        forget_peak()
        before, busy, started = peak_mib(), time.process_time(), trio.current_time()
        codes = [await one(fetch, url(port, path)) for path in paths]
        return {
            "codes": codes,
            "mib": peak_mib() - before,
            "cpu": time.process_time() - busy,
            "seconds": trio.current_time() - started,
        }


async def throughput(port: int, paths: list[str]) -> dict[str, object]:
    """Honest pages a second without and with hostile hosts beside them, which are fetched again and again."""
    async with fetcher(total_seconds=60, connect_seconds=30, per_host=HONEST_AT_ONCE) as fetch:
        await honest(fetch, port, HONEST_AT_ONCE)
        alone = await honest(fetch, port, HONEST_PAGES)
        forget_peak()
        before, ends = peak_mib(), 0

        async def hostile(path: str, number: int) -> None:
            nonlocal ends
            while True:
                await one(fetch, url(port, path, f"bad{number}.test"))
                ends += 1
                await trio.sleep(0.5)  # an item that is too large is buried; the next one has to be fetched first

        async with trio.open_nursery() as nursery:
            for number, path in enumerate(paths):
                nursery.start_soon(hostile, path, number)
            beside = await honest(fetch, port, HONEST_PAGES)
            nursery.cancel_scope.cancel()
        return {"alone": alone, "beside": beside, "mib": peak_mib() - before, "ends": ends}


async def honest(fetch: Fetcher, port: int, pages: int) -> float:
    """Pages a second of hosts that take their time to answer, as those of the web do."""
    left = pages
    started = trio.current_time()

    async def some(host: str) -> None:
        nonlocal left
        while left > 0:
            left -= 1
            assert await one(fetch, url(port, "/honest", host)) == "ok"

    async with trio.open_nursery() as nursery:
        for number in range(HONEST_AT_ONCE):
            nursery.start_soon(some, f"good{number}.test")
    return pages / (trio.current_time() - started)


if __name__ == "__main__":
    measure = {"costs": costs, "throughput": throughput}[sys.argv[2]]
    print(json.dumps(trio.run(functools.partial(measure, int(sys.argv[1]), sys.argv[3:]))))
