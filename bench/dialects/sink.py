"""An OTLP/HTTP receiver that keeps what it is sent, and writes it as test data without what belongs to the machine."""

from __future__ import annotations

import gzip
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict, Parse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

REQUESTS: dict[str, Any] = {"traces": ExportTraceServiceRequest, "logs": ExportLogsServiceRequest}
KEPT_RESOURCE = (
    "service.name", "deployment.environment", "deployment.environment.name", "telemetry.sdk.name", "openinference.project.name",
)  # fmt: skip
_PATH = re.compile(r"(?:/[\w.+-]+)+/(?=[\w.+-]+\.py)")
_PORT = re.compile(r"127\.0\.0\.1:\d+")
_TRACE = "Traceback (most recent call last)"
_LEFT_OUT = (
    "exception.stacktrace",
    "stacktrace",
    "thread.id",
    "process.pid",
    "server.port",
    "code.filepath",
    "code.file.path",
)


class Sink(ThreadingHTTPServer):
    """Listens on a free loopback port while it is entered; `bodies` holds (signal, request) in order of arrival."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[tuple[str, Any]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> Sink:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def write(self, path: Path, about: dict[str, str]) -> None:
        """The requests as protobuf's JSON, one list for each signal."""
        found: dict[str, Any] = {"about": about}
        for signal in REQUESTS:
            requests = [scrubbed(request) for name, request in self.bodies if name == signal]
            found[signal] = [MessageToDict(request) for request in requests]
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")


def scrubbed(request: Any) -> Any:
    """The request without host names, paths and stack traces."""
    groups = request.resource_spans if hasattr(request, "resource_spans") else request.resource_logs
    for group in groups:
        kept = [attribute for attribute in group.resource.attributes if attribute.key in KEPT_RESOURCE]
        del group.resource.attributes[:]
        group.resource.attributes.extend(kept)
    text = json.dumps(MessageToDict(request))
    clean = json.loads(_PORT.sub("127.0.0.1:8080", text), object_hook=_without_machine)
    return Parse(json.dumps(clean), type(request)())


def _without_machine(value: dict[str, Any]) -> dict[str, Any]:
    if value.get("key") in _LEFT_OUT:
        return {"key": value["key"], "value": {"stringValue": "left out"}}
    return {key: _PATH.sub("", item).split(_TRACE)[0] if isinstance(item, str) else item for key, item in value.items()}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Sink

    def do_POST(self) -> None:
        length = self.headers["Content-Length"]
        body = self.rfile.read(int(length)) if length else b"".join(self._chunks())
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        signal = self.path.rstrip("/").rpartition("/")[2]
        if signal in REQUESTS:
            is_json = "json" in self.headers.get("Content-Type", "")
            request = Parse(body, REQUESTS[signal]()) if is_json else REQUESTS[signal].FromString(body)
            self.server.bodies.append((signal, request))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the server is quiet."""
