"""An OpenTelemetry collector that takes spans over OTLP/HTTP, checks every word of them, and answers what a
test wants it to."""
from __future__ import annotations

import base64
import json
import re
import ssl
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from upstream import until

IDS = {"traceId": 32, "spanId": 16, "parentSpanId": 16}
KINDS = {2: "server", 3: "client"}


@dataclass
class Event:
    name: str
    at: int
    attributes: dict


class Span:
    """One span as the protocol's own messages understood it."""

    def __init__(self, message, resource: dict, scope):
        self.resource, self.scope = resource, scope
        self.trace = message.trace_id.hex()
        self.id = message.span_id.hex()
        self.parent = message.parent_span_id.hex()
        self.state = message.trace_state
        self.flags = message.flags
        self.name = message.name
        self.kind = KINDS[message.kind]
        self.start, self.end = message.start_time_unix_nano, message.end_time_unix_nano
        self.attributes = plain(message.attributes)
        self.events = [Event(e.name, e.time_unix_nano, plain(e.attributes))
                       for e in message.events]
        self.failed = message.status.code == 2

    def __getitem__(self, key: str):
        return self.attributes[key]

    def get(self, key: str):
        return self.attributes.get(key)

    def __repr__(self) -> str:
        return f"{self.kind} {self.name!r} {self.attributes} {self.events}"


def value_of(any_value):
    kind = any_value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(v) for v in any_value.array_value.values]
    return getattr(any_value, kind)


def plain(attributes) -> dict:
    keys = [a.key for a in attributes]
    assert len(keys) == len(set(keys)), f"an attribute twice: {keys}"
    return {a.key: value_of(a.value) for a in attributes}


def in_base64(value):
    """Ids in hex, as OTLP wants them, become what protobuf's own JSON has: base64."""
    if isinstance(value, list):
        return [in_base64(v) for v in value]
    if not isinstance(value, dict):
        return value
    out = {}
    for name, each in value.items():
        if name in IDS:
            assert re.fullmatch(r"[0-9a-f]{%d}" % IDS[name], each), each
            each = base64.b64encode(bytes.fromhex(each)).decode()
        elif name in ("startTimeUnixNano", "endTimeUnixNano", "timeUnixNano", "intValue"):
            assert isinstance(each, str), "64-bit numbers are strings"
        elif name in ("kind", "code"):
            assert isinstance(each, int), "enums are numbers"
        out[name] = in_base64(each)
    return out


def read(body: bytes) -> list[Span]:
    """Fails on any member the protocol does not know."""
    batch = json_format.ParseDict(in_base64(json.loads(body)), ExportTraceServiceRequest())
    return [Span(s, plain(r.resource.attributes), scope.scope)
            for r in batch.resource_spans for scope in r.scope_spans for s in scope.spans]


@dataclass
class Call:
    path: str
    headers: dict
    body: bytes
    at: float
    port: int  # the sender's: tells connections apart


class Collector:
    """`answers` are used up one a call: a status, (status, headers) or (status, headers, body);
    "drop" hangs up instead, a number below 100 is seconds of waiting before a 200."""

    def __init__(self, tls: ssl.SSLContext | None = None, port: int = 0):
        self.calls: list[Call] = []
        self.taken: list[Span] = []
        self.answers: list = []
        self.otherwise = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.calls.append(Call(self.path, {k.lower(): v for k, v in self.headers.items()},
                                        body, time.monotonic(), self.client_address[1]))
                answer = outer.answers.pop(0) if outer.answers else outer.otherwise
                if answer == "drop":
                    self.close_connection = True
                    return
                if not isinstance(answer, tuple) and answer < 100:
                    time.sleep(answer)
                    answer = 200
                status, headers, said = (*answer, {}, b"{}")[:3] if isinstance(answer, tuple) \
                    else (answer, {}, b"{}")
                if status == 200:
                    outer.taken += read(body)
                self.send_response(status)
                for name, value in {"content-type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a peer that left

        self.server = Server(("127.0.0.1", port), Handler)
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.scheme = "http" if tls is None else "https"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server.server_address[1]}"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def spans(self) -> list[Span]:
        return list(self.taken)

    def trace_of(self, request_id: str, timeout: float = 6) -> "Trace":
        """All spans of one request: the last one to come is the server's."""
        def server():
            return [s for s in self.spans() if s.get("sluice.request_id") == request_id]
        found = until(server, timeout, f"the span of request {request_id}")
        assert len(found) == 1, found
        return Trace(found[0], [s for s in self.spans() if s.parent == found[0].id])


@dataclass
class Trace:
    server: Span
    attempts: list[Span]
