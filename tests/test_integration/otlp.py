"""A collector on loopback: takes OTLP over HTTP as Jaeger, Tempo or an OpenTelemetry collector would, or fails to."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

PATH = "/v1/traces"
MEDIA_TYPE = "application/x-protobuf"


class Mode(Enum):
    """How it answers."""

    OK = 200
    REFUSE = 503  # come back later
    DENY = 401  # with that authorization never
    HANG = "hang"  # takes the connection, and says nothing
    DROP = "drop"  # hears the request, and hangs up


@dataclass(frozen=True, kw_only=True)
class Received:
    """A span as it arrived."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: str
    start: int
    end: int
    failed: bool
    attributes: Mapping[str, Any] = field(hash=False)
    links: tuple[tuple[str, str], ...] = ()


class Collector(ThreadingHTTPServer):
    """Its `spans`, in order of arrival; `headers` of each request that it has read to the end."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, mode: Mode) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.mode = mode
        self.base = f"http://127.0.0.1:{self.server_port}"
        self.endpoint = self.base + PATH
        self.connections = 0
        self.headers: list[Mapping[str, str]] = []
        self.spans: list[Received] = []
        self.closing = threading.Event()
        self._news = threading.Condition()

    def get_request(self) -> tuple[socket.socket, Any]:
        accepted = super().get_request()
        with self._news:
            self.connections += 1
            self._news.notify_all()
        return accepted

    def hear(self, headers: Mapping[str, str], spans: list[Received]) -> None:
        with self._news:
            self.headers.append(headers)
            self.spans += spans
            self._news.notify_all()

    def wait_for(self, done: Callable[[Collector], bool], *, seconds: float) -> bool:
        """Whether `done` within `seconds`; looked at whenever something has arrived."""
        with self._news:
            return self._news.wait_for(lambda: done(self), seconds)

    def of(self, trace_id: str) -> list[Received]:
        """What has arrived of one trace."""
        with self._news:
            return [span for span in self.spans if span.trace_id == trace_id]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who hangs up early is no news here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Collector

    def do_POST(self) -> None:
        mode = self.server.mode
        if mode is Mode.HANG:
            self.server.closing.wait(120)
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers["Content-Length"]))
        found = _decoded(self.path, self.headers, body) if mode is Mode.OK else []
        self.server.hear(dict(self.headers.items()), found)
        if mode is Mode.DROP:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._answer(mode)

    def _answer(self, mode: Mode) -> None:
        content = ExportTraceServiceResponse().SerializeToString()
        self.send_response(mode.value)
        self.send_header("Content-Type", MEDIA_TYPE)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Standard error belongs to whoever started us."""


def _decoded(path: str, headers: Mapping[str, str], body: bytes) -> list[Received]:
    assert (path, headers["Content-Type"]) == (PATH, MEDIA_TYPE)
    packed = headers.get("Content-Encoding", "identity") == "gzip"
    request = ExportTraceServiceRequest.FromString(gzip.decompress(body) if packed else body)
    return [
        _received(span, str(_attributes(each.resource.attributes)["service.name"]))
        for each in request.resource_spans
        for scope in each.scope_spans
        for span in scope.spans
    ]


def _received(span: Span, service: str) -> Received:
    return Received(
        service=service,
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        attributes=_attributes(span.attributes),
        links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    return None if kind is None else getattr(value, kind)


@contextmanager
def collector(mode: Mode = Mode.OK) -> Iterator[Collector]:
    """Listens until the end of the block."""
    with Collector(mode) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join(10)
