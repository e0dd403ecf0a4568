"""F11, F14: bodies without end and decompression bombs cost little memory and time, and other hosts nothing."""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import brotli
import pytest
import trio
import trio.testing
import zstandard

from pipeline.errors import FetchTimeout
from tests.conftest import ROOT
from tests.test_reliability.sizes import figure, size
from tests.unit.stages.net.site import Handler, Request, fetcher, listening, reply

MIB = 1024 * 1024
GIB = 1024 * MIB


@pytest.fixture
def autojump_clock() -> trio.testing.MockClock:
    """It leaves the kernel of a busy machine a moment to deliver what the other side has sent, before time jumps."""
    return trio.testing.MockClock(autojump_threshold=0.005)


def _gzip(unfolded: int) -> Iterator[bytes]:
    """Zeros, a MiB at a time: after a full flush every block stands for itself, so one is made and sent again."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    yield gzip.compress(b"")[:10]
    for _ in range(unfolded // MIB):
        yield block
    yield zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS).flush()


def _zstd(unfolded: int) -> Iterator[bytes]:
    frame = zstandard.compress(bytes(64 * MIB))
    for _ in range(unfolded // (64 * MIB)):
        yield frame


def _brotli(unfolded: int) -> Iterator[bytes]:
    packer = brotli.Compressor(quality=1)
    piece = bytes(16 * MIB)
    for _ in range(unfolded // len(piece)):
        if packed := packer.process(piece):
            yield packed
    yield packer.finish()


BOMBS: dict[str, tuple[str, Callable[[], Iterator[bytes]]]] = {
    "/gzip": ("gzip", lambda: _gzip(100 * MIB)),
    "/gzip10": ("gzip", lambda: _gzip(10 * GIB)),
    "/br": ("br", lambda: _brotli(1 * GIB)),
    "/zstd": ("zstd", lambda: _zstd(128 * MIB)),
    "/zstd10": ("zstd", lambda: _zstd(10 * GIB)),
    "/nested": ("gzip, gzip", lambda: iter([gzip.compress(gzip.compress(bytes(100 * MIB)))])),
    "/nested-br": ("br, gzip", lambda: iter([gzip.compress(brotli.compress(bytes(100 * MIB), quality=1))])),
}


async def _bomb(stream: trio.SocketStream, request: Request) -> None:
    if request.path not in BOMBS:
        await stream.send_all(reply(b"<p>honest</p>"))
        return
    coding, pieces = BOMBS[request.path]
    await stream.send_all(f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nConnection: close\r\n\r\n".encode())
    for piece in pieces():
        await stream.send_all(piece)
    await stream.aclose()


async def _endless(stream: trio.SocketStream, request: Request) -> None:
    match request.path:
        case "/fast":
            await _go_on(stream, bytes(65536), pause=0)
        case "/100":  # MB/s
            await _go_on(stream, bytes(1_000_000), pause=0.01)
        case "/drip":
            await _go_on(stream, b"x", pause=1)
        case _:
            await trio.sleep(0.1)
            await stream.send_all(reply(b"<p>honest</p>"))


async def _go_on(stream: trio.SocketStream, piece: bytes, *, pause: float) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
    while True:
        await stream.send_all(piece)
        await trio.sleep(pause)


async def _measured(handler: Handler, mode: str, *paths: str) -> Any:
    """What a process of its own says that fetching from such a site has cost it."""
    with trio.fail_after(120):
        async with listening(handler) as site:
            told = await trio.run_process(
                [sys.executable, "-P", "-m", "tests.test_reliability.measured_fetch", str(site.port), mode, *paths],
                capture_stdout=True,
                env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
            )
    return json.loads(told.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("path", BOMBS)
async def test_a_decompression_bomb_is_stopped_before_it_costs_memory_or_time(path: str) -> None:
    cost = await _measured(_bomb, "costs", path)
    figure("F14", f"{path[1:]}: RSS +{cost['mib']:.1f} MiB, CPU {cost['cpu']:.3f} s, {cost['codes'][0]}")
    assert cost["codes"] == ["protocol" if path.startswith("/nested") else "too_large"]
    assert cost["mib"] <= 40
    assert cost["cpu"] <= 2


@pytest.mark.slow
async def test_a_body_as_fast_as_it_goes_is_cut_at_the_limit_and_costs_little_memory() -> None:
    cost = await _measured(_endless, "costs", "/fast", "/fast", "/fast")
    figure("F11", f"endless, as fast as it goes, 3 in a row: RSS +{cost['mib']:.1f} MiB, {cost['seconds']:.2f} s")
    assert cost["codes"] == ["too_large"] * 3
    assert cost["mib"] <= 32


@pytest.mark.fault
async def test_hosts_without_end_leave_the_others_nine_tenths_of_their_pages() -> None:
    """The best of a few runs: the machine may be busy with something else."""
    shares, cost = [], {"mib": 0.0}
    for _ in range(size("THROUGHPUT", small=2, full=5)):
        cost = await _measured(_endless, "throughput", *["/drip"] * 9, "/100")
        shares.append(cost["beside"] / cost["alone"])
        figure(
            "F11",
            f"others: {cost['alone']:.0f} pages/s alone, {cost['beside']:.0f} beside 10 endless hosts "
            f"({shares[-1]:.0%}), RSS +{cost['mib']:.1f} MiB, {cost['ends']} bodies cut",
        )
        assert cost["mib"] <= 32
    assert max(shares) >= 0.9


async def test_a_body_of_a_byte_a_second_is_cut_after_a_minute(autojump_clock: trio.testing.MockClock) -> None:
    async with listening(_endless) as site, fetcher() as fetch:
        started = trio.current_time()
        with pytest.raises(FetchTimeout):
            await fetch.fetch(site.url("/drip"))
        taken = trio.current_time() - started
    figure("F11", f"endless, 1 B/s: cut after {taken:.1f} s")
    assert taken == pytest.approx(60, abs=0.5)
