"""OTLP/HTTP (protobuf and JSON) and the operator's pages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import orjson
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from collector import answers, otlp_json, status
from collector.auth import Gate, credential
from collector.body import CorruptError, TooLargeError, reader
from collector.inflight import Hold
from collector.intake import Intake
from collector.listening import LOOPBACK
from collector.metrics import CONTENT_TYPE
from collector.segment import SIGNALS, Signal
from collector.validate import MalformedError

Handler = Callable[[Request], Awaitable[Response]]


class Pages:
    """What the operator's pages tell; given by the server."""

    def ready(self) -> tuple[bool, dict[str, object]]:
        """Whether requests are taken, and details."""
        raise NotImplementedError

    def accounting(self, project: str | None) -> dict[str, object]:
        """The account of one project, or of all together and each."""
        raise NotImplementedError

    def metrics(self) -> str:
        raise NotImplementedError


def application(intake: Intake, gate: Gate, pages: Pages) -> Starlette:
    """OTLP and the operator's pages."""
    exports = [Route(f"/v1/{signal}", _export(intake, gate, signal), methods=["POST"]) for signal in SIGNALS]
    return Starlette(routes=[*exports, *_pages(gate, pages)])


def health_application(gate: Gate, pages: Pages) -> Starlette:
    """The operator's pages alone."""
    return Starlette(routes=_pages(gate, pages))


def _pages(gate: Gate, pages: Pages) -> list[Route]:

    async def healthz(_: Request) -> Response:
        return Response(b'{"status":"ok"}', media_type=status.JSON)

    async def readyz(_: Request) -> Response:
        ready, details = pages.ready()
        return Response(orjson.dumps({"ready": ready, **details}), 200 if ready else 503, media_type=status.JSON)

    async def accounting(request: Request) -> Response:
        try:
            project = await _onlooker(gate, request)
        except status.Refusal as refusal:
            return _response(status.to_http(refusal, status.JSON))
        return Response(orjson.dumps(pages.accounting(project)), media_type=status.JSON)

    async def metrics(request: Request) -> Response:
        try:
            await _onlooker(gate, request)
        except status.Refusal as refusal:
            return _response(status.to_http(refusal, status.JSON))
        return Response(pages.metrics(), headers={"Content-Type": CONTENT_TYPE})

    return [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/accounting", accounting),
        Route("/metrics", metrics),
    ]


def _export(intake: Intake, gate: Gate, signal: Signal) -> Handler:
    async def export(request: Request) -> Response:
        content_type = _content_type(request)
        try:
            with intake.hold() as held:
                try:
                    project = await gate.project(credential(request.headers))
                    body = await _body(intake, signal, request, content_type, held)
                except status.Refusal as refusal:
                    intake.count_refusal(signal, "http", refusal)
                    raise
                accepted = await intake.take(signal, body, "http", project)
        except status.Refusal as refusal:
            return _response(status.to_http(refusal, content_type))
        message = answers.message(signal, accepted)
        if content_type == status.JSON:
            return Response(otlp_json.from_message(message), media_type=status.JSON)
        return Response(message.SerializeToString(), media_type=status.PROTOBUF)

    return export


async def _onlooker(gate: Gate, request: Request) -> str | None:
    """Whose figures may be shown: None for all of them. Raises Refusal.

    Where keys are required, figures are for this machine and, each project's own, for holders of its key. What a proxy on
    this machine passes on comes from elsewhere.
    """
    key = credential(request.headers)
    here = request.client is not None and request.client.host in LOOPBACK
    forwarded = any(name in request.headers for name in ("forwarded", "x-forwarded-for"))
    if key is None and (not gate.required or (here and not forwarded)):
        return None
    return await gate.project(key)


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _body(intake: Intake, signal: Signal, request: Request, content_type: str, held: Hold) -> bytes:
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
            held.grow(collected.size)
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
