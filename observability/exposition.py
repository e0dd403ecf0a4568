"""Metrics as Prometheus reads them: what a process knows of itself, and the texts of two processes as one.

https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Metric, generate_latest

from observability.names import METRICS

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_OF_THE_SYSTEM: Final = frozenset(each.name.removesuffix("_total") for each in METRICS if not each.process)


class _Labelled:
    """A registry whose metrics of the process say which role that is."""

    def __init__(self, registry: CollectorRegistry, role: str) -> None:
        self._registry = registry
        self._role = role

    def collect(self) -> Iterator[Metric]:
        for family in self._registry.collect():
            if family.name.removesuffix("_total") not in _OF_THE_SYSTEM:
                family.samples = [
                    sample._replace(labels={**sample.labels, "role": self._role}) for sample in family.samples
                ]
            yield family


def render(registry: CollectorRegistry, role: str) -> str:
    """The text of one process."""
    return generate_latest(_Labelled(registry, role)).decode()


def merge(texts: Iterable[str]) -> str:
    """Several processes' texts as one: a family stands in one place, with its help and type once."""
    families: dict[str, list[str]] = {}
    for text in texts:
        for name, lines in _families(text):
            known = families.get(name)
            if known is None:
                families[name] = lines
            else:
                known += [line for line in lines if not line.startswith("#")]
    return "".join(f"{line}\n" for lines in families.values() for line in lines)


def _families(text: str) -> Iterator[tuple[str, list[str]]]:
    name, lines = "", list[str]()
    for line in text.splitlines():
        if line.startswith("# HELP "):
            if lines:
                yield name, lines
            name, lines = line.split(" ", 3)[2], []
        if line:
            lines.append(line)
    if lines:
        yield name, lines
