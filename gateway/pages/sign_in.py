"""Signing in with a one-time link, and out again. Opening a link changes nothing: only the button redeems it."""

from __future__ import annotations

from quart import Response, request

from gateway.deps import Deps
from gateway.form import fields
from gateway.render import page, see
from gateway.security.finish import clear_session, set_session
from gateway.security.gate import COOKIE
from gateway.security.origin import client_address, network_of
from pipeline.errors import Fault

MAX_CODE = 200


async def form(deps: Deps) -> Response:
    return await _page(deps)


async def link(deps: Deps, secret: str) -> Response:
    return await _page(deps, code=secret[:MAX_CODE])


async def redeem(deps: Deps) -> Response:
    """A session for a code. Ten wrong codes in 15 minutes and an address has to wait."""
    address = network_of(client_address(deps.settings))
    deps.sign_ins.check(address)
    code = _code((await fields()).get("code", ""))
    secret = None
    if 0 < len(code) <= MAX_CODE:
        secret = await deps.store.tokens.redeem(code, _device(), session_ms=deps.settings.session_ms)
    if secret is None:
        await deps.sign_ins.spend(address)
        fault = Fault(where="code", what="This code is wrong, was used already, or is older than 15 minutes.")
        return await _page(deps, status=401, faults=(fault,))
    response = see("/")
    set_session(deps, response, secret)
    return response


async def sign_out(deps: Deps) -> Response:
    await deps.store.tokens.sign_out(request.cookies.get(COOKIE, ""))
    response = see("/sign-in")
    clear_session(deps, response)
    return response


async def _page(deps: Deps, *, status: int = 200, code: str | None = None, faults: tuple[Fault, ...] = ()) -> Response:
    days = deps.settings.session_days
    return await page(deps, "sign_in.html", status=status, code=code, faults=faults, days=days)


def _code(pasted: str) -> str:
    """People paste the whole link as often as the code."""
    return pasted.strip().rstrip("/").rpartition("/")[2]


def _device() -> str:
    """A name for the session, from what the browser says of itself."""
    agent = request.headers.get("User-Agent", "")
    systems = ("iPhone", "iPad", "Android", "Windows", "Macintosh", "Linux")
    browsers = (("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
    browser = next((name for mark, name in browsers if mark in agent), "Browser")
    system = next((name for name in systems if name in agent), "")
    return f"{browser} on {system}".removesuffix(" on ").replace("Macintosh", "Mac")
