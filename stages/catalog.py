"""The one file that names all stages: a new stage is a new file and a line here."""

from __future__ import annotations

import msgspec

from pipeline.clock import Clock
from pipeline.stage import StageActor
from stages.acquire import Acquire
from stages.discover import Discover
from stages.enrich import Enrich
from stages.extract import Extract
from stages.fallback.chain import chain
from stages.fallback.falling import FallingBack
from stages.fallback.quota import Ledger
from stages.finalise import Finalise
from stages.net.breakers import Breakers
from stages.net.client import Fetcher
from stages.net.robots import Robots
from stages.parse.pool import ParsePool
from stages.settings import AcquireSettings, DiscoverSettings, FallbackSettings, NetSettings, ParseSettings
from stages.validate import Validate

_FINALISE_SLOTS = 4
_FINALISE_SECONDS = 30.0
# Three stages share the pool, with one slot more than it has processes each: at worst (one process, and every page
# ahead hangs) a page waits for five others to be killed before its own time begins.
_TURNS = 7
_QUIET_DAYS = 7.0  # as long as a server's own Retry-After is heeded at no cost (stages.acquire)
_ASKING = 0.9  # of acquire's deadline: for one provider, so that its silence is its own failure and not the step's


class StageSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that stages are built from."""

    acquire: AcquireSettings = AcquireSettings()
    parse: ParseSettings = ParseSettings()
    discover: DiscoverSettings = DiscoverSettings()
    fallback: FallbackSettings = FallbackSettings()
    net: NetSettings = NetSettings()


def _patience(settings: StageSettings) -> float:
    """Seconds for which an item comes back, each time when the first of those left may be asked.

    Who asks to be left alone for a day at a time must not wear out the days in which a page is given up unasked.
    """
    days = settings.acquire.give_up_days
    return max(settings.fallback.patience_seconds, max(days, _QUIET_DAYS) * 86_400 if days else 0)


def catalog(
    settings: StageSettings,
    *,
    fetcher: Fetcher,
    pool: ParsePool,
    processes: int,
    breakers: Breakers,
    quotas: Ledger,
    clock: Clock,
) -> tuple[StageActor, ...]:
    """All stages, in the order of their hundreds. `processes` is the number of parse processes in `pool`."""
    slots = processes + 1  # one reads its body while the others are parsed
    deadline = _TURNS * settings.parse.deadline_seconds
    providers = chain(settings.fallback, fetcher=fetcher, breakers=breakers, ledger=quotas, clock=clock)
    falling = FallingBack(
        providers,
        ask_seconds=_ASKING * settings.acquire.deadline_seconds,
        patience_seconds=_patience(settings),
    )
    acquire = Acquire(
        settings.acquire,
        fetcher,
        fallback=settings.fallback,
        falling=falling if providers.names else None,
        robots=Robots(fetcher, agent=settings.net.user_agent, clock=clock),
        heeds=settings.net.robots,
    )
    validate = Validate(
        pool,
        slots=slots,
        deadline=deadline,
        providers=providers.names,
        least_similarity=settings.fallback.similarity,
    )
    return (
        Discover(fetcher, pool, settings.discover, deadline=settings.acquire.deadline_seconds + deadline),
        acquire,
        validate,
        Extract(pool, slots=slots, deadline=deadline),
        Enrich(pool, slots=slots, deadline=deadline),
        Finalise(slots=_FINALISE_SLOTS, deadline=_FINALISE_SECONDS),
    )
