"""Logs: JSON lines for services, readable text on a terminal, both to standard error; libraries go the same way.

A line is one object: timestamp (UTC), level, event (of the catalogue), role, and what is known of its subject:
correlation_id, trace_id, span_id, item_id, feed_id, stage, error_id, duration (seconds).
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Protocol, TextIO, cast

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from observability import metrics, redact, trace
from observability.names import Event
from observability.outlet import Descriptor, Outlet
from observability.settings import LogSettings

_FIRST = ("timestamp", "level", "role", "event", "stage", "item_id")
_MULTILINE = frozenset({"exception", "stack"})
# Every request of every fetch at info says nothing that our own events do not say better.
_SILENT = ("opentelemetry",)  # it would say each second that a collector does not answer: see Event.TELEMETRY_DROPPED
_QUIET = ("httpx2", "httpcore2", "hypercorn.access", "asyncio", "trafilatura", "htmldate", "markdown_it", "urllib3")


class Logger(Protocol):
    """What a part of Atlas logs with: an event of the catalogue and its fields; `exc_info` takes an exception."""

    def debug(self, event: Event, **fields: object) -> object: ...

    def info(self, event: Event, **fields: object) -> object: ...

    def warning(self, event: Event, **fields: object) -> object: ...

    def error(self, event: Event, **fields: object) -> object: ...

    def critical(self, event: Event, **fields: object) -> object: ...


def get_logger(**fields: object) -> Logger:
    """A logger whose lines all carry `fields`. It follows a later configure()."""
    return cast(Logger, structlog.get_logger(**fields))


def utc_now() -> datetime:
    """The wall clock, in UTC."""
    return datetime.now(UTC)


def configure(
    settings: LogSettings,
    role: str,
    *,
    data: Path | None = None,
    stream: TextIO | None = None,
    now: Callable[[], datetime] = utc_now,
) -> None:
    """Send the logs of this process, and of the libraries in it, to `stream` (standard error) and to `[log] file`.

    Logging never waits for either: see observability.outlet. May be called again; the last call counts.
    """
    out = sys.stderr if stream is None else stream
    as_text = settings.format == "text" or (settings.format == "auto" and out.isatty())
    handlers: list[logging.StreamHandler[TextIO]] = [logging.StreamHandler(_unbuffered(out))]
    renderers: list[list[Processor]] = [
        [_short, _text_renderer(colors=out.isatty())] if as_text else [_json_renderer()],
    ]
    if settings.file:
        path = (data or Path.cwd()) / settings.file
        path.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(cast("logging.StreamHandler[TextIO]", _File(path, encoding="utf-8", delay=True)))
        renderers.append([_json_renderer()])
    _install(settings, _common(role, now), handlers, renderers)


def flush(seconds: float = 1.0) -> bool:
    """Wait until what was logged is written, at most `seconds` for each place; whether it is."""
    written = [each.wait(seconds) for each in logging.getLogger().handlers if isinstance(each, Outlet)]
    return all(written)


def _unbuffered(stream: TextIO) -> TextIO:
    """The same place, past the stream's buffer and its lock; a stream without a descriptor stays as it is."""
    try:
        stream.flush()
        return cast(TextIO, Descriptor(stream.fileno(), stream.encoding or "utf-8"))
    except (AttributeError, OSError):  # it is in memory
        return stream


class _File(WatchedFileHandler):
    """Opened anew when logrotate has moved it away; nobody else may read what was saved."""

    def _open(self) -> TextIOWrapper:
        number = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return cast(TextIOWrapper, Descriptor(number))


def _install(
    settings: LogSettings,
    common: list[Processor],
    handlers: list[logging.StreamHandler[TextIO]],
    renderers: list[list[Processor]],
) -> None:
    for handler, rendering in zip(handlers, renderers, strict=True):
        handler.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                foreign_pre_chain=[_from_library, structlog.contextvars.merge_contextvars, *common],
                processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
            )
        )
    # No line says where in the code, in which thread or process it was logged, so nobody need find that out
    # (https://docs.python.org/3/howto/logging.html#optimization).
    logging._srcfile = None  # noqa: SLF001 - as documented there
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    outlets = [Outlet(handler, told=_dropped) for handler in handlers]
    for outlet in outlets:
        root.addHandler(outlet)
    metrics.LOG_DROPPED.follow(lambda: [({}, sum(each.dropped for each in outlets))])
    root.setLevel(settings.level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *common,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # a module's logger follows a later configure()
    )


def _dropped(count: int) -> logging.LogRecord:
    """A line as a library would log it, because the writing thread may not queue anything."""
    record = logging.LogRecord("log", logging.WARNING, "", 0, "", None, None)
    record.dropped = count
    return record


def _common(role: str, now: Callable[[], datetime]) -> list[Processor]:
    def stamp(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["timestamp"] = now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        event.setdefault("role", role)
        return event

    return [structlog.stdlib.add_log_level, stamp, _placed, structlog.processors.format_exc_info, _redacted]


def _placed(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Inside a span, the line is the span's."""
    ids = trace.ids()
    if ids is not None:
        event["trace_id"], event["span_id"] = ids
    return event


def _from_library(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A library's sentence becomes the detail of one event, so that event names stay a closed set."""
    record = event.get("_record")
    if record is not None and hasattr(record, "dropped"):
        event["event"], event["lines"] = Event.LOG_DROPPED, record.dropped
        return event
    event["detail"] = event.get("event", "")
    event["event"] = Event.LIBRARY
    if isinstance(record, logging.LogRecord):
        event["logger"] = record.name
    return event


def _redacted(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for name, content in event.items():
        if name.startswith("_"):
            continue
        if name in _MULTILINE and isinstance(content, str):
            event[name] = redact.text(content, lines=True)
        else:
            event[name] = redact.value(name, content)
    return event


def _json_renderer() -> Processor:
    return structlog.processors.JSONRenderer(serializer=_json)


def _json(event: EventDict, **_given: object) -> str:
    """One line, with what people look for first in front. Lone surrogates of foreign text are written out."""
    ordered = {name: event[name] for name in _FIRST if name in event}
    ordered.update(event)
    try:
        return msgspec.json.encode(ordered, enc_hook=str).decode()
    except UnicodeEncodeError:
        return json.dumps(ordered, ensure_ascii=True, default=str)


def _short(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """For a person at the terminal: the time of day (UTC), the role first."""
    event["timestamp"] = event["timestamp"][11:19]
    event["event"] = f"{event.pop('role')}: {event['event']}"
    return event


def _text_renderer(*, colors: bool) -> Processor:
    return structlog.dev.ConsoleRenderer(
        colors=colors, exception_formatter=structlog.dev.plain_traceback, pad_event_to=24
    )
