"""What is fetched next: an http(s) URL without credentials, taken apart."""

from __future__ import annotations

from typing import Final, Self

import httpcore2
import httpx2
import msgspec

from pipeline.errors import BadUrl, RedirectRefused

URL_MAX: Final = 8192
_PORTS: Final = {"http": 80, "https": 443}


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """`text` is the URL, `wire` what goes to the pool; `key` tells targets apart (no fragment)."""

    text: str
    wire: httpcore2.URL
    host: str
    port: int
    authority: str  # for the Host header

    @classmethod
    def of(cls, url: str) -> Self:
        """BadUrl unless it is an http or https URL with a host. User name and password are dropped."""
        hint = "Atlas fetches http and https addresses."
        try:
            parsed = httpx2.URL(url[: URL_MAX + 1]).copy_with(userinfo=b"")
        except (httpx2.InvalidURL, ValueError) as error:
            raise BadUrl(f"This is not a URL: {error}", hint=hint) from error
        # A "%" is an IPv6 zone or the URL parser's way to keep what can stand in no host ("http://[").
        if parsed.scheme not in _PORTS or not parsed.raw_host or b"%" in parsed.raw_host or len(url) > URL_MAX:
            raise BadUrl("This is not a URL that can be fetched: its scheme, host or length", hint=hint)
        port = parsed.port or _PORTS[parsed.scheme]
        if not 0 < port < 65536:
            raise BadUrl(f"There is no port {port}", hint=hint)
        wire = httpcore2.URL(scheme=parsed.raw_scheme, host=parsed.raw_host, port=port, target=parsed.raw_path)
        authority = parsed.netloc.decode("ascii")
        return cls(text=str(parsed), wire=wire, host=parsed.raw_host.decode("ascii"), port=port, authority=authority)

    @property
    def key(self) -> str:
        return self.text.partition("#")[0]

    @property
    def place(self) -> str:
        """Whom a request is addressed to, for pace and breakers: "example.org", "example.org:8080", "[::1]:8080"."""
        host = f"[{self.host}]" if ":" in self.host else self.host.rstrip(".")
        return host if self.port == _PORTS[self.wire.scheme.decode("ascii")] else f"{host}:{self.port}"

    @property
    def origin(self) -> tuple[bytes, str, int]:
        return self.wire.scheme, self.host, self.port

    def join(self, location: str) -> Self:
        """Where a redirect leads; RedirectRefused unless that is http or https. A fragment lives on."""
        try:
            following = type(self).of(str(httpx2.URL(self.text).join(location[: URL_MAX + 1])))
        except (BadUrl, httpx2.InvalidURL, ValueError) as error:
            raise RedirectRefused(
                f"{self.host} redirects to something that is not an http(s) address", hint="It is not followed."
            ) from error
        fragment = self.text.partition("#")[2]
        if fragment and "#" not in following.text:
            return type(self).of(f"{following.text}#{fragment}")
        return following
