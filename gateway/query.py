"""Query parameters, decoded strictly: every fault at once, like a body."""

from __future__ import annotations

from enum import Enum
from typing import TypeVar

from quart import request

from pipeline.errors import Fault, InvalidInput

E = TypeVar("E", bound=Enum)


class Query:
    """Collects faults while parameters are read; `done()` raises them together."""

    def __init__(self, *known: str) -> None:
        self._faults = [
            Fault(where=name, what="unknown parameter", hint=f"known: {', '.join(known) or 'none'}")
            for name in request.args
            if name not in known
        ]

    def text(self, name: str, *, limit: int = 1000) -> str | None:
        value = request.args.get(name)
        if value is not None and len(value) > limit:
            self._faults.append(Fault(where=name, what=f"is longer than {limit} characters"))
            return None
        return value or None

    def number(self, name: str, default: int, *, least: int, most: int) -> int:
        value = request.args.get(name)
        if value is None:
            return default
        if not (value.isascii() and value.isdigit() and len(value) < 10 and least <= int(value) <= most):
            self._faults.append(Fault(where=name, what="is not a number in range", hint=f"from {least} to {most}"))
            return default
        return int(value)

    def choice(self, name: str, options: type[E]) -> E | None:
        given = self.choices(name, options)
        if len(given) > 1:
            self._faults.append(Fault(where=name, what="is more than one"))
        return given[0] if given else None

    def choices(self, name: str, options: type[E]) -> tuple[E, ...]:
        """Each once, from a comma list, a repeated parameter, or both."""
        known = {str(option.value): option for option in options}
        words = dict.fromkeys(word.strip() for given in request.args.getlist(name) for word in given.split(","))
        if any(word not in known for word in words):
            self._faults.append(Fault(where=name, what="is not one of the choices", hint=", ".join(known)))
        return tuple(known[word] for word in words if word in known)

    def is_faulty(self, name: str) -> bool:
        return any(fault.where == name for fault in self._faults)

    def fault(self, where: str, what: str, hint: str = "") -> None:
        self._faults.append(Fault(where=where, what=what, hint=hint))

    def done(self) -> None:
        if self._faults:
            raise InvalidInput("The query has faults.", faults=tuple(self._faults))
