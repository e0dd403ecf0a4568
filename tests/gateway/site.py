"""A gateway to talk to, as a program with a token or as a person with a browser."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quart import Quart, Response

from gateway.deps import Deps
from pipeline.documents import Extracted
from pipeline.effects import ClaimContent, Index, KeepCapture, KeepDocument
from pipeline.items import Reason
from pipeline.store.handle import Store
from pipeline.text.urls import canonicalise
from pipeline.work import Advance, Bury, Claim
from tests.store.hands import TestClock, claim_all, enriched, finish

HOST = {"Host": "localhost:7444"}
OWN = {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:7444"}


@dataclass
class Site:
    deps: Deps
    app: Quart
    clock: TestClock
    rings: list[None]
    folder: Path
    _tokens: dict[str, str] = field(default_factory=dict)
    _session: str = ""

    @property
    def store(self) -> Store:
        return self.deps.store

    async def token(self, scope: str = "admin") -> str:
        if scope not in self._tokens:
            self._tokens[scope] = await self.store.tokens.create(scope, scope)
        return self._tokens[scope]

    async def session(self) -> str:
        if not self._session:
            link = await self.store.tokens.sign_in_link()
            lasts = self.deps.settings.session_ms
            self._session = await self.store.tokens.redeem(link, "Browser", session_ms=lasts) or ""
        return self._session

    async def raw(self, method: str, path: str, *, headers: dict[str, str] | None = None, **more: Any) -> Response:
        """One request, with nothing added but the host."""
        client = self.app.test_client(use_cookies=False)
        answer: Response = await client.open(path, method=method, headers={**HOST, **(headers or {})}, **more)
        return answer

    async def api(self, method: str, path: str, *, scope: str = "admin", **more: Any) -> Response:
        headers = {"Authorization": f"Bearer {await self.token(scope)}", **more.pop("headers", {})}
        return await self.raw(method, path, headers=headers, **more)

    async def browse(self, method: str, path: str, **more: Any) -> Response:
        """As a signed-in person whose browser proves where its forms come from."""
        headers = {"Cookie": f"atlas_session={await self.session()}", **OWN, **more.pop("headers", {})}
        return await self.raw(method, path, headers=headers, **more)

    async def text(self, path: str) -> str:
        answer = await self.browse("GET", path)
        assert answer.status_code == 200, (path, answer.status_code)
        return (await answer.get_data()).decode()

    async def save(self, **item: Any) -> str:
        """The uid of a saved item."""
        answer = await self.api("POST", "/api/v1/items", json=item)
        assert answer.status_code in (200, 202), await answer.get_data()
        uid: str = (await answer.get_json())["id"]
        return uid

    async def claim(self, uid: str) -> Claim:
        return next(each for each in await claim_all(self.store) if each.item is not None and each.item.uid == uid)

    async def bury(self, uid: str, **reason: str) -> None:
        await finish(self.store, await self.claim(uid), Bury(reason=Reason(**reason)))  # type: ignore[arg-type]

    async def keep(self, uid: str, document: Extracted, body: bytes = b"<p>x</p>", **capture: Any) -> None:
        """Take a claimed page to its end with this document and this fetched body."""
        claim = await self.claim(uid)
        assert claim.item is not None
        assert claim.item.url is not None
        url = claim.item.url
        given = {"media_type": "text/html", "charset": "utf-8", **capture}
        kept = KeepCapture(
            content=body, url=url, final_url=url, final_key=canonicalise(url), status=200, captured_at=1, **given
        )
        at: Claim | None = claim
        for outcome in (
            Advance(effects=(kept,)),
            Advance(),
            Advance(effects=(KeepDocument(document=document),)),
            enriched(),
            Advance(effects=(ClaimContent(text_hash=uid, content_hash="c"), Index())),
        ):
            assert at is not None
            at = (await finish(self.store, at, outcome)).next

    async def done(self, url: str = "https://example.com/a", **document: Any) -> str:
        """The uid of a page that is in the library, readable."""
        uid = await self.save(url=url)
        fields = {"text": "Some text", "markdown": "Some *text*", "html": "<p>Some text</p>", "title": "A title"}
        await self.keep(uid, Extracted(**{**fields, **document}))
        return uid
