"""The configurations of QUICKSTART.md, run by the real nginx and the real Caddy over TLS: sign-in, saves, who asks."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from supervisor.instance import Instance, free_port
from tests.docs.documents import block_of

pytestmark = pytest.mark.slow
NAME = "atlas.example.org"
SECONDS = 30.0
# What QUICKSTART.md says to write into config.toml, as variables.
SETTINGS = {"ATLAS_API_ALLOWED_HOSTS": NAME, "ATLAS_API_TRUSTED_PROXIES": "127.0.0.1", "ATLAS_API_SESSION_DAYS": "30"}


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, kw_only=True)
class Proxied:
    """An Atlas behind a proxy, asked as a browser elsewhere would ask it."""

    name: str
    atlas: Instance
    port: int

    @property
    def origin(self) -> str:
        return f"https://{NAME}:{self.port}"

    def ask(self, method: str, path: str, body: str | None = None, *, seconds: float = SECONDS, **more: str) -> Answer:
        headers = {"Host": f"{NAME}:{self.port}"} | {name.replace("_", "-"): value for name, value in more.items()}
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=seconds)
        with raw, _anyone().wrap_socket(raw, server_hostname=NAME) as secured:
            connection = http.client.HTTPConnection(NAME)
            connection.sock = secured
            connection.request(method, path, body, headers)
            with closing(connection.getresponse()) as reply:
                told = {name.lower(): value for name, value in reply.getheaders()}
                return Answer(status=reply.status, headers=told, body=reply.read().decode("utf-8", "replace"))

    def form(self, path: str, **fields: str) -> Answer:
        """As a browser sends a form of a page of ours."""
        more = {"Content_Type": "application/x-www-form-urlencoded", "Origin": self.origin}
        return self.ask("POST", path, urlencode(fields), **more)


def _anyone() -> ssl.SSLContext:
    """The certificate is made for the test; who signed it is not what is tested."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: apt install {name})")
    return found


def _certificate(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "atlas.pem", folder / "atlas.key"
    made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subject = ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
    command = [_program("openssl"), *made, *subject, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, capture_output=True, check=True, timeout=60)
    return certificate, key


def _nginx(folder: Path, atlas: int, port: int, plain: int) -> tuple[list[str], dict[str, str]]:
    """The block as it stands, with other ports and another certificate, inside what every nginx.conf has around it."""
    certificate, key = _certificate(folder)
    block = block_of("QUICKSTART.md", "nginx", containing="proxy_pass").content
    block = re.sub(r"listen (\[::\]:)?443 ", rf"listen \g<1>{port} ", block)
    block = re.sub(r"listen (\[::\]:)?80;", rf"listen \g<1>{plain};", block)
    block = block.replace("/etc/ssl/atlas.example.org.pem", str(certificate))
    block = block.replace("/etc/ssl/atlas.example.org.key", str(key)).replace("127.0.0.1:7444", f"127.0.0.1:{atlas}")
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    around = f"daemon off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
    if os.geteuid() == 0:
        around = f"user root;\n{around}"  # the folder of a test is its owner's alone
    text = f"{around}http {{\naccess_log {folder}/access.log;\n{temporary}{block}}}\n"
    (folder / "nginx.conf").write_text(text)
    return [_program("nginx"), "-c", str(folder / "nginx.conf"), "-p", str(folder)], {}


def _caddy(folder: Path, atlas: int, port: int, plain: int) -> tuple[list[str], dict[str, str]]:
    """The block as it stands, with another port, below options that keep Caddy from the Internet."""
    block = block_of("QUICKSTART.md", "caddyfile", containing="reverse_proxy").content
    options = f"admin off\nhttp_port {plain}\nhttps_port {port}\nlocal_certs\nskip_install_trust\n"
    text = f"{{\n{options}}}\n{block.replace('127.0.0.1:7444', f'127.0.0.1:{atlas}')}"
    (folder / "Caddyfile").write_text(text)
    command = [_program("caddy"), "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    return command, {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "HOME": str(folder)}


PROXIES = {"nginx": _nginx, "caddy": _caddy}


@contextmanager
def started(name: str, folder: Path, atlas: int) -> Iterator[int]:
    """The proxy in front of a port; its own port once it answers there."""
    port, plain = free_port(), free_port()
    command, environment = PROXIES[name](folder, atlas, port, plain)
    with (folder / "proxy.out").open("wb") as out:
        proxy = subprocess.Popen(
            command, env=os.environ | environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL, process_group=0
        )
    try:
        deadline = time.monotonic() + SECONDS
        while True:
            if _speaks_tls(port):
                break
            said = (folder / "proxy.out").read_text("utf-8", "replace")
            assert proxy.poll() is None, f"{name} ended: {said}"
            assert time.monotonic() < deadline, f"{name} does not listen: {said}"
            _wait(proxy, 0.05)
        yield port
    finally:
        if proxy.poll() is None:
            os.killpg(proxy.pid, signal.SIGTERM)
            if _wait(proxy, 10) is None:
                os.killpg(proxy.pid, signal.SIGKILL)
                proxy.wait(10)


def _speaks_tls(port: int) -> bool:
    """Caddy listens before it has made its certificate."""
    try:
        raw = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        with raw, _anyone().wrap_socket(raw, server_hostname=NAME):
            return True
    except OSError:
        return False


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


@pytest.fixture(scope="module", params=PROXIES)
def proxied(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    folder = tmp_path_factory.mktemp(request.param)
    _program(request.param)
    with (
        Instance(folder / "data", settings=SETTINGS) as atlas,
        started(request.param, folder, atlas.port) as port,
    ):
        yield Proxied(name=request.param, atlas=atlas, port=port)


def test_a_person_signs_in_through_the_proxy_and_saves_a_page(proxied: Proxied) -> None:
    assert proxied.ask("GET", "/").headers["location"] == "/sign-in"
    link = proxied.atlas.command("sign-in").strip()
    answer = proxied.form("/sign-in", code=link)
    assert (answer.status, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert {"Secure", "HttpOnly"} <= {part.strip() for part in cookie.split(";")}
    session = cookie.partition(";")[0]
    more = {"Content_Type": "application/x-www-form-urlencoded", "Origin": proxied.origin, "Cookie": session}
    saved = proxied.ask("POST", "/add", urlencode({"urls": "https://example.org/through/the/proxy"}), **more)
    assert saved.status == 200
    assert "https://example.org/through/the/proxy" in {item["url"] for item in proxied.atlas.items()}
    elsewhere = more | {"Origin": "https://evil.example"}
    assert proxied.ask("POST", "/add", urlencode({"urls": "https://example.org/forged"}), **elsewhere).status == 403


def test_a_program_saves_by_token_and_waits_for_the_end(proxied: Proxied) -> None:
    """A long poll passes too, and answers when the note is done and not when the time is up."""
    more = {"Authorization": f"Bearer {proxied.atlas.token}", "Content_Type": "application/json"}
    answer = proxied.ask("POST", "/api/v1/items", json.dumps({"text": "The rain gauge stands there."}), **more)
    assert answer.status == 202
    uid = json.loads(answer.body)["id"]
    item = proxied.ask("GET", f"/api/v1/items/{uid}?wait=30", seconds=40, **more)
    assert json.loads(item.body)["state"] == "done"


def test_a_body_over_the_limit_is_refused(proxied: Proxied) -> None:
    """nginx has all of it before it asks, and hands on the answer; Caddy may be cut off while it still sends."""
    more = {"Authorization": f"Bearer {proxied.atlas.token}", "Content_Type": "application/json"}
    answer = proxied.ask("POST", "/api/v1/items", json.dumps({"text": "x" * 1_100_000, "title": "Large"}), **more)
    assert answer.status in ({413} if proxied.name == "nginx" else {413, 502})
    assert "Large" not in {item["title"] for item in proxied.atlas.items()}


def test_nobody_passes_for_a_program_of_this_machine_or_for_another_address(proxied: Proxied) -> None:
    assert proxied.ask("GET", "/metrics").status == 401
    assert proxied.ask("GET", "/metrics", X_Forwarded_For="127.0.0.1", X_Real_IP="127.0.0.1").status == 401
    assert proxied.ask("GET", "/health").status in {200, 503}


def test_wrong_codes_are_counted_by_the_address_of_the_client_and_not_by_what_it_claims(proxied: Proxied) -> None:
    """Each guess says that it comes from somewhere else; ten of them, and the eleventh has to wait."""
    more = {"Content_Type": "application/x-www-form-urlencoded", "Origin": proxied.origin}
    answers = [
        proxied.ask("POST", "/sign-in", urlencode({"code": "wrong"}), X_Forwarded_For=f"203.0.113.{number}", **more)
        for number in range(11)
    ]
    assert [answer.status for answer in answers] == [401] * 10 + [429]
