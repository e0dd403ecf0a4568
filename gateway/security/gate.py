"""The gate that every request passes before its view: host, origin, identity, scope, rate. The order matters."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Literal

from quart import Response, g, request

from gateway.deps import Deps
from gateway.render import see
from gateway.route import Route
from gateway.security import origin
from gateway.security.caller import Caller
from gateway.security.head import check_head
from gateway.security.limits import Buckets
from gateway.seen import NO_ROUTE, seen
from gateway.settings import ApiSettings
from pipeline.errors import Forbidden, Unauthorised

COOKIE = "atlas_session"
BAD_TOKENS_PER_MINUTE = 20
MAX_SECRET = 200  # ours are far shorter: a longer one is not looked up
MAX_KNOWN = 1000


class Gate:
    """Holds the buckets; one for each app."""

    def __init__(self, deps: Deps, routes: dict[str, Route]) -> None:
        rate = deps.settings.requests_per_minute
        self._deps = deps
        self._routes = routes
        self._requests = Buckets(rate, 60, what="requests")
        self._anonymous = Buckets(max(1, rate // 10), 60, what="requests")
        self._bad_tokens = Buckets(BAD_TOKENS_PER_MINUTE, 60, what="wrong tokens from this address")
        self._known: OrderedDict[bytes, None] = OrderedDict()

    async def admit(self) -> Response | None:
        """Let the request in by returning None; send a person without a session to the sign-in page."""
        route = self._routes.get(request.endpoint or "")
        seen().endpoint = NO_ROUTE if route is None else route.path
        check_head()
        origin.check_host(self._deps.settings)
        if route is None:
            await self._anonymous.spend(origin.network_of(origin.client_address(self._deps.settings)))
            return None
        g.caller = who = await self._identify(route)
        if request.method not in origin.SAFE and who.via != "token":
            _check_origin(route, who)
        await (self._anonymous if who.via == "nothing" else self._requests).spend(who.key)
        return _check_scope(route, who, self._deps.settings)

    async def _identify(self, route: Route) -> Caller:
        """Open routes ask for no proof, so they look none up: a stale cookie does not count against anyone there."""
        address = origin.network_of(origin.client_address(self._deps.settings))
        if route.scope is None or _is_open(route, self._deps.settings):
            return Caller(via="nothing", key=address)
        kind, _, bearer = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer":
            found = await self._check(bearer.strip(), address, "token")
            if found is None:
                raise Unauthorised("This token is wrong, expired or revoked.", hint="Make one: atlas token create.")
            return found
        cookie = request.cookies.get(COOKIE)
        found = await self._check(cookie, address, "session") if cookie else None
        return found or Caller(via="nothing", key=address)

    async def _check(self, secret: str, address: str, via: Literal["token", "session"]) -> Caller | None:
        """Past 20 wrong secrets a minute an address learns nothing more, but secrets that were good keep working."""
        digest = hashlib.sha256(secret.encode("utf-8", "replace")).digest()
        if digest not in self._known:
            self._bad_tokens.check(address)
        token = None
        if 0 < len(secret) <= MAX_SECRET:
            token = await self._deps.store.tokens.check(secret, session_ms=self._deps.settings.session_ms)
        if token is None or token.kind != via:
            self._known.pop(digest, None)
            await self._bad_tokens.spend(address)
            return None
        self._known[digest] = None
        self._known.move_to_end(digest)
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
        return Caller(via=via, key=f"token:{token.id}", name=token.name, scope=token.scope)


def _check_origin(route: Route, who: Caller) -> None:
    """A program without a token is told to bring one (401, later); what a browser may have been tricked into is 403."""
    is_plain_program = who.via == "nothing" and route.scope is not None and origin.is_own_page() is None
    if not is_plain_program or COOKIE in request.cookies:
        origin.check_own_page()


def _is_open(route: Route, settings: ApiSettings) -> bool:
    return route.is_open_here and origin.is_from_here(settings)


def _check_scope(route: Route, who: Caller, settings: ApiSettings) -> Response | None:
    if route.scope is None or who.may(route.scope) or _is_open(route, settings):
        return None
    if who.via != "nothing":
        raise Forbidden(f"This needs the scope {route.scope}; you have {who.scope}.", hint="Use another token.")
    if route.is_page and request.method in origin.SAFE:
        return see("/sign-in")
    raise Unauthorised("Sign in, or send a bearer token.", hint="Make one: atlas token create --name N --scope read.")
