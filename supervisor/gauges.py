"""What a role's metrics say of the moment at which somebody looks."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable, Sequence

from observability import metrics, names
from observability.metrics import Sample
from pipeline.flow.actor import Actor
from pipeline.store.handle import Store


def follow_process(store: Store, version: str) -> None:
    """Of any role: what it is, since when it runs, what waits for its writers.

    Counters that alarms ask about are there, at 0, before anything has happened.
    """
    began = time.monotonic()
    labels = {"version": version, "python": platform.python_version(), "sqlite": store.status.engine()}
    metrics.GAUGES[names.BUILD_INFO.name].follow(lambda: [(labels, 1)])
    metrics.GAUGES[names.UPTIME.name].follow(lambda: [({}, time.monotonic() - began)])
    metrics.GAUGES[names.ARCHIVE_UP.name].follow(lambda: [({}, int(store.bodies.fault is None))])
    metrics.GAUGES[names.DAMAGED.name].follow(lambda: [({}, int(store.status.damage() is not None))])
    metrics.ERRORS.add(0)
    for where in ("kept", "worker", "otlp"):
        metrics.SPANS_DROPPED.add(0, where=where)
    metrics.GAUGES[names.WRITER_QUEUE.name].follow(
        lambda: [({"database": name}, waiting) for name, waiting in store.status.writes_waiting().items()]
    )


def follow_actors(actors: Sequence[Actor], services: Iterable[str]) -> None:
    """Of the worker."""
    metrics.GAUGES[names.MAILBOX_DEPTH.name].follow(lambda: _each(actors, lambda actor: actor.inbox.depth))
    metrics.GAUGES[names.ACTOR_BUSY.name].follow(lambda: _each(actors, lambda actor: actor.busy))
    metrics.GAUGES[names.ACTOR_SLOTS.name].follow(lambda: _each(actors, lambda actor: actor.spec.slots))
    for name in (*(actor.spec.name for actor in actors), *services):
        metrics.ACTOR_RESTARTS.add(0, actor=name)
        metrics.ACTOR_STALLS.add(0, actor=name)
    for actor in actors:
        metrics.OUTCOMES.add(0, stage=actor.spec.name, outcome="advance", code="")
        metrics.RETRIES.add(0, stage=actor.spec.name, cost="attempt")
    for outcome in ("ok", "retry", "failed"):
        metrics.FEED_POLLS.add(0, outcome=outcome)
    metrics.FETCHES.add(0, result="2xx")


def follow_gateway() -> None:
    """Of the api."""
    for source in ("api", "ui"):
        metrics.SAVES.add(0, source=source, result="created")


def _each(actors: Sequence[Actor], figure: Callable[[Actor], float]) -> list[Sample]:
    return [({"stage": actor.spec.name}, figure(actor)) for actor in actors]
