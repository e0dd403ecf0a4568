"""browser: the same address again, asked as a browser would. Some sites refuse whatever does not look like one."""

from __future__ import annotations

from typing import Final

from pipeline.errors import HttpStatus
from stages.fallback.provider import Copy, FetchPort, Sought

# What the current Firefox (long-term release) sends for a page that somebody opened from the address bar.
HEADERS: Final = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-US,en;q=0.5",
    "Upgrade-Insecure-Requests": "1",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "none",
    "Sec-Fetch-User": "?1",
}


class Browser:
    """Tells nobody but the site itself; the site's own breaker and pace are the fetcher's."""

    name: Final = "browser"
    is_third_party: Final = False

    def __init__(self, fetcher: FetchPort) -> None:
        self._fetcher = fetcher

    async def find(self, sought: Sought) -> Copy | None:
        answer = await self._fetcher.fetch(sought.url, headers=HEADERS)
        if not 200 <= answer.status < 300:
            raise HttpStatus(f"a browser is answered HTTP {answer.status}, too", status=answer.status)
        return Copy(
            content=answer.content,
            url=sought.url,
            base_url=answer.final_url,
            status=answer.status,
            media_type=answer.media_type,
            charset=answer.charset,
        )
