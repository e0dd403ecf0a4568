"""The last thing that happens to every response: security headers, the session cookie kept fresh."""

from __future__ import annotations

from quart import Response, request

from gateway.deps import Deps
from gateway.security.caller import caller
from gateway.security.gate import COOKIE
from gateway.security.headers import SECURITY
from gateway.security.origin import is_https

DAY = 86_400


async def finish(deps: Deps, response: Response) -> Response:
    for name, value in SECURITY.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")  # what is here is private
    if caller().via == "session" and response.mimetype == "text/html" and "Set-Cookie" not in response.headers:
        set_session(deps, response, request.cookies[COOKIE])  # the store extends it, so the browser may as well
    return response


def set_session(deps: Deps, response: Response, secret: str) -> None:
    """Lax, so that a link from another app finds the person signed in; unsafe methods need proof of origin anyway."""
    response.set_cookie(
        COOKIE,
        secret,
        max_age=deps.settings.session_days * DAY,
        httponly=True,
        secure=is_https(deps.settings),
        samesite="Lax",
        path="/",
    )


def clear_session(deps: Deps, response: Response) -> None:
    response.delete_cookie(COOKIE, path="/", secure=is_https(deps.settings), httponly=True, samesite="Lax")
