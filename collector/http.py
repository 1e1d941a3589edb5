"""OTLP/HTTP (protobuf and JSON) and the operator's pages."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable

import orjson
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from collector import answers, otlp_json, status
from collector.body import CorruptError, TooLargeError, reader
from collector.intake import Intake
from collector.metrics import CONTENT_TYPE
from collector.segment import Signal
from collector.validate import MalformedError
from leewatch.errors import InputError, PortInUseError

Handler = Callable[[Request], Awaitable[Response]]
BACKLOG = 1024


class Pages:
    """What the operator's pages tell; given by the server."""

    def ready(self) -> tuple[bool, dict[str, object]]:
        """Whether requests are taken, and details."""
        raise NotImplementedError

    def accounting(self) -> dict[str, object]:
        raise NotImplementedError

    def metrics(self) -> str:
        raise NotImplementedError


def application(intake: Intake, pages: Pages) -> Starlette:
    """The ASGI application."""

    async def healthz(_: Request) -> Response:
        return Response(b'{"status":"ok"}', media_type=status.JSON)

    async def readyz(_: Request) -> Response:
        ready, details = pages.ready()
        return Response(orjson.dumps({"ready": ready, **details}), 200 if ready else 503, media_type=status.JSON)

    async def accounting(_: Request) -> Response:
        return Response(orjson.dumps(pages.accounting()), media_type=status.JSON)

    async def metrics(_: Request) -> Response:
        return Response(pages.metrics(), headers={"Content-Type": CONTENT_TYPE})

    return Starlette(
        routes=[
            Route("/v1/traces", _export(intake, "traces"), methods=["POST"]),
            Route("/v1/logs", _export(intake, "logs"), methods=["POST"]),
            Route("/v1/metrics", _export(intake, "metrics"), methods=["POST"]),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/accounting", accounting),
            Route("/metrics", metrics),
        ]
    )


def _export(intake: Intake, signal: Signal) -> Handler:
    async def export(request: Request) -> Response:
        content_type = _content_type(request)
        try:
            body = await _body(intake, signal, request, content_type)
        except status.Refusal as refusal:
            intake.count_refusal(signal, "http", refusal)
            return _response(status.to_http(refusal, content_type))
        try:
            accepted = await intake.take(signal, body, "http")
        except status.Refusal as refusal:
            return _response(status.to_http(refusal, content_type))
        message = answers.message(signal, accepted)
        if content_type == status.JSON:
            return Response(otlp_json.from_message(message), media_type=status.JSON)
        return Response(message.SerializeToString(), media_type=status.PROTOBUF)

    return export


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _body(intake: Intake, signal: Signal, request: Request, content_type: str) -> bytes:
    """The request as protobuf bytes. Raises Refusal."""
    if content_type not in {status.PROTOBUF, status.JSON}:
        raise status.wrong_content_type(content_type)
    encoding = request.headers.get("content-encoding", "")
    collected = reader(encoding, intake.max_request_bytes)
    if collected is None:
        raise status.wrong_encoding(encoding)
    try:
        async for chunk in request.stream():
            collected.feed(chunk)
        body = collected.finish()
        if content_type == status.JSON:
            return await asyncio.to_thread(otlp_json.to_protobuf, signal, body)
    except TooLargeError as error:
        raise status.too_large(str(error)) from None
    except (CorruptError, MalformedError) as error:
        raise status.malformed(str(error)) from None
    except ClientDisconnect:
        raise status.malformed("the sender hung up before the whole request had come") from None
    return body


def _response(answer: status.Answer) -> Response:
    return Response(answer.body, answer.status, headers={"Content-Type": answer.content_type, **dict(answer.headers)})


def bound_socket(host: str, port: int) -> socket.socket:
    """A listening socket. Raises PortInUseError, InputError for an address that is not ours to listen on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(host, port, "collector.http_port") from None
        raise InputError(
            f"cannot listen on {host}:{port}: {error.strerror}. Set collector.host to an address of this machine and "
            "collector.http_port to a port from 1024 up."
        ) from None
    sock.listen(BACKLOG)
    sock.setblocking(False)
    return sock
