"""`create_app(deps)`: the route table, the gate and the answers to errors, put together as one Quart app."""

from __future__ import annotations

from functools import partial

from jinja2 import StrictUndefined
from quart import Quart

from gateway import causes, problems, provenance, wording
from gateway.deps import Deps
from gateway.observed import Observed
from gateway.routes import ROUTES
from gateway.security.body import BodyCap
from gateway.security.cap import RequestCap
from gateway.security.finish import finish
from gateway.security.gate import Gate


def create_app(deps: Deps) -> Quart:
    """The ASGI app. It keeps nothing but its rate limits; everything else is in the store."""
    app = Quart("gateway", static_folder=None)
    _configure(app, deps)
    for route in ROUTES:
        app.add_url_rule(route.path, route.name, partial(route.view, deps), methods=[route.method])
    gate = Gate(deps, {route.name: route for route in ROUTES})
    app.before_request(gate.admit)
    app.after_request(partial(finish, deps))
    app.register_error_handler(Exception, partial(problems.answer, deps))
    cap = RequestCap(BodyCap(app.asgi_app, deps.settings.max_body_bytes), deps.settings.max_connections)
    app.asgi_app = Observed(cap, deps)  # type: ignore[method-assign, assignment]
    return app


def _configure(app: Quart, deps: Deps) -> None:
    app.config["MAX_CONTENT_LENGTH"] = deps.settings.max_body_bytes
    app.config["BODY_TIMEOUT"] = deps.settings.body_seconds
    app.url_map.strict_slashes = False  # a redirect for a slash would answer before the gate does
    app.url_map.merge_slashes = False
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True, "undefined": StrictUndefined, "autoescape": True}
    app.jinja_env.filters |= wording.FILTERS | causes.FILTERS | provenance.FILTERS
    app.jinja_env.tests["in_flight"] = wording.is_in_flight
