"""What `atlas up` says of its children, and where it is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing

from observability.names import Event
from supervisor.child import ChildEvent, Happening
from supervisor.settings import Config
from supervisor.up import Up


def up(link: str) -> Up:
    return Up(Config(), (), environ={}, link=link)


def event(kind: Happening, error: Exception | None = None) -> ChildEvent:
    return ChildEvent(kind=kind, path="up/api", error=error, error_id="0a1b" if error else None, delay=0.5)


def test_a_child_that_ends_by_an_error_or_is_started_again_is_logged_and_a_quiet_end_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[tuple[Event, dict[str, Any]]] = []

    def note(event: Event, **said: Any) -> None:
        told.append((event, said))

    monkeypatch.setattr("supervisor.up.log.get_logger", lambda: SimpleNamespace(info=note, warning=note))
    one = up("secret")
    one.hooks.report(event(Happening.CRASH, RuntimeError("it ended with status 70")))
    one.hooks.report(event(Happening.RESTART))
    one.hooks.report(event(Happening.STOP))
    assert told == [
        (
            Event.CHILD_EXITED,
            {"child": "up/api", "error": "it ended with status 70", "error_id": "0a1b", "delay": 0.5},
        ),
        (Event.CHILD_RESTARTED, {"child": "up/api"}),
    ]


@pytest.mark.parametrize("link", ["one-time", ""])
async def test_it_prints_a_link_alone_on_standard_output_and_none_in_safe_mode(
    link: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answers(_api: object) -> bool:
        await trio.lowlevel.checkpoint()
        return True

    monkeypatch.setattr("supervisor.up._answers", answers)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(up(link)._greet, lambda: None)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    out, err = capsys.readouterr()
    assert out == ("http://127.0.0.1:7444/sign-in/one-time\n" if link else "")
    assert ("in safe mode" in err) == (not link)
