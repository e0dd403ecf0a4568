"""Where log lines leave the process: a thread writes them, so that whoever reads them slowly holds nobody up.

Lines are rendered by whoever logs and wait in a bounded queue, one for each place that they go to. When nobody takes
them there, the ones that come are dropped and counted, and the count is told in a line of its own once there is room.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

LINES: Final = 10_000  # that wait at most
LETTERS: Final = 8 * 1024 * 1024  # in all that wait, so that tracebacks do not fill the memory
CLOSE_SECONDS: Final = 1.0  # for what still waits when the process ends
# Lines of one moment are written together: to wake the thread costs whoever logs more than to render the line. What a
# process says in the moment before kill -9 is lost; warnings and worse do not wait.
LINGER_SECONDS: Final = 0.02
PIECE: Final = 4096  # bytes written at once: PIPE_BUF, up to which two processes on one pipe tear no line of each other


class Descriptor:
    """A stream of whole lines without a buffer of Python's.

    The interpreter waits for those, and for the lock of whoever is writing to one, before it ends: a role whose log
    nobody reads would never end (test_log_stalls.py).
    """

    def __init__(self, number: int, encoding: str = "utf-8") -> None:
        self._number = number
        self._encoding = encoding

    def fileno(self) -> int:
        return self._number

    def write(self, text: str) -> int:
        """Write it now, however long that takes. Raises OSError; then a file is as it was before."""
        content = text.encode(self._encoding, "backslashreplace")
        written = 0
        try:
            while written < len(content):
                try:
                    written += os.write(self._number, content[written:])
                except BlockingIOError:  # whoever gave it to us had made it so
                    select.select([], [self._number], [])
        except OSError:
            self._take_back(written)
            raise
        return len(text)

    def _take_back(self, written: int) -> None:
        """A disk that is full takes a part of a line: the next line would go on in the middle of it."""
        with contextlib.suppress(OSError):  # it is no file
            end = os.lseek(self._number, 0, os.SEEK_CUR)
            if written and os.fstat(self._number).st_size == end:  # else another process has written since
                os.ftruncate(self._number, end - written)
                os.lseek(self._number, end - written, os.SEEK_SET)

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        os.close(self._number)


class Outlet(logging.Handler):
    """The way to one place. `emit` never waits for anything but a lock that is held for a moment."""

    def __init__(
        self,
        handler: logging.StreamHandler,  # type: ignore[type-arg]  # of any text stream
        *,
        told: Callable[[int], logging.LogRecord],
        lines: int = LINES,
        letters: int = LETTERS,
    ) -> None:
        """`told(n)` is the record that says that n lines were dropped."""
        super().__init__()
        self._handler = handler
        self._told = told
        self._lines, self._letters = lines, letters
        self._waiting: deque[str] = deque()
        self._size = 0
        self._untold = 0
        self._moved = threading.Condition()
        self._closing = False
        self._idle = False  # the thread waits for a first line
        self._hurried = False  # and does not wait for more
        self._writing = False
        self.dropped = 0  # in all, also lines that could not be written
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Render and queue; never raises for what was logged."""
        try:
            line = self._handler.format(record) + self._handler.terminator
        except Exception:  # noqa: BLE001 - a value whose text cannot be had costs its line, not its caller
            self._drop()
            return
        with self._moved:
            if len(self._waiting) < self._lines and self._size + len(line) <= self._letters and not self._closing:
                self._waiting.append(line)
                self._size += len(line)
                if record.levelno >= logging.WARNING:
                    self._hurried = True
                if self._idle or self._hurried:
                    self._moved.notify_all()
                return
        self._drop()

    def _drop(self, lines: int = 1) -> None:
        with self._moved:
            self.dropped += lines
            self._untold += lines

    def wait(self, seconds: float) -> bool:
        """Wait until all that waited is written, at most `seconds`; whether it is."""
        with self._moved:
            self._hurried = True
            self._moved.notify_all()
            return self._moved.wait_for(lambda: not self._waiting and not self._writing, seconds)

    def close(self) -> None:
        """Write what waits, within CLOSE_SECONDS, and take no more. Idempotent."""
        with self._moved:
            self._closing = True
            self._moved.notify_all()
        self._thread.join(CLOSE_SECONDS)
        if not self._thread.is_alive():  # else it is still writing to it
            self._handler.close()
        super().close()

    def _write_all(self) -> None:
        while (piece := self._next_piece()) is not None:
            if self._write("".join(piece)):
                self._tell()
            else:
                self._drop(len(piece))
            with self._moved:
                self._writing = False
                self._moved.notify_all()

    def _next_piece(self) -> list[str] | None:
        """The next lines, waiting for them; None when there are none and none will come."""
        with self._moved:
            if not self._waiting:
                self._idle, self._hurried = True, False
                self._moved.wait_for(lambda: self._waiting or self._closing)
                self._idle = False
                self._moved.wait_for(lambda: self._hurried or self._closing, LINGER_SECONDS)
            piece, size = list[str](), 0
            while self._waiting and (not piece or size + _bytes(self._waiting[0]) <= PIECE):
                piece.append(self._waiting.popleft())
                size += _bytes(piece[-1])
                self._size -= len(piece[-1])
            self._writing = bool(piece)
            return piece or None

    def _tell(self) -> None:
        """There is room again: say how many lines are missing."""
        with self._moved:
            untold, self._untold = self._untold, 0
        if untold and not self._write(self._handler.format(self._told(untold)) + self._handler.terminator):
            with self._moved:
                self._untold += untold

    def _write(self, lines: str) -> bool:
        """Whole lines, at once: what is read by others may not wait in a buffer. Whether they are written."""
        handler = self._handler
        try:
            reopen = getattr(handler, "reopenIfNeeded", None)
            if reopen is not None:
                reopen()
            if handler.stream is None:
                handler.stream = handler._open()  # type: ignore[attr-defined]  # noqa: SLF001 - a file's, made late
            handler.stream.write(lines)
            handler.stream.flush()
        except (OSError, ValueError):  # the reader has gone, the disk is full, the stream is closed
            return False
        return True


def _bytes(line: str) -> int:
    """At most."""
    return len(line) if line.isascii() else 4 * len(line)
