"""A real Chromium, driven over its debugging pipe: no driver, no download, no port."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe"),
)


def program() -> str | None:
    return shutil.which("chromium") or shutil.which("google-chrome")


class Browser:
    """One tab. `urls` holds every address that was asked for, `dialogs` every alert that opened."""

    def __init__(self, reader: asyncio.StreamReader, writing: int) -> None:
        self._reader = reader
        self._writing = writing
        self._replies: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._session: str | None = None
        self._loaded = asyncio.Event()
        self.urls: list[str] = []
        self.dialogs: list[str] = []

    async def listen(self) -> None:
        while True:
            try:
                message = json.loads((await self._reader.readuntil(b"\0"))[:-1])
            except asyncio.IncompleteReadError:
                return
            if "id" in message:
                self._replies.pop(message["id"]).set_result(message)
            else:
                await self._event(message["method"], message.get("params", {}))

    async def _event(self, method: str, params: dict[str, Any]) -> None:
        match method:
            case "Page.loadEventFired":
                self._loaded.set()
            case "Network.requestWillBeSent":
                self.urls.append(params["request"]["url"])
            case "Page.javascriptDialogOpening":
                self.dialogs.append(params["message"])
                self._send("Page.handleJavaScriptDialog", {"accept": True})

    def _send(self, method: str, params: dict[str, Any]) -> asyncio.Future[dict[str, Any]]:
        number = len(self._replies) + max(self._replies, default=0) + 1
        reply = self._replies[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        return reply

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        reply = await asyncio.wait_for(self._send(method, params), 20)
        assert "error" not in reply, reply
        result: dict[str, Any] = reply["result"]
        return result

    async def attach(self) -> None:
        target = (await self.call("Target.createTarget", url="about:blank"))["targetId"]
        self._session = (await self.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            await self.call(f"{domain}.enable")

    async def open(self, url: str) -> None:
        self._loaded.clear()
        await self.call("Page.navigate", url=url)
        await asyncio.wait_for(self._loaded.wait(), 20)

    async def click(self, selector: str) -> None:
        """Click what loads a page."""
        self._loaded.clear()
        await self.run(f"document.querySelector({json.dumps(selector)}).click()")
        await asyncio.wait_for(self._loaded.wait(), 20)

    async def run(self, script: str) -> Any:
        return (await self.call("Runtime.evaluate", expression=script))["result"].get("value")


@contextlib.asynccontextmanager
async def chromium(profile: Path, *flags: str) -> AsyncIterator[Browser]:
    commands, writing = os.pipe()
    reading, answers = os.pipe()
    process = await asyncio.create_subprocess_exec(
        "/bin/bash",  # dash knows no file descriptors past 9
        *("-c", f'exec "$0" "$@" 3<&{commands} 4>&{answers}', program() or "chromium"),
        *(*FLAGS, *flags, f"--user-data-dir={profile}", "about:blank"),
        pass_fds=(commands, answers),
        stderr=asyncio.subprocess.DEVNULL,
    )
    os.close(commands)
    os.close(answers)
    reader = asyncio.StreamReader(limit=1 << 26)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reading, "rb", 0)
    )
    browser = Browser(reader, writing)
    listening = asyncio.create_task(browser.listen())
    try:
        await browser.attach()
        yield browser
    finally:
        listening.cancel()
        transport.close()
        os.close(writing)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
