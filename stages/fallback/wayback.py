"""wayback: the Internet Archive's capture nearest to the day of the save, as the site sent it then.

Availability answers in one quick look-up but knows only some captures; the CDX index is slower and knows all.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlencode

import msgspec

from pipeline.errors import HttpStatus
from stages.fallback.captured import digits_of, moment_of
from stages.fallback.provider import Copy, FetchPort, Sought
from stages.fallback.reply import ask_json, good
from stages.settings import FallbackSettings

_WHO: Final = "The Wayback Machine"
_PAGE_TYPES: Final = ("text/html", "application/xhtml+xml", "text/plain", "warc/revisit")
_LOOKED_AT: Final = 10  # captures of the index, the nearest first
# A site that is kept out of the archive, or a capture that is gone: it has no copy, and that is no trouble of its own.
_NOT_SHOWN: Final = frozenset({403, 404, 451})
_SHOWN: Final = re.compile(r"/([0-9]{14})id_/")


class _Closest(msgspec.Struct):
    available: bool = False
    status: str = ""
    timestamp: str = ""


class _Snapshots(msgspec.Struct):
    closest: _Closest | None = None


class _Availability(msgspec.Struct):
    archived_snapshots: _Snapshots


class Wayback:
    name: Final = "wayback"
    is_third_party: Final = True

    def __init__(self, fetcher: FetchPort, settings: FallbackSettings) -> None:
        self._fetcher = fetcher
        self._available_url = settings.wayback_url
        self._index_url = settings.wayback_cdx_url
        self._web_url = settings.wayback_web_url.rstrip("/")

    async def find(self, sought: Sought) -> Copy | None:
        wanted = digits_of(sought.wanted_at)
        digits = await self._available(sought.url, wanted) or await self._indexed(sought.url, wanted)
        if digits is None:
            return None
        # "id_": the body as the site sent it, without the archive's banner and rewritten links.
        place = f"{self._web_url}/{digits}id_/{sought.url}"
        answer = await self._fetcher.fetch(place)
        if answer.status in _NOT_SHOWN:
            return None
        good(answer, _WHO)
        shown = _SHOWN.search(answer.final_url)  # a capture that it cannot read it replaces by the next one
        digits = shown[1] if shown else digits
        return Copy(
            content=answer.content,
            url=place,
            base_url=sought.url,
            status=answer.status,
            media_type=answer.media_type,
            charset=answer.charset,
            captured_at=moment_of(digits),
        )

    async def _available(self, url: str, wanted: str) -> str | None:
        query = urlencode({"url": url, "timestamp": wanted})
        answer = await ask_json(self._fetcher, f"{self._available_url}?{query}", _Availability, who=_WHO)
        closest = answer.archived_snapshots.closest
        if closest is None or not closest.available or closest.status != "200":
            return None
        return closest.timestamp if moment_of(closest.timestamp) is not None else None

    async def _indexed(self, url: str, wanted: str) -> str | None:
        """The nearest good capture. The index's first row names its columns; without captures it has no rows at all."""
        query = urlencode(
            {
                "url": url,
                "output": "json",
                "fl": "timestamp,mimetype",
                "filter": "statuscode:200",
                "sort": "closest",
                "closest": wanted,
                "limit": _LOOKED_AT,
            }
        )
        try:
            rows = await ask_json(self._fetcher, f"{self._index_url}?{query}", list[list[str]], who=_WHO)
        except HttpStatus as error:
            if error.status in _NOT_SHOWN:
                return None
            raise
        for row in rows[1:]:
            if len(row) == 2 and row[1] in _PAGE_TYPES and moment_of(row[0]) is not None:
                return row[0]
        return None
