"""Settings of the stages: how they reach the network, and how much of it they do at once."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

import msgspec

Positive = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]


class NetSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[net]"""

    allow_networks: tuple[str, ...] = ()  # CIDRs the SSRF guard lets through; 169.254.0.0/16 never is
    user_agent: str = "Atlas/0.1 (self-hosted read-later; fetches pages its owner saved)"
    connect_seconds: Seconds = 10.0  # TCP and TLS
    read_seconds: Seconds = 20.0  # to the end of the headers, and between two pieces of the body
    total_seconds: Seconds = 60.0  # one fetch with all its redirects
    dns_seconds: Seconds = 5.0
    max_bytes: Positive = 15 * 1024 * 1024  # after decompression
    max_redirects: Annotated[int, msgspec.Meta(ge=0)] = 5
    per_host: Positive = 4  # requests at once to one host and port
    per_host_per_second: Seconds = 2.0  # requests to one host and port in the long run,
    per_host_burst: Positive = 20  # after so many at once
    robots: Literal["feeds", "all", "none"] = "feeds"  # what heeds robots.txt: what a feed brought, everything, nothing

    def __post_init__(self) -> None:
        for network in self.allow_networks:
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                raise ValueError(f"allow_networks: {error}") from error
        if not self.user_agent.isascii() or not self.user_agent.isprintable() or not self.user_agent.strip():
            raise ValueError("user_agent must be printable ASCII")


class AcquireSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[acquire]"""

    slots: Positive = 32
    deadline_seconds: Seconds = 90.0  # a whole fetch (net.total_seconds) and the wait for a turn at its host
    give_up_days: Annotated[float, msgspec.Meta(ge=0)] = 3.0  # of trying a page whose site is down and that nobody has


PROVIDERS = ("browser", "wayback", "archive_today", "google", "searxng", "brave")


class FallbackSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[fallback]"""

    providers: tuple[str, ...] = PROVIDERS  # in this order
    direct_attempts: Positive = 3  # failed fetches of the page itself before another way is tried
    patience_seconds: Seconds = 3600.0  # how long an item waits for a host that is left alone, before others are asked
    similarity: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5  # least likeness of a copy from another address
    ask_about_private: bool = False  # may others be told addresses of one's own network, or with a secret?
    wayback_url: str = "https://archive.org/wayback/available"
    wayback_cdx_url: str = "https://web.archive.org/cdx/search/cdx"
    wayback_web_url: str = "https://web.archive.org/web"
    archive_today_url: str = "https://archive.ph"
    google_url: str = "https://www.googleapis.com/customsearch/v1"
    google_key: str = ""
    google_engine: str = ""
    google_per_day: Positive = 100
    searxng_url: str = ""  # of an instance with its JSON format switched on
    brave_url: str = "https://api.search.brave.com/res/v1/web/search"
    brave_key: str = ""
    brave_per_day: Positive = 60

    def __post_init__(self) -> None:
        unknown = [name for name in self.providers if name not in PROVIDERS]
        if unknown or len(set(self.providers)) < len(self.providers):
            said = f"knows no {', '.join(unknown)}" if unknown else "names one of them twice"
            raise ValueError(f"providers {said}; there are {', '.join(PROVIDERS)}")

    @property
    def off(self) -> tuple[str, ...]:
        """The listed providers that cannot be asked, because a key or an address of their own is missing."""
        given = {
            "google": bool(self.google_key and self.google_engine),
            "searxng": bool(self.searxng_url),
            "brave": bool(self.brave_key),
        }
        return tuple(name for name in self.providers if not given.get(name, True))


class ParseSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[parse]"""

    deadline_seconds: Seconds = 20.0  # then the parse process is killed
    memory_mib: Positive = 1024  # address space of one parse process
    recycle_pages: Positive = 500  # a process is replaced after this many pages


class DiscoverSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[discover]"""

    slots: Positive = 2
    interval_seconds: Positive = 3600  # between two polls of a feed that names no interval of its own
