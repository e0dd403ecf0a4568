"""A small web site on loopback for the demo and the tests: prints its address as one line and serves until stopped."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tools.sample.archive import Archive
from tools.sample.pages import Answer, answers, not_found

STOPPING = {signal.SIGTERM, signal.SIGINT}


class SampleSite(ThreadingHTTPServer):
    """The site; its answers are rendered once, when the port is known."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.answers: Mapping[str, Answer] = answers(self.address)
        self.archive = Archive(self.address)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10  # seconds an idle connection is kept

    def do_GET(self) -> None:
        self._send(with_body=True)

    def do_HEAD(self) -> None:
        self._send(with_body=False)

    def _send(self, *, with_body: bool) -> None:
        assert isinstance(self.server, SampleSite)
        path, query = urlsplit(self.path)[2:4]
        answer = self.server.answers.get(path) or self.server.archive.answer(path, query) or not_found(path)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.media_type)
        self.send_header("Content-Length", str(len(answer.body)))
        if answer.location is not None:
            self.send_header("Location", answer.location)
        self.end_headers()
        if with_body:
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:
        """Standard error belongs to whoever started us."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    options = parser.parse_args(arguments)
    # Blocked in every thread and waited for, not handled: a handler runs only once the main thread wakes, and a signal
    # that another thread takes does not wake it.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    with SampleSite(options.port) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        print(site.address, flush=True)
        signal.sigwait(STOPPING)
        site.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
