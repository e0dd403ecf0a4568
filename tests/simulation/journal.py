"""The log of the world: nobody reads it, but a bug that was logged is a finding."""

from __future__ import annotations

from observability.names import Event


class Meant(Exception):
    """What this world raises itself."""


class Journal:
    """observability.log.Logger, as far as the worker uses it."""

    def __init__(self) -> None:
        self.bugs: list[str] = []

    def debug(self, _event: str, **_said: object) -> None:
        """Daily business."""

    info = warning = critical = debug

    def error(self, event: str, **said: object) -> None:
        bug = said.get("exc_info")
        if event == Event.STAGE_FAILED and not isinstance(bug, Meant):
            self.bugs.append(f"a stage raised {bug!r}")
