"""S18, S21: hostile titles, addresses, headers and sites through the real roles: each event is one clean line."""

from __future__ import annotations

import contextlib
import http.server
import itertools
import json
import random
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest

from observability.names import Event
from supervisor.instance import Instance, environment
from tests.test_reliability.clients import timed
from tests.test_reliability.roles import Roles, ask, roles

EVENTS = {event.value for event in Event}
# A new line, a line that looks like ours, colours, a title for the terminal's window, a line turned round, NUL, C1.
HOSTILE = '\r\n{"event":"role.stopped"}\x1b[31m\x1b]0;mine\x07\u202egnp.exe\u2066\u200f\0\x9b31m\u2028\x7f'
# C0 but the line's end, DEL, C1 and what turns lines round or ends them.
FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
TEXT = "".join(f"<p>The mill at the river grinds the rye of day {day}, and the miller counts.</p>" for day in range(40))


class Secrets:
    """Makes one after the other, and remembers them all."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self._numbers = itertools.count()

    def __call__(self) -> str:
        self.made.append(f"s3cr3t{next(self._numbers):03}xyzzy")
        return self.made[-1]


def page(title: str) -> bytes:
    written = "".join(f"&#{ord(letter)};" for letter in title)
    head = f"<!doctype html><html lang=en><head><title>{written} \ud800 {title}</title>"
    text = f"{head}<meta name=author content='{written}'></head><body><article><h1>{title}</h1>{TEXT}</article></body>"
    return text.encode("utf-8", "surrogatepass")


def hostile_site(secret: Secrets) -> dict[str, tuple[int, dict[str, str], bytes]]:
    """By path: status, headers, body."""
    html = {"Content-Type": "text/html; charset=utf-8", "Set-Cookie": f"session={secret()}"}
    return {
        "/page": (200, html, page(HOSTILE)),
        "/away": (302, {"Location": f"/gone?access_token={secret()}&x=1"}, b""),
        "/elsewhere": (302, {"Location": f"http://me:{secret()}@127.0.0.1:1/?sig={secret()}"}, b""),
        "/nowhere": (302, {"Location": f"ftp://me:{secret()}@127.0.0.1/\u202e\x1b[31m"}, b""),
        "/loop": (302, {"Location": f"/loop?auth={secret()}"}, b""),
        "/locked": (401, {"WWW-Authenticate": f'Basic realm="\x1b[31m{secret()}"'}, b"no"),
        "/strange": (200, {"Content-Type": "text/\x1b[31m; charset=\x1b]0;x\x07"}, b"\x1b[2J"),
        "/feed": (200, {"Content-Type": "application/rss+xml"}, feed(secret)),
    }


def feed(secret: Secrets) -> bytes:
    item = f"<item><title>&#27;[31m &#x202e;</title><link>http://127.0.0.1:1/e?token={secret()}</link></item>"
    return f'<rss version="2.0"><channel><title>&#x202e;&#27;[2J</title>{item}</channel></rss>'.encode()


@contextmanager
def serving(answers: dict[str, tuple[int, dict[str, str], bytes]]) -> Iterator[str]:
    """Anything but these paths is 404."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = answers.get(self.path.partition("?")[0], (404, {}, b"gone"))
            self.send_response(status, "\x1b[31m nothing \x9b")
            for name, content in headers.items():
                self._headers_buffer.append(f"{name}: {content}\r\n".encode())  # type: ignore[attr-defined]
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join(10)


def saves(site: str, secret: Secrets) -> list[dict[str, Any]]:
    """What is accepted."""
    urls = [f"http://me:{secret()}@{site}/page?token={secret()}#access_token={secret()}"]
    urls += [f"http://{site}/{name}?api_key={secret()}" for name in ("away", "elsewhere", "nowhere", "loop", "locked")]
    urls += [f"http://{site}/strange?password={secret()}&X-Amz-Signature={secret()}", f"http://{site}/a%0d%0a%1b%00b"]
    urls += [f"http://me:{secret()}@127.0.0.1:1/?client_secret={secret()}", f"http://10.0.0.1/?key={secret()}"]
    titled = {"url": f"http://{site}/page?n=2", "title": "\u202egnp.exe \u2066", "tags": ["\u202etag", "\u200f"]}
    return [titled, {"text": f"# {HOSTILE}".replace("\0", "") + TEXT}, *({"url": url} for url in urls)]


def knock(atlas: Instance, secret: Secrets) -> None:
    """Requests that are not worth an answer."""
    for target in (f"/{secret()}?token={secret()}", f"/%0d%0a%1b[31m%00?password={secret()}", f"/sign-in/{secret()}"):
        raw(atlas, f"GET {target} HTTP/1.1", f"Authorization: Bearer {secret()}", f"Cookie: session={secret()}")
    for agent in ("a\x1b[31m", "a\x9b31m\u202e", "a\0", "a\rX: y", f"a token={secret()}"):
        raw(atlas, "GET /livez HTTP/1.1", f"User-Agent: {agent}", f"Referer: http://me:{secret()}@host/")
    for name in ("X-Request-ID", "traceparent", "Idempotency-Key", "Host", "X-Forwarded-For"):
        raw(atlas, "GET /api/v1/items HTTP/1.1", f"{name}: \x1b[31m\u202e{secret()}")
    raw(atlas, f"GET\x1b[31m {secret()} \x1b")
    lone = '{"url": "http://host/", "title": "\\ud800\\u0000"}'
    post = ("POST /api/v1/items HTTP/1.1", "Content-Type: application/json", f"Content-Length: {len(lone)}")
    raw(atlas, *post, f"Authorization: Bearer {atlas.token}", body=lone)
    for body in ({"url": HOSTILE}, {"url": "http://host/", "title": HOSTILE}, {"text": HOSTILE}, {"x\x1b": secret()}):
        assert timed(atlas, "POST", "/api/v1/items", body).status == 422
    secretive = {"url": f"javascript:{secret()}"}, {"url": f"http://me:{secret()}@[/?token={secret()}"}
    for body in secretive:
        assert timed(atlas, "POST", "/api/v1/items", body).status == 422


def raw(atlas: Instance, *lines: str, body: str = "") -> None:
    """A request as it stands, and whatever comes back."""
    told = [*lines, f"Host: 127.0.0.1:{atlas.port}", "Connection: close", "", body]
    with socket.create_connection(("127.0.0.1", atlas.port), timeout=10) as connection:
        connection.sendall("\r\n".join(told).encode("utf-8", "surrogatepass"))
        while connection.recv(65_536):
            pass


def keep_all(running: Roles, site: str, secret: Secrets) -> int:
    """Save everything, and the feed; how many items there are."""
    wanted = saves(site, secret)
    for body in wanted:
        assert timed(running.atlas, "POST", "/api/v1/items", body).status == 202, body
    added = timed(running.atlas, "POST", "/api/v1/feeds", {"url": f"http://me:{secret()}@{site}/feed?token={secret()}"})
    assert added.status in {200, 201, 202}, added
    return len(wanted)


def settled(running: Roles, count: int) -> bool:
    items = running.atlas.items()
    return len(items) >= count and {item["state"] for item in items} <= {"done", "dead", "duplicate", "waiting"}


def spans(data: Path) -> list[str]:
    with contextlib.closing(apsw.Connection(str(data / "atlas.db"), flags=apsw.SQLITE_OPEN_READONLY)) as database:
        return [row for (row,) in ask(database, "SELECT spans FROM spans")]


def texts(value: object) -> Iterator[str]:
    """Every string in a JSON value, names included."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from texts(name)
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


def check(content: str, secrets: list[str]) -> list[dict[str, Any]]:
    """Its lines: each is one event of ours, and shows nothing that it should not."""
    assert FORBIDDEN.findall(content) == []
    assert [each for each in secrets if each in content] == []
    found = [json.loads(line) for line in content.split("\n")[:-1]]
    assert {line["event"] for line in found} <= EVENTS
    assert [text for line in found for text in texts(line) if FORBIDDEN.search(text)] == []
    return found


@pytest.mark.slow
def test_hostile_sites_saves_and_requests_leave_neither_secrets_nor_control_characters_behind(tmp_path: Path) -> None:
    secret = Secrets()
    settings = {"ATLAS_LOG_LEVEL": "debug", "ATLAS_LOG_FILE": "logs/atlas.log", "ATLAS_RETRY_ATTEMPTS": "2"}
    with serving(hostile_site(secret)) as site, roles(tmp_path, settings) as running:
        data = running.atlas.data
        api, worker = running.start("api"), running.start("worker")
        count = keep_all(running, site, secret)
        knock(running.atlas, secret)
        worker.wait_for(lambda: settled(running, count + 1), seconds=60, what="trying all")
        assert worker.stop() == api.stop() == 0
        secrets = [*secret.made, running.atlas.token]
        said = {role: check((data / f"{role}.err").read_text("utf-8"), secrets) for role in ("api", "worker")}
        written = check((data / "logs" / "atlas.log").read_text("utf-8"), secrets)
        kept = spans(data)
        assert [each for each in secrets if any(each in row for row in kept)] == []
        assert [text for row in kept for text in texts(json.loads(row)) if FORBIDDEN.search(text)] == []
    assert any("/page?token=***" in row for row in kept)
    assert len(written) == sum(map(len, said.values()))
    accepted = [line["item_id"] for line in said["api"] if line["event"] == "item.accepted"]
    assert len(set(accepted)) == count
    assert sum(line["event"] == "role.stopped" for line in written) == 2


LOGGER = """
import json, logging, sys
from pathlib import Path
from observability import log
from observability.names import Event
from observability.settings import LogSettings
log.configure(LogSettings(format=sys.argv[1], file="atlas.log"), "api", data=Path(sys.argv[2]))
for text in json.load(sys.stdin):
    log.get_logger().info(Event.ITEM_BURIED, detail=text, deep={text: [text]}, token=text)
    logging.getLogger("a.library").warning("it says %s", text)
    if sys.argv[1] == "json":
        try:
            raise ValueError(text)
        except ValueError:
            log.get_logger().error(Event.ACTOR_CRASHED, exc_info=True)
assert log.flush(10)
"""


def hostile_texts(secret: Secrets, count: int) -> list[str]:
    dice, marks = random.Random(1), [*HOSTILE, "\ud800", "\udfff", "é", "👾", " ", '"', "\\", "%s", "{", "\x85"]
    texts = ["".join(dice.choices(marks, k=dice.randrange(1, 20))) for _ in range(count)]
    told = (
        "http://me:{}@host/",
        "https://host/?a=b&refresh_token={}",
        "Authorization: Bearer {}",
        "atlas_{}" + "x" * 32,
    )
    return [*texts, *(each.format(secret()) for each in told)]


@pytest.mark.parametrize(("form", "lines_each"), [("json", 3), ("text", 2)])
def test_whatever_is_logged_each_event_is_one_line_in_both_places(tmp_path: Path, form: str, lines_each: int) -> None:
    secret = Secrets()
    texts = hostile_texts(secret, 200)
    command = [sys.executable, "-P", "-c", LOGGER, form, str(tmp_path)]
    given = json.dumps(texts).encode()
    ran = subprocess.run(command, input=given, capture_output=True, env=environment({}), timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    said, written = ran.stderr.decode("utf-8"), (tmp_path / "atlas.log").read_text("utf-8")
    assert FORBIDDEN.findall(said) == []
    assert [each for each in secret.made if each in said] == []
    assert len(said.splitlines()) == len(check(written, secret.made)) == lines_each * len(texts)
    if form == "json":
        check(said, secret.made)
