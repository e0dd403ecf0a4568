"""The demo: the sample site goes through the real roles on a temporary folder, and all that came out is checked."""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

import msgspec
from rich.console import Console

from supervisor.demo_expect import Expectations, ExpectedPage, page_differences, search_differences
from supervisor.demo_show import Progress, in_flight, results, search, tally
from supervisor.instance import Instance, InstanceError, Process, fetch
from supervisor.ownership import live_as_owner

SETTINGS: Final = {
    "ATLAS_NET_ALLOW_NETWORKS": "127.0.0.1/32,::1/128",
    "ATLAS_RETRY_ATTEMPTS": "2",
    "ATLAS_RETRY_BASE_SECONDS": "0.2",
    "ATLAS_NET_PER_HOST_PER_SECOND": "1000",  # all pages are of one site, which is ours
    "ATLAS_FALLBACK_PROVIDERS": "browser, wayback",
    "ATLAS_FALLBACK_ASK_ABOUT_PRIVATE": "true",  # the archive is the sample site itself, and nobody else is asked
}
SECONDS: Final = 90.0  # for all pages together
LOOK_EVERY: Final = 0.1
PLAIN_WIDTH: Final = 120  # columns where the output is no terminal

Rows = dict[str, dict[str, Any]]


class DemoFailed(InstanceError):
    """The demo did not come to its end."""

    code = "demo"


def run_demo(once: bool, port: int | None, data: Path | None) -> int:
    """Show Atlas at work. With `once` 0 only when all ended as the sample site expects; without, stay until Ctrl-C.

    `data` is kept when given; the default is a temporary folder that is removed at the end.
    """
    if data is not None:
        live_as_owner(data)
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    try:
        with _interrupted_by_signals(), ExitStack() as stack:
            folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="atlas-demo-")))
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            console.print("Starting the sample site, the api, the worker and the scheduler ...")
            site = stack.enter_context(_sample_site(folder))
            atlas = stack.enter_context(Instance(folder, settings=SETTINGS | _archive(site), port=port))
            wrong = _show(console, site, atlas)
            if not once:
                _stay(console, atlas)
            return 1 if wrong else 0
    except InstanceError as error:
        console.print(error.message, style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 130 if once else 0


@contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the demo the way Ctrl-C does: everything it started is stopped first."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _sample_site(folder: Path) -> Iterator[str]:
    """The sample site as a process; its address."""
    site = Process("tools.sample_site", folder=folder)
    try:
        yield site.printed(r"http://127\.0\.0\.1:\d+(?=\n)")
    finally:
        site.stop(seconds=5)


def _archive(site: str) -> dict[str, str]:
    """The sample site plays the Wayback Machine as well."""
    return {
        "ATLAS_FALLBACK_WAYBACK_URL": f"{site}/archive/available",
        "ATLAS_FALLBACK_WAYBACK_CDX_URL": f"{site}/archive/cdx",
        "ATLAS_FALLBACK_WAYBACK_WEB_URL": f"{site}/archive/web",
    }


def _show(console: Console, site: str, atlas: Instance) -> list[str]:
    """Everything the demo shows; what was not as expected."""
    expected = msgspec.convert(fetch(site, "GET", "/expectations.json").body, Expectations)
    begun = time.monotonic()
    rows = _ingest(console, site, atlas, expected)
    console.print(f"{len(rows)} pages in {time.monotonic() - begun:.1f} s\n", highlight=False)
    rows = _with_provenance(atlas, rows)
    results(console, rows.values())
    wrong = page_differences(expected, rows)
    for example in expected.searches:
        hits = _search(atlas, example.query)
        search(console, example.query, hits)
        wrong += search_differences(example.query, example.finds, _paths(hits))
    for query in expected.finds_nothing:
        wrong += search_differences(query, (), _paths(_search(atlas, query)))
    console.print()
    for line in wrong:
        console.print(f"Not as expected: {line}", style="red", markup=False, highlight=False, soft_wrap=True)
    if not wrong:
        console.print(
            "Every page ended as the sample site expects, and every search found what it should.", style="green"
        )
    return wrong


def _ingest(console: Console, site: str, atlas: Instance, expected: Expectations) -> Rows:
    """Save all pages and the feed, and wait until every item has ended."""
    to_post = [page for page in expected.pages if not page.from_feed]
    begun = time.monotonic()
    atlas.command("feed", "add", site + expected.feed)
    with Progress(console, len(expected.pages)) as progress:
        to_post = _post_ready(atlas, site, to_post, {})
        while True:
            rows = _rows(atlas)
            seconds = time.monotonic() - begun
            progress.show(rows.values(), seconds)
            to_post = _post_ready(atlas, site, to_post, rows)
            counts = tally(rows.values())
            if not to_post and counts["done"] + counts["duplicate"] + counts["dead"] >= len(expected.pages):
                return rows
            if seconds > SECONDS:
                missing = [f"{page.path}: not there" for page in expected.pages if page.path not in rows]
                late = "\n".join(["still in flight:", *in_flight(rows.values()), *missing])
                raise DemoFailed(f"after {SECONDS:g} s not every page has ended; {late}")
            assert atlas.up is not None
            if atlas.up.wait(LOOK_EVERY) is not None:
                raise atlas.up.failed("ended while pages were in flight")


def _post_ready(atlas: Instance, site: str, pages: list[ExpectedPage], rows: Rows) -> list[ExpectedPage]:
    """Save the pages whose original, if they have one, has ended: only then is it sure which is the duplicate."""
    left = []
    for page in pages:
        original = rows.get(page.duplicate_of or "")
        if page.duplicate_of is None or (original is not None and original["state"] == "done"):
            _post(atlas, site + page.path)
        else:
            left.append(page)
    return left


def _post(atlas: Instance, url: str) -> None:
    reply = atlas.ask("POST", "/api/v1/items", {"url": url})
    if reply.status not in {200, 202}:
        raise DemoFailed(f"POST /api/v1/items of {url} was answered {reply.status}: {reply.body}")


def _rows(atlas: Instance) -> Rows:
    """The items by the path of their URL, oldest first."""
    return {urlsplit(item["url"]).path: item for item in reversed(atlas.items())}


def _with_provenance(atlas: Instance, rows: Rows) -> Rows:
    """The items with where each was fetched, which only their own pages of the API say."""
    return {
        path: row | {"provenance": atlas.ask("GET", f"/api/v1/items/{row['id']}").body["provenance"]}
        for path, row in rows.items()
    }


def _search(atlas: Instance, query: str) -> list[dict[str, Any]]:
    reply = atlas.ask("GET", f"/api/v1/search?q={quote(query)}&limit=10")
    if reply.status != 200:
        raise DemoFailed(f"search {query} was answered {reply.status}: {reply.body}")
    hits: list[dict[str, Any]] = reply.body["hits"]
    return hits


def _paths(hits: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(urlsplit(hit["item"]["url"]).path for hit in hits)


def _stay(console: Console, atlas: Instance) -> None:
    """Until Ctrl-C, with the way into the web pages on the screen."""
    assert atlas.up is not None
    link = atlas.command("sign-in").strip()
    console.print(f"\nOpen {link}\n(the link works once; Ctrl-C stops the demo)", highlight=False, soft_wrap=True)
    atlas.up.popen.wait()
    raise atlas.up.failed("ended")
