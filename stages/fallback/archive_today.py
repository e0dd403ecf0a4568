"""archive_today: the capture nearest to the day of the save, by its list of captures (RFC 7089). Best effort.

It may want a captcha solved at any time; that is no answer, and its breaker counts it.
"""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from pipeline.errors import ProtocolBroken
from stages.fallback.provider import Copy, FetchPort, Sought
from stages.fallback.reply import MAX_BYTES, good
from stages.settings import FallbackSettings

_WHO: Final = "archive.today"
_LINK_FORMAT: Final = "application/link-format"
# One entry of the list: <address>; rel="first memento"; datetime="Tue, 03 Mar 2020 10:00:00 GMT"
_ENTRY: Final = re.compile(r'<([^<>\s]{1,8192})>\s*;\s*rel="([^"]{1,80})"\s*;\s*datetime="([^"]{1,40})"')


class ArchiveToday:
    name: Final = "archive_today"
    is_third_party: Final = True

    def __init__(self, fetcher: FetchPort, settings: FallbackSettings) -> None:
        self._fetcher = fetcher
        self._url = settings.archive_today_url.rstrip("/")

    async def find(self, sought: Sought) -> Copy | None:
        listed = await self._fetcher.fetch(f"{self._url}/timemap/{sought.url}", max_bytes=MAX_BYTES)
        if listed.status == 404:
            return None
        good(listed, _WHO)
        if listed.media_type != _LINK_FORMAT:
            raise ProtocolBroken(
                f"{_WHO} wants something else first, perhaps a captcha", hint="It is asked again later."
            )
        nearest = _nearest(listed.content.decode("utf-8", "replace"), sought.wanted_at)
        if nearest is None:
            return None
        place, captured_at = nearest
        answer = await self._fetcher.fetch(place)
        good(answer, _WHO)
        return Copy(
            content=answer.content,
            url=place,
            base_url=sought.url,
            status=answer.status,
            media_type=answer.media_type,
            charset=answer.charset,
            captured_at=captured_at,
        )


def _nearest(listed: str, wanted_at: int) -> tuple[str, int] | None:
    """The capture nearest to a moment, and its own moment."""
    found: list[tuple[int, str, int]] = []
    for place, relation, said in _ENTRY.findall(listed):
        if "memento" not in relation.split():
            continue
        try:
            moment = parsedate_to_datetime(said)
            at = round(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)
        except (ValueError, OverflowError):
            continue
        found.append((abs(at - wanted_at), place, at))
    if not found:
        return None
    _, place, at = min(found)
    return place, at
