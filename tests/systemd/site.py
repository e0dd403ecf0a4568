"""A site inside the booted machine: `python3 -m tests.systemd.site HOST PORT`. Each path is an article of its own.

Every connection and every request is a line of its output, which is in the journal then.
"""

from __future__ import annotations

import http.server
import socket
import sys
from typing import Any

_SENTENCE = "The ferry to the island leaves at {number} and carries the mail, the bread and whoever wants to go along. "


class Site(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def get_request(self) -> tuple[socket.socket, Any]:
        taken = super().get_request()
        print(f"connected to {taken[0].getsockname()[0]}", flush=True)
        return taken


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        print(f"asked for {self.path}", flush=True)
        text = "".join(f"<p>{self.path} {_SENTENCE.format(number=number) * 3}</p>" for number in range(12))
        head = f"<!doctype html><html lang=en><head><title>The ferry of {self.path}</title></head>"
        content = f"{head}<body><article><h1>The ferry of {self.path}</h1>{text}</article></body></html>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    with Site((sys.argv[1], int(sys.argv[2])), Handler) as site:
        print("serving", flush=True)
        site.serve_forever()
