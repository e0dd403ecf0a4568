"""Where log lines leave the process: a thread writes them, so that whoever reads them slowly holds nobody up.

Lines are rendered by whoever logs and wait in a bounded queue. When nobody takes them, the ones that come are dropped
and counted, and the count is told in a line of its own once there is room again.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

LINES: Final = 10_000  # that wait at most
LETTERS: Final = 8 * 1024 * 1024  # in all that wait, so that tracebacks do not fill the memory
CLOSE_SECONDS: Final = 1.0  # for what still waits when the process ends


class Outlet(logging.Handler):
    """The one handler of the root logger. `emit` never waits for anything but a lock that is held for a moment."""

    def __init__(
        self,
        handlers: Sequence[logging.StreamHandler],  # type: ignore[type-arg]  # of any text stream
        *,
        told: Callable[[int], logging.LogRecord],
        lines: int = LINES,
        letters: int = LETTERS,
    ) -> None:
        """`told(n)` is the record that says that n lines were dropped."""
        super().__init__()
        self._handlers = tuple(handlers)
        self._told = told
        self._lines, self._letters = lines, letters
        self._waiting: deque[tuple[logging.StreamHandler, str]] = deque()  # type: ignore[type-arg]
        self._size = 0
        self._untold = 0
        self._moved = threading.Condition()
        self._closing = False
        self._writing = False
        self.dropped = 0  # in all, also lines that could not be written
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Render for each handler and queue; never raises for what was logged."""
        for handler in self._handlers:
            try:
                line = handler.format(record)
            except Exception:  # noqa: BLE001 - a value whose text cannot be had costs its line, not its caller
                self._drop()
                continue
            self._queue(handler, line)

    def _queue(self, handler: logging.StreamHandler, line: str) -> None:  # type: ignore[type-arg]
        with self._moved:
            if len(self._waiting) >= self._lines or self._size + len(line) > self._letters or self._closing:
                self.dropped += 1
                self._untold += 1
                return
            self._waiting.append((handler, line))
            self._size += len(line)
            self._moved.notify_all()

    def _drop(self) -> None:
        with self._moved:
            self.dropped += 1
            self._untold += 1

    def flush(self) -> None:
        """Wait until all that waited is written, at most CLOSE_SECONDS."""
        self.wait(CLOSE_SECONDS)

    def wait(self, seconds: float) -> bool:
        """The same, at most `seconds`; whether it is written."""
        with self._moved:
            return self._moved.wait_for(lambda: not self._waiting and not self._writing, seconds)

    def close(self) -> None:
        """Write what waits, within CLOSE_SECONDS, and take no more. Idempotent."""
        self.flush()
        with self._moved:
            self._closing = True
            self._moved.notify_all()
        self._thread.join(CLOSE_SECONDS)
        for handler in self._handlers:
            if not self._thread.is_alive():  # else it is still writing to it
                handler.close()
        super().close()

    def _write_all(self) -> None:
        while True:
            with self._moved:
                self._moved.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                handler, line = self._waiting.popleft()
                self._size -= len(line)
                untold, self._untold = self._untold, 0
                self._writing = True
            self._write(handler, line)
            if untold:
                record = self._told(untold)
                for each in self._handlers:
                    self._write(each, each.format(record))
            with self._moved:
                self._writing = False
                self._moved.notify_all()

    def _write(self, handler: logging.StreamHandler, line: str) -> None:  # type: ignore[type-arg]
        """One line, at once: what is read by others may not wait in a buffer."""
        try:
            reopen = getattr(handler, "reopenIfNeeded", None)
            if reopen is not None:
                reopen()
            if handler.stream is None:
                handler.stream = handler._open()  # type: ignore[attr-defined]  # noqa: SLF001 - a file's, made late
            handler.stream.write(line + handler.terminator)
            handler.stream.flush()
        except (OSError, ValueError):  # the reader has gone, the disk is full, the stream is closed
            with self._moved:
                self.dropped += 1
