"""Errors as answers: one table maps the error tree to status codes; programs get RFC 9457, people a page."""

from __future__ import annotations

import math
from http import HTTPStatus

import msgspec
from quart import Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from gateway.deps import Deps
from gateway.render import page
from gateway.seen import request_id, seen
from observability import log
from observability.names import Attribute, Event
from pipeline import errors

logger = log.get_logger()

# The nearest class in an error's ancestry decides.
STATUS: dict[type[errors.AtlasError], int] = {
    errors.AtlasError: 500,
    errors.InvalidInput: 422,
    errors.NotFound: 404,
    errors.Unauthorised: 401,
    errors.Forbidden: 403,
    errors.RateLimited: 429,
    errors.QueueFull: 503,
    errors.StoreBusy: 503,
    errors.StoreFull: 507,
    errors.StoreUnreadable: 503,
    errors.StoreBroken: 503,
    errors.StoreTooNew: 503,
    errors.ArchiveAway: 503,
    errors.Unsupported: 415,
}
# Trouble of the disk that somebody has to mend, and no fault of ours to be kept: its hint says how.
_AWAY = (errors.StoreUnreadable, errors.StoreBroken, errors.StoreTooNew)
RETRY_AFTER = {503: 5, 507: 60}  # seconds, where the error itself names none


class ProblemOut(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457, with our `code` and all `errors` beside the standard members."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    hint: str = ""
    errors: tuple[errors.Fault, ...] = ()
    error_id: str | None = None
    retry_after: int | None = None


async def answer(deps: Deps, error: Exception) -> Response:
    """The response for any exception that a request ended in. What is unknown is logged and never shown."""
    if isinstance(error, RequestRedirect):
        return Response(status=error.code, headers={"Location": error.new_url})
    request.body.clear()  # what is refused is not kept until these objects' cycle is collected
    problem = describe(deps, error)
    response = await _response(deps, problem)
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(problem.retry_after)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="atlas"'
    if isinstance(error, HTTPException):
        allow = dict(error.get_headers()).get("Allow")
        if allow:
            response.headers["Allow"] = allow
    return response


def describe(deps: Deps, error: Exception) -> ProblemOut:
    match error:
        case HTTPException():
            status = error.code or 500
            phrase = HTTPStatus(status).phrase
            code = phrase.lower().replace(" ", "_").replace("-", "_")
            detail = error.description or phrase
            if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                most = f"{deps.settings.max_body_bytes:,} bytes"
                detail = f"The body is too large (at most {most}), or it is a form of too many fields."
            return _problem(status, code, detail)
        case errors.AtlasError() if _status(error) < 500 or error.retryable or isinstance(error, _AWAY):
            return _known(error)
        case _:
            return _unknown(deps, error)


def _known(error: errors.AtlasError) -> ProblemOut:
    status = _status(error)
    retry_after = RETRY_AFTER.get(status)
    if isinstance(error, errors.RateLimited | errors.ArchiveAway):
        retry_after = max(1, math.ceil(error.retry_after))
    faults = error.faults if isinstance(error, errors.InvalidInput) else ()
    return _problem(status, error.code, error.message, hint=error.hint, errors=faults, retry_after=retry_after)


def _unknown(deps: Deps, error: Exception) -> ProblemOut:
    route = f"{request.method} {seen().endpoint}"
    error_id = deps.mishaps.note(error, place=route, correlation_id=request_id())
    seen().span.set({Attribute.ERROR_ID: error_id})
    seen().facts["error_id"] = error_id
    code = error.code if isinstance(error, errors.AtlasError) else "internal"
    logger.error(Event.REQUEST_FAILED, error_id=error_id, code=code, exc_info=error)
    detail = f"Something went wrong inside Atlas. It has the id {error_id}; the log has the particulars."
    return _problem(500, code, detail, error_id=error_id)


def _problem(
    status: int,
    code: str,
    detail: str,
    *,
    hint: str = "",
    errors: tuple[errors.Fault, ...] = (),
    retry_after: int | None = None,
    error_id: str | None = None,
) -> ProblemOut:
    return ProblemOut(
        type=f"urn:atlas:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        hint=hint,
        errors=errors,
        retry_after=retry_after,
        error_id=error_id,
        request_id=request_id(),
    )


def _status(error: errors.AtlasError) -> int:
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


async def _response(deps: Deps, problem: ProblemOut) -> Response:
    if wants_page():
        return await page(deps, "error.html", status=problem.status, title=problem.title, problem=problem)
    return Response(msgspec.json.encode(problem), problem.status, content_type="application/problem+json")


def wants_page() -> bool:
    """Pages live outside /api; the probes are for programs too."""
    return not request.path.startswith(("/api/", "/health", "/ready", "/livez", "/metrics", "/static/"))
