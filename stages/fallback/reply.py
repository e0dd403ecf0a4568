"""What a provider's service answers, strictly read. Its addresses hold keys, so no message names one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec

from pipeline.errors import HttpStatus, ProtocolBroken
from stages.fallback.provider import FetchPort
from stages.net.client import Response

MAX_BYTES: Final = 2 * 1024 * 1024  # of an answer that lists captures or results

T = TypeVar("T")


async def ask_json(
    fetcher: FetchPort, url: str, wanted: type[T], *, who: str, headers: Mapping[str, str] | None = None
) -> T:
    """A service's JSON as `wanted`. Raises HttpStatus for any status but 200, ProtocolBroken for anything else."""
    answer = await fetcher.fetch(url, headers={"Accept": "application/json", **(headers or {})}, max_bytes=MAX_BYTES)
    good(answer, who)
    try:
        return msgspec.json.decode(answer.content, type=wanted)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:  # the last of a deep nest of brackets
        raise ProtocolBroken(
            f"{who} did not answer in the form that it promises: {error}",
            hint="It may want a captcha solved, or its service has changed.",
        ) from error


def good(answer: Response, who: str) -> None:
    """Raise HttpStatus unless the answer is one."""
    if answer.status != 200:
        raise HttpStatus(
            f"{who} answered HTTP {answer.status}",
            status=answer.status,
            retry_after=answer.retry_after,
            hint=_hint(answer),
        )


def _hint(answer: Response) -> str:
    if answer.status in (400, 401, 403):
        return "Check its key in the settings."
    return "It is asked again later."
