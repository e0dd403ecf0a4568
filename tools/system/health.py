"""Whether the installed Atlas is well: asked over HTTP, on the port that the configuration says."""

from __future__ import annotations

import http.client
import json
import threading
import time
from typing import Any

from tools.system.machine import Refused, run
from tools.system.units import Settings

_LOOK_AGAIN = 0.2
_REACHED_BY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


def ask(chosen: Settings, path: str = "/health", *, seconds: float = 5.0) -> tuple[int, Any]:
    """Status and decoded body of one request; status 0 and what went wrong when there was no answer."""
    host = _REACHED_BY.get(chosen.host, chosen.host)
    connection = http.client.HTTPConnection(host, chosen.port, timeout=seconds)
    try:
        connection.request("GET", path, headers={"Accept": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        return 0, f"{type(error).__name__}: {error}"
    finally:
        connection.close()


def is_well(chosen: Settings, *, seconds: float = 5.0) -> bool:
    """The api answers 200 in that time, and a worker is at work."""
    status, body = ask(chosen, seconds=seconds)
    return status == 200 and isinstance(body, dict) and body.get("processor") == "up"


def wait(chosen: Settings, seconds: float = 30.0) -> float:
    """Wait until it is well; how long that took. Refused, with the roles' last lines, when it takes longer."""
    begun, pause = time.monotonic(), threading.Event()
    while not is_well(chosen):
        if time.monotonic() - begun > seconds:
            status, body = ask(chosen)
            lines = run("journalctl", "-u", "atlas-api", "-u", "atlas-worker", "-n", "20", "-o", "cat", check=False)
            found = f"/health answered {status}: {body}"
            told = f"Atlas is not well {seconds:g} s after it was started; {found}\n{lines.stdout.rstrip()}"
            raise Refused(told, "more: journalctl -u atlas-api -u atlas-worker")
        pause.wait(_LOOK_AGAIN)
    return time.monotonic() - begun
