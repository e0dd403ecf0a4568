"""What the benches share: a bench site and an Atlas that may fetch from it, and waiting until all items have ended."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from supervisor.instance import Instance, InstanceError, Process

ADDRESS: Final = r"http://127\.0\.0\.1:\d+(?=\n)"
ENDS: Final = {"done", "duplicate", "dead"}
SETTINGS: Final = {
    "ATLAS_NET_ALLOW_NETWORKS": "127.0.0.1/32",
    "ATLAS_NET_PER_HOST": "32",  # one host plays the whole web
    "ATLAS_NET_PER_HOST_PER_SECOND": "10000",
    "ATLAS_RETRY_BASE_SECONDS": "0.2",
    "ATLAS_API_REQUESTS_PER_MINUTE": "1000000",
    "ATLAS_LOG_LEVEL": "warning",
}


@contextmanager
def bench_site(folder: Path, *, pages: int = 0, kind: str = "small", seed: int = 1) -> Iterator[str]:
    """The bench site as a process; its address."""
    folder.mkdir(parents=True, exist_ok=True)
    arguments = ("--pages", str(pages), "--kind", kind, "--seed", str(seed))
    site = Process("tools.bench.site", *arguments, folder=folder)
    try:
        yield site.printed(ADDRESS, seconds=60)
    finally:
        site.stop(seconds=5)


@contextmanager
def workplace() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="atlas-bench-") as folder:
        yield Path(folder)


def keep(atlas: Instance, urls: list[str], *, seconds: float = 300.0) -> None:
    """Save the URLs with `atlas add -`."""
    atlas.command("add", "-", given="\n".join(urls), seconds=seconds)


def wait_until_ended(
    atlas: Instance, count: int, *, seconds: float, look: Callable[[], None] = lambda: None
) -> list[dict[str, Any]]:
    """All items once `count` of them have ended. `look` is called about ten times a second meanwhile.

    The queue's size is asked for, which costs the api next to nothing; items are listed only when it is empty.
    """
    deadline = time.monotonic() + seconds
    assert atlas.up is not None
    while True:
        look()
        if atlas.ask("GET", "/ready").body["queue_size"] == 0:
            items = atlas.items()
            if sum(item["state"] in ENDS for item in items) >= count:
                return items
        if time.monotonic() > deadline:
            left = [f"{item['url']} {item['state']} {item['stage']['code']}" for item in atlas.items()]
            raise InstanceError(f"not all of {count} ended within {seconds:g} s:\n" + "\n".join(left[:20]))
        if atlas.up.wait(0.1) is not None:
            raise atlas.up.failed("ended during the bench")


def say(text: str) -> None:
    print(text, flush=True)


def complain(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
