"""Static files."""

from __future__ import annotations

from quart import Response, request

from gateway.assets import catalogue
from gateway.deps import Deps
from pipeline.errors import NotFound


async def serve(_deps: Deps, name: str) -> Response:
    asset = catalogue().get(name)
    if asset is None:
        raise NotFound("There is no such file.")
    response = Response(asset.content, content_type=asset.content_type)
    is_stamped = request.args.get("v") == asset.digest
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if is_stamped else "no-cache"
    return response
