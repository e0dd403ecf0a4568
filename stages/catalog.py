"""The one file that names all stages: a new stage is a new file and a line here."""

from __future__ import annotations

import msgspec

from pipeline.stage import StageActor
from stages.acquire import Acquire
from stages.discover import Discover
from stages.enrich import Enrich
from stages.extract import Extract
from stages.finalise import Finalise
from stages.net.client import Fetcher
from stages.parse.pool import ParsePool
from stages.settings import AcquireSettings, DiscoverSettings, ParseSettings
from stages.validate import Validate

_FINALISE_SLOTS = 4
_FINALISE_SECONDS = 30.0
# Three stages share the pool, with one slot more than it has processes each: at worst (one process, and every page
# ahead hangs) a page waits for five others to be killed before its own time begins.
_TURNS = 7


class StageSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that stages are built from."""

    acquire: AcquireSettings = AcquireSettings()
    parse: ParseSettings = ParseSettings()
    discover: DiscoverSettings = DiscoverSettings()


def catalog(settings: StageSettings, *, fetcher: Fetcher, pool: ParsePool, processes: int) -> tuple[StageActor, ...]:
    """All stages, in the order of their hundreds. `processes` is the number of parse processes in `pool`."""
    slots = processes + 1  # one reads its body while the others are parsed
    deadline = _TURNS * settings.parse.deadline_seconds
    return (
        Discover(fetcher, pool, settings.discover, deadline=settings.acquire.deadline_seconds + deadline),
        Acquire(settings.acquire, fetcher),
        Validate(pool, slots=slots, deadline=deadline),
        Extract(pool, slots=slots, deadline=deadline),
        Enrich(pool, slots=slots, deadline=deadline),
        Finalise(slots=_FINALISE_SLOTS, deadline=_FINALISE_SECONDS),
    )
