"""Where the API is reached, as a person types it."""

from __future__ import annotations

from gateway.settings import ApiSettings

# A wildcard bind is reached by the loopback address.
_REACHED_BY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104


def base_url(api: ApiSettings) -> str:
    """The address of the API on this machine."""
    host = reached_by(api)
    return f"http://{f'[{host}]' if ':' in host else host}:{api.port}"


def reached_by(api: ApiSettings) -> str:
    """The host to connect to from this machine."""
    return _REACHED_BY.get(api.host, api.host)


def sign_in_url(api: ApiSettings, secret: str) -> str:
    """The link that redeems a one-time secret."""
    return f"{base_url(api)}/sign-in/{secret}"
