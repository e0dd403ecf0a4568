"""Where a request comes from: its host, its client address, and whether our own pages sent it."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from quart import request
from werkzeug.exceptions import MisdirectedRequest

from gateway.settings import ApiSettings
from pipeline.errors import Forbidden

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound
# What proxies add: behind one on this machine, everybody seems to come from here.
FORWARDED = ("forwarded", "x-forwarded", "x-original-", "cf-", "tailscale-", "sec-fetch-", "x-client-", "x-cluster-")
FORWARDING = frozenset({"via", "x-real-ip", "true-client-ip", "fastly-client-ip", "origin", "cookie", "x-proxyuser-ip"})
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def host_name(authority: str) -> str:
    """The name in `Host`, lower case and without port or brackets; "" when there is none."""
    try:
        return (urlsplit(f"//{authority}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def is_known_host(authority: str, settings: ApiSettings) -> bool:
    """Only names that we were told: a page whose DNS was rebound to this address names another host.

    Bound to a wildcard, any IP address will do as well, since an address cannot be rebound.
    """
    name = host_name(authority)
    named = {host.lower().strip("[]") for host in (settings.host, *settings.allowed_hosts)}
    if name in (LOOPBACK | named) - {""}:
        return True
    return settings.host.strip("[]") in WILDCARDS and _is_address(name)


def check_host(settings: ApiSettings) -> None:
    if len(request.headers.getlist("Host")) > 1 or not is_known_host(request.headers.get("Host", ""), settings):
        raise MisdirectedRequest("This host name is not one of ours. Add it to [api] allowed_hosts to serve it.")


def client_address(settings: ApiSettings) -> str:
    """The client's address; a trusted proxy's word for it, read from the right, counts in place of the proxy's own."""
    address = _peer()
    forwarded = [part.strip() for part in ",".join(request.headers.getlist("X-Forwarded-For")).split(",")]
    while address in settings.trusted_proxies and forwarded:
        candidate = forwarded.pop()
        if not _is_address(candidate):
            break
        address = candidate
    return address


def is_from_here(settings: ApiSettings) -> bool:
    """Whether a program on this machine asks by itself: from loopback, by a loopback name, not through a proxy and not
    from a page in a browser. A proxy here that adds no header at all cannot be told from such a program."""
    names = [name.lower() for name in request.headers.keys()]  # noqa: SIM118 - a multi-dict yields pairs
    if _peer() in settings.trusted_proxies or any(name.startswith(FORWARDED) or name in FORWARDING for name in names):
        return False
    return _is_loopback(_peer()) and host_name(request.headers.get("Host", "")) in LOOPBACK


def network_of(address: str) -> str:
    """What attempts are counted under: an IPv4 address, or the /64 that one IPv6 client owns."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def is_https(settings: ApiSettings) -> bool:
    if _peer() in settings.trusted_proxies:
        return request.headers.get("X-Forwarded-Proto", request.scheme).lower() == "https"
    return request.scheme == "https"


def is_own_page() -> bool | None:
    """Whether our own page sent this: None when the browser gave no proof either way.

    No page can forge Sec-Fetch-Site, but browsers send it only to https and loopback; elsewhere there is Origin alone.
    Browsers that keep the origin to themselves say "null": no proof, and no contradiction either.
    """
    fetched_from = request.headers.get("Sec-Fetch-Site", "").lower()
    origin = request.headers.get("Origin", "").lower()
    if fetched_from not in ("", "same-origin", "none"):
        return False
    if origin in ("", "null"):
        return True if fetched_from else (None if origin == "" else False)
    return urlsplit(origin).netloc == request.headers.get("Host", "").lower()


def check_own_page() -> None:
    """Unsafe methods that a cookie could carry need proof that one of our own pages sent them."""
    if not is_own_page():
        raise Forbidden(
            "This request did not come from an Atlas page.",
            hint="Open Atlas itself and try again; programs use a bearer token.",
        )


def _peer() -> str:
    client = request.scope.get("client")
    return str(client[0]) if client else "local"


def _is_loopback(address: str) -> bool:
    return _is_address(address) and ipaddress.ip_address(address).is_loopback


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
