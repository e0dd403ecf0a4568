"""Which addresses may be dialled: public ones. Pure; it judges resolved addresses and never names.

Names and odd spellings (127.1, 0x7f000001, 2130706433) are the resolver's business: only what it answers is judged.
The table is our own, because `ipaddress.is_global` calls NAT64 and IPv4-compatible forms of loopback global.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from pipeline.errors import AddressDenied

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_ALLOW_HINT: Final = "If this is a machine of yours, list its network in ATLAS_NET_ALLOW_NETWORKS."
_NEVER_HINT: Final = "This address hands out a machine's credentials; no setting allows it."

# Metadata services of clouds (AWS, Azure, GCP and others; Alibaba; AWS over IPv6): never, even when listed.
_NEVER: Final = tuple(map(ip_network, ("169.254.0.0/16", "100.100.100.200/32", "fd00:ec2::254/128")))

# IANA special-purpose registries (RFC 6890 and successors).
_DENIED_4: Final = tuple(
    (IPv4Network(network), why)
    for network, why in (
        ("0.0.0.0/8", "this host"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "protocol assignments"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "6to4 relays"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarks"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved or broadcast"),
    )
)
_DENIED_6: Final = tuple(
    (IPv6Network(network), why)
    for network, why in (
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("::/96", "IPv4-compatible"),
        ("::ffff:0:0:0/96", "IPv4-translated"),
        ("64:ff9b:1::/48", "local NAT64"),
        ("100::/64", "discard"),
        ("2001::/32", "Teredo"),
        ("2001::/23", "protocol assignments"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "documentation"),
        ("5f00::/16", "segment routing"),
        ("fc00::/7", "unique local"),
        ("fe80::/10", "link local"),
        ("fec0::/10", "site local"),
        ("ff00::/8", "multicast"),
    )
)
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")  # all that has been given out (RFC 4291)
_MAPPED: Final = IPv6Network("::ffff:0:0/96")  # the kernel dials the IPv4 address
_NAT64: Final = IPv6Network("64:ff9b::/96")  # what DNS64 answers for every IPv4-only host


def parse(text: str) -> Address:
    """The address of a resolver's answer; a zone (%eth0) is dropped. ValueError when it is none."""
    return ip_address(text.partition("%")[0])


def embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address carries, if its prefix is one that carries one."""
    number = int(address)
    if address in _MAPPED or address in _NAT64 or (number >> 32 in (0, 0xFFFF_0000) and number > 1):
        return IPv4Address(number & 0xFFFF_FFFF)
    return address.sixtofour or (address.teredo[1] if address.teredo else None)


class Guard:
    """Denies every address that is not public unless one of `allow_networks` holds it; ports do not matter.

    An IPv4-mapped or NAT64 (64:ff9b::/96) address is judged by the IPv4 address inside it: that is where it leads, and
    on an IPv6-only network every IPv4 site has a NAT64 address. Other carriers (6to4, Teredo, IPv4-compatible, local
    NAT64) are denied as a whole, and one that carries a metadata address stays denied when its prefix is listed.
    """

    def __init__(self, allow_networks: Iterable[str] = ()) -> None:
        """ValueError when a network is not a CIDR."""
        self._allowed: tuple[Network, ...] = tuple(ip_network(network) for network in allow_networks)

    def check(self, host: str, addresses: Iterable[str]) -> None:
        """AddressDenied unless every one of a host's addresses may be dialled."""
        for text in addresses:
            verdict = self._denial(parse(text))
            if verdict is not None:
                why, hint = verdict
                raise AddressDenied(f"{host} is at {text}, which is not a public address ({why})", hint=hint)

    def allows_explicitly(self, text: str) -> bool:
        """Whether `allow_networks` lists this address, as opposed to its being public."""
        real = _real(parse(text))
        return any(real in network for network in self._allowed)

    def _denial(self, address: Address) -> tuple[str, str] | None:
        real = _real(address)
        inner = embedded(address) if isinstance(address, IPv6Address) else None
        if any(real in network or (inner is not None and inner in network) for network in _NEVER):
            return "metadata or link local", _NEVER_HINT
        if any(real in network for network in self._allowed):
            return None
        why = _why_denied(real)
        return None if why is None else (why, _ALLOW_HINT)


def _real(address: Address) -> Address:
    """Where a dialled address leads: the IPv4 address inside mapped and NAT64 forms, else the address itself."""
    if isinstance(address, IPv6Address) and (address in _MAPPED or address in _NAT64):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _why_denied(address: Address) -> str | None:
    if isinstance(address, IPv4Address):
        return next((why for network, why in _DENIED_4 if address in network), None)
    why = next((why for network, why in _DENIED_6 if address in network), None)
    return why if why is not None or address in _GLOBAL_UNICAST else "not global unicast"
