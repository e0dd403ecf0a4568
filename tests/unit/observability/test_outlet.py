"""The thread that writes the log: whole lines, whatever becomes of the place that they go to."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from observability.outlet import Descriptor, Outlet


def record(text: str, level: int = logging.WARNING) -> logging.LogRecord:
    return logging.LogRecord("test", level, "", 0, text, None, None)


def told(lines: int) -> logging.LogRecord:
    return record(f"{lines} missing")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ours, theirs = os.pipe()
    yield ours, theirs
    for number in (ours, theirs):
        with contextlib.suppress(OSError):
            os.close(number)


def outlet_to(number: int, **limits: int) -> Outlet:
    return Outlet(logging.StreamHandler(Descriptor(number)), told=told, **limits)  # type: ignore[type-var]


def test_a_descriptor_that_others_made_non_blocking_gets_every_byte_when_there_is_room(pipe: tuple[int, int]) -> None:
    ours, theirs = pipe
    os.set_blocking(theirs, False)
    size = fcntl.fcntl(theirs, fcntl.F_GETPIPE_SZ)
    text = "x" * (3 * size) + "\n"
    writing = threading.Thread(target=Descriptor(theirs).write, args=(text,))
    writing.start()
    read = 0
    while read < len(text):
        read += len(os.read(ours, size))
    writing.join(10)
    assert not writing.is_alive()


def test_half_a_line_that_a_full_disk_took_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the next line would go on in the middle of it."""
    number = os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY)
    stream, write = Descriptor(number), os.write
    assert stream.write("a whole line\n") == 13
    parts = iter([b"half"])

    def full(target: int, content: bytes) -> int:
        part = next(parts, None)
        if part is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(target, part)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        stream.write("half a line\n")
    monkeypatch.setattr(os, "write", write)
    stream.write("the next\n")
    stream.close()
    assert (tmp_path / "log").read_text() == "a whole line\nthe next\n"


def test_a_line_that_another_process_wrote_behind_the_half_one_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY)
    write, tries = os.write, iter([True, False])

    def full(target: int, content: bytes) -> int:
        if next(tries):
            with (tmp_path / "log").open("ab") as other:
                done = write(target, b"half")
                other.write(b"|theirs\n")
            return done
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        Descriptor(number).write("half a line\n")
    os.close(number)
    assert (tmp_path / "log").read_bytes().endswith(b"theirs\n")


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_a_value_without_a_text_costs_its_own_line_and_the_loss_is_told(pipe: tuple[int, int]) -> None:
    ours, theirs = pipe
    outlet = outlet_to(theirs)
    outlet.emit(logging.LogRecord("test", logging.WARNING, "", 0, "%s", (Unprintable(),), None))
    outlet.emit(record("the next"))
    assert outlet.wait(10)
    outlet.close()
    assert outlet.dropped == 1
    assert os.read(ours, 4096).decode().splitlines() == ["the next", "1 missing"]


def test_when_the_reader_has_gone_lines_are_counted_and_nobody_is_held_up(pipe: tuple[int, int]) -> None:
    ours, theirs = pipe
    os.close(ours)
    outlet = outlet_to(theirs)
    for number in range(3):
        outlet.emit(record(f"line {number}"))
        assert outlet.wait(10)
    outlet.close()
    assert outlet.dropped == 3


def test_the_count_of_lost_lines_is_kept_until_it_can_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk takes a line, then is full again for the line that tells."""
    stream = io.StringIO()
    answers = iter([False, True, False, True, True])
    handler = logging.StreamHandler(stream)
    outlet = Outlet(handler, told=told)
    write = outlet._write

    def at_times(lines: str) -> bool:
        return next(answers, True) and write(lines)

    monkeypatch.setattr(outlet, "_write", at_times)
    for text in ("lost", "kept", "kept, too"):
        outlet.emit(record(text))
        assert outlet.wait(10)
    assert stream.getvalue().splitlines() == ["kept", "kept, too", "1 missing"]
    outlet.close()


def test_after_close_a_line_is_dropped_and_a_second_close_does_nothing(pipe: tuple[int, int]) -> None:
    _, theirs = pipe
    outlet = outlet_to(theirs)
    outlet.close()
    outlet.emit(record("too late"))
    assert outlet.dropped == 1
    outlet.close()


def test_more_than_may_wait_is_dropped_also_by_its_size() -> None:
    begun, held = threading.Event(), threading.Event()

    class Slow(io.StringIO):
        def write(self, text: str) -> int:
            begun.set()
            held.wait(10)
            return super().write(text)

    stream = Slow()
    outlet = Outlet(logging.StreamHandler(stream), told=told, lines=100, letters=30)
    outlet.emit(record("first"))
    assert begun.wait(10)  # the thread has taken it, and is held up
    outlet.emit(record("x" * 25))
    outlet.emit(record("y" * 25))
    assert outlet.dropped == 1
    held.set()
    assert outlet.wait(10)
    outlet.close()
    assert stream.getvalue().splitlines() == ["first", "1 missing", "x" * 25]
