"""The chain: the providers that are set up, in the order of the settings, and what asking one of them means."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import anyio

from observability import trace
from observability.names import Attribute, Span
from pipeline.clock import Clock
from pipeline.errors import FetchTimeout, HttpStatus
from stages.fallback.archive_today import ArchiveToday
from stages.fallback.brave import Brave
from stages.fallback.browser import Browser
from stages.fallback.google import Google
from stages.fallback.privacy import may_be_told
from stages.fallback.provider import Copy, FetchPort, Provider, Sought
from stages.fallback.quota import Ledger
from stages.fallback.searxng import Searxng
from stages.fallback.wayback import Wayback
from stages.net.breakers import Breakers
from stages.settings import FallbackSettings


class Chain:
    """Asks providers one at a time; each that is somebody else's behind a breaker of its own."""

    def __init__(self, providers: Sequence[Provider], breakers: Breakers, *, ask_about_private: bool = False) -> None:
        self._providers = tuple(providers)
        self._breakers = breakers
        self._ask_about_private = ask_about_private

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, in order."""
        return tuple(provider.name for provider in self._providers)

    def left(self, url: str, spent: Sequence[str]) -> tuple[Provider, ...]:
        """Who may still be asked about an address. Others are never told one that is nobody's business."""
        told = self._ask_about_private or may_be_told(url)
        return tuple(
            provider
            for provider in self._providers
            if provider.name not in spent and (told or not provider.is_third_party)
        )

    async def ask(self, provider: Provider, sought: Sought, *, seconds: float) -> Copy | None:
        """One provider's copy. See Provider.find; BreakerOpen also when it is left alone for now.

        One that takes longer than `seconds` is in trouble, and its breaker learns of it.
        """
        with trace.span(Span.PROVIDER + provider.name, {Attribute.URL: sought.url}) as span:
            copy = await self._asked(provider, sought, seconds)
            span.set({Attribute.OUTCOME: "no_copy" if copy is None else "copy"})
            return copy

    async def _asked(self, provider: Provider, sought: Sought, seconds: float) -> Copy | None:
        if not provider.is_third_party:
            return await _find(provider, sought, seconds)
        async with self._breakers.passing(f"provider:{provider.name}") as passage:
            try:
                return await _find(provider, sought, seconds)
            except HttpStatus as error:
                if error.retry_after is not None:
                    passage.hold(error.retry_after, error.message)
                raise


async def _find(provider: Provider, sought: Sought, seconds: float) -> Copy | None:
    with anyio.move_on_after(seconds):
        return await provider.find(sought)
    raise FetchTimeout(f"{provider.name} did not answer within {seconds:.0f} s")


def chain(settings: FallbackSettings, *, fetcher: FetchPort, breakers: Breakers, ledger: Ledger, clock: Clock) -> Chain:
    """The chain of the settings. A listed provider that lacks its key or address is left out."""
    made: dict[str, Callable[[], Provider]] = {
        "browser": lambda: Browser(fetcher),
        "wayback": lambda: Wayback(fetcher, settings),
        "archive_today": lambda: ArchiveToday(fetcher, settings),
        "google": lambda: Google(fetcher, settings, ledger=ledger, clock=clock),
        "searxng": lambda: Searxng(fetcher, settings),
        "brave": lambda: Brave(fetcher, settings, ledger=ledger, clock=clock),
    }
    providers = [made[name]() for name in settings.providers if name not in settings.off]
    return Chain(providers, breakers, ask_about_private=settings.ask_about_private)
