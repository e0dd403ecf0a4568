"""What the gateway is given by the composition root, and nothing else that it may use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from gateway.news import News
from gateway.security.limits import Buckets
from gateway.settings import ApiSettings
from observability.unexpected import Ledger
from pipeline.clock import Clock
from pipeline.ids import Random, system_random
from pipeline.store.handle import Store


@dataclass(frozen=True, kw_only=True)
class Deps:
    """Handed to every view as its first argument."""

    store: Store
    settings: ApiSettings
    clock: Clock
    ring: Callable[[], None]  # tells the worker that there is something to do; never blocks, never fails
    version: str
    mishaps: Ledger  # where unexpected errors are noted
    worker_metrics: Callable[[], Awaitable[str | None]]  # the worker's metrics; None when it does not answer in time
    scrape: Callable[[], str | None]  # this process's own; None when they are switched off
    providers_off: tuple[str, ...] = ()  # other ways to a page that are listed but lack a key or an address
    news: News | None = None  # without it a long poll looks again every second
    random: Random = system_random
    sign_ins: Buckets = field(default_factory=lambda: Buckets(10, 900, what="wrong sign-in codes from this address"))
