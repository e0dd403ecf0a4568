"""Log lines."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from observability import log
from observability.names import Event
from observability.settings import LogSettings

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, before = root.handlers[:], root.level, structlog.get_config()
    for handler in handlers:
        root.removeHandler(handler)  # or configure() would close pytest's own
    yield
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        handler.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.configure(**before)


def configured(settings: LogSettings | None = None, data: Path | None = None) -> io.StringIO:
    stream = io.StringIO()
    log.configure(settings or LogSettings(), "worker", data=data, stream=stream, now=lambda: NOON)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    log.flush()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_service_logs_one_json_object_a_line_with_time_level_event_and_role() -> None:
    stream = configured()
    log.get_logger().info(Event.ROLE_STARTED, port=7444)
    assert lines(stream) == [
        {
            "event": "role.started",
            "level": "info",
            "role": "worker",
            "timestamp": "2026-11-23T12:00:00.000Z",
            "port": 7444,
        }
    ]


def test_a_librarys_message_is_one_event_with_its_sentence_as_the_detail() -> None:
    stream = configured()
    logging.getLogger("some.library").warning("lost %s of %s", 1, 2)
    (line,) = lines(stream)
    assert line["event"] == Event.LIBRARY
    assert (line["detail"], line["logger"], line["level"]) == ("lost 1 of 2", "some.library", "warning")


def test_an_exception_and_its_secrets_stay_apart() -> None:
    stream = configured()
    try:
        raise ValueError("https://me:pass@host/")
    except ValueError:
        log.get_logger().exception(Event.ACTOR_CRASHED, api_key="abc")
    (line,) = lines(stream)
    assert "Traceback" in str(line["exception"])
    assert "pass" not in stream.getvalue()
    assert line["api_key"] == "***"


def test_levels_below_the_setting_are_dropped_for_us_and_for_libraries() -> None:
    stream = configured(LogSettings(level="warning"))
    log.get_logger().info(Event.ROLE_STARTED)
    logging.getLogger("some.library").info("chatter")
    assert lines(stream) == []


def test_text_is_one_readable_line_that_foreign_text_cannot_break() -> None:
    stream = configured(LogSettings(format="text"))
    log.get_logger().warning(Event.ITEM_BURIED, title="a\nb\x1b[2J")
    log.flush()
    (line,) = stream.getvalue().splitlines()
    assert "item.buried" in line
    assert "\x1b[2J" not in line


def test_a_log_file_gets_json_beside_the_stream_and_survives_being_moved_away(tmp_path: Path) -> None:
    configured(LogSettings(format="text", file="logs/atlas.log"), data=tmp_path)
    file = tmp_path / "logs" / "atlas.log"
    log.get_logger().info(Event.ROLE_STARTED)
    log.flush()
    file.rename(tmp_path / "old.log")
    log.get_logger().info(Event.ROLE_STOPPED)
    log.flush()
    assert json.loads((tmp_path / "old.log").read_text())["event"] == "role.started"
    assert json.loads(file.read_text())["event"] == "role.stopped"


def test_configuring_twice_does_not_log_twice() -> None:
    configured()
    stream = configured()
    log.get_logger().info(Event.ROLE_STARTED)
    assert len(lines(stream)) == 1


def test_every_event_has_a_dotted_name_and_a_meaning() -> None:
    assert all(event.value.count(".") == 1 and event.meaning.endswith(".") for event in Event)
    assert len({event.value for event in Event}) == len(Event)


def test_every_event_of_the_catalogue_is_told_somewhere(root: Path) -> None:
    product = "".join(
        path.read_text()
        for package in ("observability", "pipeline", "stages", "gateway", "supervisor")
        for path in (root / package).rglob("*.py")
    )
    assert [event.name for event in Event if f"Event.{event.name}" not in product] == []
