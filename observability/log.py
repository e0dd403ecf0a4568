"""Logs: JSON lines for services, readable text on a terminal, both to standard error; libraries go the same way."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Protocol, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from observability import redact
from observability.names import Event
from observability.settings import LogSettings

_MULTILINE = frozenset({"exception", "stack"})
# Every request of every fetch at info says nothing that our own events do not say better.
_QUIET = ("httpx2", "httpcore2", "hypercorn.access", "asyncio", "trafilatura", "htmldate", "markdown_it")


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

    May be called again; the last call counts.
    """
    out = sys.stderr if stream is None else stream
    as_text = settings.format == "text" or (settings.format == "auto" and out.isatty())
    handlers: list[logging.Handler] = [logging.StreamHandler(out)]
    renderers: list[list[Processor]] = [
        [_short, _text_renderer(colors=out.isatty())] if as_text else [_json_renderer()],
    ]
    if settings.file:
        path = (data or Path.cwd()) / settings.file
        path.parent.mkdir(parents=True, exist_ok=True)
        # It opens the file anew when logrotate has moved it away.
        handlers.append(WatchedFileHandler(path, encoding="utf-8", delay=True))
        renderers.append([_json_renderer()])
    _install(settings, _common(role, now), handlers, renderers)


def _install(
    settings: LogSettings, common: list[Processor], handlers: list[logging.Handler], renderers: list[list[Processor]]
) -> None:
    for handler, rendering in zip(handlers, renderers, strict=True):
        handler.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                foreign_pre_chain=[_from_library, *common],
                processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
            )
        )
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(settings.level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
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


def _common(role: str, now: Callable[[], datetime]) -> list[Processor]:
    def stamp(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["timestamp"] = now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        event.setdefault("role", role)
        return event

    return [structlog.stdlib.add_log_level, stamp, structlog.processors.format_exc_info, _redacted]


def _from_library(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A library's sentence becomes the detail of one event, so that event names stay a closed set."""
    event["detail"] = event.get("event", "")
    event["event"] = Event.LIBRARY
    record = event.get("_record")
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
    return structlog.processors.JSONRenderer(ensure_ascii=False, default=str)


def _short(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """For a person at the terminal: the time of day (UTC), the role first."""
    event["timestamp"] = event["timestamp"][11:19]
    event["event"] = f"{event.pop('role')}: {event['event']}"
    return event


def _text_renderer(*, colors: bool) -> Processor:
    return structlog.dev.ConsoleRenderer(
        colors=colors, exception_formatter=structlog.dev.plain_traceback, pad_event_to=24
    )
