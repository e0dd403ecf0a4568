"""A rehearsal: this release on a copy of the library, aside from the real one. It is started, asked for what a person
would ask first, and stopped: what a deploy does before it touches anything that runs."""

from __future__ import annotations

import http.client
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from supervisor.instance import Instance, InstanceError, Reply, environment

BEFORE_SECONDS: Final = 60.0  # for the release that would be gone back to, to look at the same data
# Whatever the real configuration says: nothing outside of the copy is read, written, listened on, asked or told.
ASIDE: Final = {
    "ATLAS_API_HOST": "127.0.0.1",
    "ATLAS_DATABASE_PATH": "atlas.db",
    "ATLAS_DATABASE_ARCHIVE_PATH": "archive.db",
    "ATLAS_LOG_FILE": "",
    "ATLAS_TRACE_OTLP_ENDPOINT": "",
    "ATLAS_FALLBACK_PROVIDERS": "",
    "ATLAS_WORKER_CONCURRENCY": "1",
}
PAGES: Final = ("/", "/pipeline", "/failed", "/feeds", "/errors", "/add")
Say = Callable[[str], None]


class RehearsalFailed(InstanceError):
    """The release did not do on the copy what it has to do on the real data."""

    code = "rehearsal_failed"


class Rehearsal(Instance):
    """`atlas up` on the copy. Up is who serves and works, even when the queue is full or a part is away."""

    def is_ready(self) -> bool:
        try:
            health = self.ask("GET", "/health")
        except (OSError, http.client.HTTPException):
            return False
        return health.status == 200 and bool(health.body["processor"] == "up")

    def get(self, path: str, *, also: tuple[int, ...] = ()) -> Reply:
        """An answer 200, or one of `also`. Raises InstanceError for any other, and for none."""
        assert self.up is not None
        try:
            reply = self.ask("GET", path)
        except (OSError, http.client.HTTPException) as error:
            raise self.up.failed(f"GET {path} was not answered: {error}") from error
        if reply.status not in (200, *also):
            raise self.up.failed(f"GET {path} was answered {reply.status}: {str(reply.body)[:500]}")
        return reply


def rehearse(data: Path, *, settings: Mapping[str, str], items: int, before: Path | None, say: Say) -> None:
    """Run this release on `data`, a copy that nobody else uses; it is migrated. Raises RehearsalFailed.

    `settings` name the real configuration, `items` is how many the copy holds. `before` is the launcher of the release
    that would be gone back to: it has to be able to use what this one leaves behind.
    """
    told = Rehearsal(data, settings={**settings, **ASIDE})
    try:
        told.command("scheduler")
        say("its schema is this release's, and a round of the scheduler went well")
        with told:
            say("the api and the worker are up on it")
            _ask(told, items)
            say("the library, its newest item, search and the web pages answer")
            assert told.up is not None
            if told.up.stop() != 0:
                raise told.up.failed(f"stopping it ended with status {told.up.popen.returncode}")
        say("stopped cleanly")
        if before is not None:
            _look_back(told, before)
            say("the release to go back to can still use it")
    except InstanceError as error:
        raise RehearsalFailed(f"the rehearsal failed: {error.message}", hint="what runs was not touched") from error


def _ask(told: Rehearsal, items: int) -> None:
    newest = told.get("/api/v1/items?limit=1").body["items"]
    if items and not newest:
        assert told.up is not None
        raise told.up.failed(f"the copy holds {items} items, and the api lists none")
    for item in newest:
        told.get(f"/api/v1/items/{item['id']}")
        told.get(f"/items/{item['id']}", also=(404,))  # an item without a text has no page to read
    told.get("/api/v1/search?q=atlas&limit=1")
    for page in PAGES:
        told.get(page)


def _look_back(told: Rehearsal, launcher: Path) -> None:
    known = {name: value for name, value in environment(told.settings).items() if name != "PYTHONPATH"}
    try:
        ran = subprocess.run(  # noqa: S603 - the launcher of a release, named by whoever deploys
            [str(launcher), "status", "--json"],
            env=known,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=BEFORE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstanceError(f"{launcher} could not be asked: {error}") from error
    if ran.returncode != 0:
        said = ran.stderr.decode("utf-8", "replace").strip()[-500:]
        raise InstanceError(f"the release to go back to cannot use the data after this one: {said}")


def real_configuration(file: Path | None) -> dict[str, str]:
    """The settings that name the configuration of this call, for a process that is told nothing else of it."""
    named = {name: os.environ[name] for name in ("ATLAS_CONFIG", "ATLAS_ENV_FILE") if name in os.environ}
    return named if file is None else named | {"ATLAS_CONFIG": str(file.absolute())}
