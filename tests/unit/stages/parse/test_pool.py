"""Hostile pages cost one attempt, never the pool."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
import trio
import trio.testing

from pipeline.errors import ParseCrashed, ParseError, ParseTimeout, Unsupported
from stages.parse.pool import ParsePool
from stages.settings import ParseSettings

PAGE = (
    b"<html><head><title>A page that is read</title></head><body><p>"
    + b"Words of an article. " * 30
    + b"</p></body></html>"
)
HANGS = b"<html><body><p " + b" ".join(b"a%d=1" % number for number in range(1_000_000)) + b">x</p></body></html>"
SETTINGS = ParseSettings()


def settings(**changes: float) -> ParseSettings:
    return msgspec.structs.replace(SETTINGS, **changes)


async def title_of(pool: ParsePool) -> str | None:
    return (await pool.glance(PAGE, url="http://a.test/", media_type="text/html")).title


async def extract(pool: ParsePool, content: bytes) -> object:
    return await pool.extract(content, url="http://a.test/", media_type="text/html", today="2026-01-01")


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    with trio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 - other processes ring no bell
            await trio.sleep(0.01)


async def test_a_page_that_hangs_is_killed_at_its_deadline_and_the_next_page_is_served() -> None:
    async with ParsePool(settings(deadline_seconds=1.0), 1) as pool:
        before = await title_of(pool), pool.pids()
        with pytest.raises(ParseTimeout):
            await extract(pool, HANGS)
        assert await title_of(pool) == before[0] == "A page that is read"
        assert pool.pids() != before[1]


async def test_a_page_that_needs_too_much_memory_fails_alone() -> None:
    async with ParsePool(settings(memory_mib=300, deadline_seconds=60.0), 1) as pool:
        with pytest.raises(ParseCrashed, match="memory"):
            await pool.extract(
                b"words " * 10_000_000, url="http://a.test/", media_type="text/plain", today="2026-01-01"
            )
        assert await title_of(pool) == "A page that is read"


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGSEGV, marks=pytest.mark.slow)])
async def test_a_process_that_dies_in_the_middle_of_a_job_says_how(number: signal.Signals) -> None:
    async with ParsePool(SETTINGS, 1) as pool:
        await title_of(pool)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_kill_when_blocked, pool, number)
            with pytest.raises(ParseCrashed, match=number.name):
                await extract(pool, HANGS)
        assert await title_of(pool) == "A page that is read"


async def _kill_when_blocked(pool: ParsePool, number: signal.Signals) -> None:
    await trio.testing.wait_all_tasks_blocked(0.05)
    os.kill(pool.pids()[0], number)


@pytest.mark.slow
async def test_a_process_that_dies_idle_costs_nobody_an_attempt() -> None:
    async with ParsePool(SETTINGS, 1) as pool:
        await title_of(pool)
        victim = pool.pids()[0]
        os.kill(victim, signal.SIGKILL)
        await until(lambda: _state(victim) in ("Z", None))
        assert await title_of(pool) == "A page that is read"


@pytest.mark.slow
async def test_a_stop_that_reaches_the_whole_process_group_lets_the_pages_in_hand_finish() -> None:
    async with ParsePool(SETTINGS, 1) as pool:
        await title_of(pool)
        before = pool.pids()
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(before[0], number)
            assert await title_of(pool) == "A page that is read"
        assert pool.pids() == before


@pytest.mark.slow
async def test_a_cancelled_job_leaves_no_late_answer_to_the_next_one() -> None:
    async with ParsePool(SETTINGS, 1) as pool:
        await title_of(pool)
        with trio.move_on_after(0.1) as scope:
            await extract(pool, HANGS)
        assert scope.cancelled_caught
        assert await title_of(pool) == "A page that is read"


@pytest.mark.slow
async def test_random_bytes_kill_no_process() -> None:
    dice = random.Random(7)
    async with ParsePool(SETTINGS, 1) as pool:
        first = pool.pids()
        for size in (0, 1, 2, 100, 10_000, 200_000):
            content = dice.randbytes(size)
            with suppress(ParseError):
                await pool.feed(content, url="http://a.test/")
            await extract(pool, content)
            await pool.glance(content, url="http://a.test/", media_type="text/html")
        assert pool.pids() == first


@pytest.mark.slow
async def test_a_process_is_replaced_after_its_pages_by_one_that_was_started_before() -> None:
    async with ParsePool(settings(recycle_pages=8), 1) as pool:
        first = pool.pids()[0]
        for _ in range(4):
            await title_of(pool)
        assert len(pool.pids()) == 2
        for _ in range(4):
            await title_of(pool)
        assert first not in pool.pids()
        assert await title_of(pool) == "A page that is read"


@pytest.mark.slow
async def test_jobs_are_served_in_order_of_arrival() -> None:
    done: list[int] = []
    async with ParsePool(SETTINGS, 1) as pool:

        async def one(number: int) -> None:
            await title_of(pool)
            done.append(number)

        async with trio.open_nursery() as nursery:
            for number in range(5):
                nursery.start_soon(one, number)
                await trio.testing.wait_all_tasks_blocked()
    assert done == sorted(done)


@pytest.mark.slow
async def test_no_process_outlives_the_pool() -> None:
    async with ParsePool(SETTINGS, 2) as pool:
        await title_of(pool)
        pids = pool.pids()
    assert len(pids) == 2
    assert [_state(pid) for pid in pids] == [None, None]


async def test_every_error_of_the_tree_keeps_its_kind_across_the_process_border() -> None:
    async with ParsePool(SETTINGS, 1) as pool:
        with pytest.raises(Unsupported):
            await pool.feed(b"<html><body>no feed</body></html>", url="http://a.test/")


@pytest.mark.slow
def test_the_parse_processes_die_with_their_parent(root: Path) -> None:
    script = (
        "import os, signal, trio\n"
        "from stages.parse.pool import ParsePool\n"
        "from stages.settings import ParseSettings\n"
        "async def main():\n"
        "    async with ParsePool(ParseSettings(), 1) as pool:\n"
        "        await pool.enrich('a text')\n"
        "        print(pool.pids()[0], flush=True)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "trio.run(main)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-P", "-c", script],
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    pid = int(ended.stdout)
    trio.run(until, lambda: _state(pid) in ("Z", None))


def test_the_process_that_holds_the_pool_never_imports_a_parser(root: Path) -> None:
    script = (
        "import sys\n"
        "import stages.parse.pool, stages.discover, stages.extract, stages.enrich, stages.finalise\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-P", "-c", script], env={"PYTHONPATH": str(root)}, capture_output=True, timeout=60, check=True
    )
    heavy = {
        "trafilatura",
        "lxml",
        "py3langid",
        "numpy",
        "feedparser",
        "htmldate",
        "charset_normalizer",
        "justext",
        "nh3",
    }
    assert not heavy & set(ended.stdout.decode().split())


def _state(pid: int) -> str | None:
    """The process's state letter, or None when there is none of this number."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return None
