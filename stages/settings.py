"""Settings of the stages: how they reach the network, and how much of it they do at once."""

from __future__ import annotations

import ipaddress
from typing import Annotated

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


class ParseSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[parse]"""

    deadline_seconds: Seconds = 20.0  # then the parse process is killed
    memory_mib: Positive = 1024  # address space of one parse process
    recycle_pages: Positive = 500  # a process is replaced after this many pages


class DiscoverSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[discover]"""

    slots: Positive = 2
    interval_seconds: Positive = 3600  # between two polls of a feed that names no interval of its own
