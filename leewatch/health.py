"""`/healthz`, `/readyz` and `/metrics` of a role that has no HTTP server of its own, on a port for probes."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from leewatch.errors import cannot_listen
from leewatch.instruments import CONTENT_TYPE, READY, Registry

Ready = Callable[[], tuple[bool, Mapping[str, Any]]]
"""Whether the role does its work, and details."""
PATIENCE_SECONDS = 10.0
"""A client that is slower than this is left."""


@contextmanager
def served(host: str, port: int | None, key: str, registry: Registry, ready: Ready) -> Iterator[None]:
    """Answers on the port for as long as it is open; port None: nowhere. key: the setting that holds the port.

    Raises PortInUseError, or InputError for an address that is not ours to listen on.
    """
    if port is None:
        yield
        return
    server = _bound(host, port, key, _handler(registry, ready))
    threading.Thread(target=server.serve_forever, args=(0.1,), name="health", daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


def _bound(host: str, port: int, key: str, handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    kind = type("_FamilyServer", (_Server,), {"address_family": family})
    try:
        server: ThreadingHTTPServer = kind((host, port), handler)
    except OSError as error:
        raise cannot_listen(error, host, port, key, f"{key.rpartition('.')[0]}.health_host") from None
    return server


def _handler(registry: Registry, ready: Ready) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = PATIENCE_SECONDS

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/healthz":
                self._answer(200, "application/json", '{"status":"ok"}')
            elif path == "/readyz":
                does, details = ready()
                self._answer(200 if does else 503, "application/json", json.dumps({"ready": does, **details}))
            elif path == "/metrics":
                registry.set(READY, ready()[0])
                self._answer(200, CONTENT_TYPE, registry.render())
            else:
                self._answer(404, "text/plain", "no such page: /healthz, /readyz, /metrics\n")

        def _answer(self, status: int, content_type: str, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Probes come every few seconds: not logged."""

    return Handler
