"""Saves from many clients at once, over real sockets: how many are taken, how fast, and whether each is kept once.

As a script: `python tests/test_load.py --iterations=1000 --concurrent=50 [--url http://… --token …]`. Without --url it
starts an Atlas of its own in a temporary folder, with a site on loopback to fetch from.
"""

from __future__ import annotations

import argparse
import http.client
import math
import random
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

if __name__ == "__main__":  # run from anywhere, the checkout is where the packages are
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import msgspec
import pytest

from supervisor.instance import Instance
from tools.bench.run import SETTINGS, bench_site, say, workplace

SECONDS = 60.0  # for one answer
PAGE = 200


@dataclass(frozen=True, kw_only=True)
class Save:
    """One request. Two with the same `identity` must end as one item; `key` is its Idempotency-Key."""

    identity: str
    body: dict[str, Any]
    key: str | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    save: Save
    status: int  # 0: none came
    seconds: float
    uid: str = ""
    deferred: bool = False


@dataclass(frozen=True, kw_only=True)
class Target:
    """The Atlas under load; `site` is what the saved URLs begin with."""

    url: str
    token: str
    site: str


@dataclass
class Result:
    """What came of a run. `faults` is empty when every accepted save is kept, once."""

    answers: list[Answer]
    seconds: float
    faults: list[str] = field(default_factory=list)

    @property
    def accepted(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.status in (200, 202)]

    def line(self) -> str:
        """The figures in words."""
        kinds = Counter(_kind(answer) for answer in self.answers)
        times = sorted(answer.seconds * 1000 for answer in self.accepted) or [math.nan]
        p50, p99 = times[len(times) // 2], times[min(len(times) - 1, math.ceil(len(times) * 0.99) - 1)]
        return (
            f"{len(self.accepted)} accepted, {kinds['deferred']} of them deferred, {kinds['refused']} refused,"
            f" {kinds['error']} errors; p50 {p50:.1f} ms, p99 {p99:.1f} ms;"
            f" {len(self.answers) / self.seconds:.0f} saves/s"
        )


def _kind(answer: Answer) -> str:
    """Refused: told to come back, with nothing kept. Any other answer but 2xx is an error."""
    if answer.status in (200, 202):
        return "deferred" if answer.deferred else "accepted"
    return "refused" if answer.status in (429, 503, 507) else "error"


def plan(count: int, site: str, run: str) -> list[Save]:
    """New URLs, URLs that were saved before, notes, and requests sent twice under one Idempotency-Key, mixed."""
    dice = random.Random(run)
    tags = [f"load-{run}"]
    made: list[Save] = []
    for number in range(count):
        draw = dice.random()
        if draw < 0.2 and made:
            made.append(dice.choice(made))  # as a client does that saw no answer
        elif draw < 0.35:
            text = f"note {number} of {run}"
            key = f"{run}-{number}"
            made.append(Save(identity=text, body={"text": text, "tags": tags}, key=key))
        else:
            key = f"{run}-{number}" if draw < 0.5 else None
            url = f"{site}/p/{number}"
            made.append(Save(identity=url, body={"url": url, "tags": tags}, key=key))
    return made


class Client:
    """Takes saves from a shared list until it is empty, on one connection that is kept open."""

    def __init__(self, target: Target, saves: Iterator[Save], lock: threading.Lock) -> None:
        self._target = target
        self._saves = saves
        self._lock = lock

    def run(self) -> list[Answer]:
        answers: list[Answer] = []
        connection = http.client.HTTPConnection(urlsplit(self._target.url).netloc, timeout=SECONDS)
        with closing(connection):
            while True:
                with self._lock:
                    save = next(self._saves, None)
                if save is None:
                    return answers
                answers.append(self._send(connection, save))

    def _send(self, connection: http.client.HTTPConnection, save: Save) -> Answer:
        headers = {"Authorization": f"Bearer {self._target.token}", "Content-Type": "application/json"}
        if save.key is not None:
            headers["Idempotency-Key"] = save.key
        begun = time.perf_counter()
        try:
            connection.request("POST", "/api/v1/items", msgspec.json.encode(save.body), headers)
            reply = connection.getresponse()
            content = reply.read()
        except (OSError, http.client.HTTPException):
            connection.close()  # the next request opens another one
            return Answer(save=save, status=0, seconds=time.perf_counter() - begun)
        seconds = time.perf_counter() - begun
        if reply.status not in (200, 202):
            return Answer(save=save, status=reply.status, seconds=seconds)
        kept = msgspec.json.decode(content)
        return Answer(save=save, status=reply.status, seconds=seconds, uid=kept["id"], deferred=kept["deferred"])


def load(target: Target, *, iterations: int, concurrent: int, run: str) -> Result:
    """Send `iterations` saves from `concurrent` clients, then look at what is kept."""
    saves, lock = iter(plan(iterations, target.site, run)), threading.Lock()
    begun = time.perf_counter()
    with ThreadPoolExecutor(concurrent) as threads:
        clients = [threads.submit(Client(target, saves, lock).run) for _ in range(concurrent)]
        answers = [answer for client in clients for answer in client.result()]
    result = Result(answers=answers, seconds=time.perf_counter() - begun)
    result.faults = faults(result, kept(target, run))
    return result


def kept(target: Target, run: str) -> list[dict[str, Any]]:
    """Every item of this run that the Atlas has: they share a tag."""
    found: list[dict[str, Any]] = []
    cursor = ""
    connection = http.client.HTTPConnection(urlsplit(target.url).netloc, timeout=SECONDS)
    with closing(connection):
        while True:
            path = f"/api/v1/items?tag=load-{run}&limit={PAGE}{cursor}"
            connection.request("GET", path, headers={"Authorization": f"Bearer {target.token}"})
            page = msgspec.json.decode(connection.getresponse().read())
            found += page["items"]
            if page["cursor"] is None:
                return found
            cursor = f"&cursor={page['cursor']}"


def faults(result: Result, items: list[dict[str, Any]]) -> list[str]:
    """What was accepted and is missing, or was kept twice."""
    there = Counter(item["id"] for item in items)
    uids: defaultdict[str, set[str]] = defaultdict(set)
    for answer in result.accepted:
        uids[answer.save.identity].add(answer.uid)
    found = [f"{identity} was answered with {len(each)} items" for identity, each in uids.items() if len(each) > 1]
    found += [f"{identity} is missing" for identity, each in uids.items() if not each <= set(there)]
    urls = Counter(item["url"] for item in items if item["url"])
    found += [f"{url} is kept {n} times" for url, n in urls.items() if n > 1]
    unanswered = {answer.save.identity for answer in result.answers} - set(uids)
    if len(items) > len(uids) + len(unanswered):
        found.append(f"{len(items)} items are kept, of {len(uids)} that were accepted")
    return found


@contextmanager
def own_atlas(folder: Path, *, pages: int) -> Iterator[Target]:
    """An Atlas and a site in child processes, on loopback, until the block ends."""
    with (
        bench_site(folder / "site", pages=pages) as site,
        Instance(folder / "data", settings=SETTINGS) as atlas,
    ):
        yield Target(url=f"http://127.0.0.1:{atlas.port}", token=atlas.token, site=site)


def check(folder: Path, *, iterations: int, concurrent: int) -> None:
    with own_atlas(folder, pages=iterations) as target:
        result = load(target, iterations=iterations, concurrent=concurrent, run="test")
    print(f"figure load: {iterations} saves by {concurrent} clients: {result.line()}")
    assert result.faults == []
    assert len(result.accepted) == iterations


@pytest.mark.slow
def test_saves_from_ten_clients_at_once_are_all_kept_and_none_twice(tmp_path: Path) -> None:
    check(tmp_path, iterations=100, concurrent=10)


@pytest.mark.slow
def test_saves_from_fifty_clients_at_once_are_all_kept_and_none_twice(tmp_path: Path) -> None:
    check(tmp_path, iterations=1000, concurrent=50)


def test_a_save_that_is_missing_or_kept_twice_is_found() -> None:
    first, second = (Save(identity=url, body={"url": url}) for url in ("one", "two"))
    answers = [
        Answer(save=save, status=202, seconds=0.1, uid=uid) for save, uid in ((first, "A"), (first, "B"), (second, "C"))
    ]
    items = [{"id": "A", "url": "u"}, {"id": "B", "url": "u"}]
    assert faults(Result(answers=answers, seconds=1.0), items) == [
        "one was answered with 2 items",
        "two is missing",
        "u is kept 2 times",
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument("--concurrent", type=int, default=50)
    parser.add_argument("--url", help="an Atlas that runs; its address, such as http://127.0.0.1:7444")
    parser.add_argument("--token", default="", help="for it, with the scope write")
    options = parser.parse_args()
    run = f"{time.time_ns():x}"
    with workplace() as folder:
        if options.url:
            target = Target(url=options.url, token=options.token, site=f"http://load-{run}.invalid")
            result = load(target, iterations=options.iterations, concurrent=options.concurrent, run=run)
        else:
            with own_atlas(folder, pages=options.iterations) as target:
                result = load(target, iterations=options.iterations, concurrent=options.concurrent, run=run)
    say(result.line())
    for fault in result.faults[:20]:
        say(fault)
    say("every accepted save is kept, none twice" if not result.faults else f"{len(result.faults)} faults")
    return 1 if result.faults or any(_kind(answer) == "error" for answer in result.answers) else 0


if __name__ == "__main__":
    sys.exit(main())
