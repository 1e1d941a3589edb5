"""OTLP/HTTP (protobuf and JSON) and the operator's pages."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from collector import answers, feedback, otlp_json, status
from collector.auth import Gate, credential
from collector.body import CorruptError, TooLargeError, reader
from collector.inflight import Hold
from collector.intake import Intake
from collector.listening import LOOPBACK
from collector.segment import SIGNALS, Signal
from collector.siblings import SiblingAwayError
from collector.validate import MalformedError
from leewatch.instruments import CONTENT_TYPE

Handler = Callable[[Request], Awaitable[Response]]
HTTP_BAD_REQUEST = 400
HTTP_METHOD_NOT_ALLOWED = 405
PREFLIGHT_SECONDS = 7200
"""How long a browser need not ask again whether it may send; no browser takes more."""


class Pages(Protocol):
    """What the operator's pages tell; given by the server."""

    def ready(self) -> tuple[bool, dict[str, object]]:
        """Whether requests are taken, and details."""
        ...

    def accounting(self, project: str | None) -> dict[str, object]:
        """The account of one project, or of all together and each."""
        ...

    def metrics(self) -> str:
        """All metrics in Prometheus' text format."""
        ...


def application(intake: Intake, gate: Gate, pages: Pages, origins: Sequence[str] = ()) -> Starlette:
    """OTLP and the operator's pages. origins: of web pages that may send, `*` for any text within one, or for all."""
    exports = [
        Route(path, _export(intake, gate, signal), methods=["POST"])
        for signal in SIGNALS
        for path in (f"/v1/{signal}", f"/v1/{signal}/")
    ]
    feedbacks = [Route(path, _feedback(intake, gate), methods=["POST"]) for path in ("/v1/feedback", "/v1/feedback/")]
    return _answering([*exports, *feedbacks, *_pages(gate, pages)], [_cors(origins)] if origins else [])


def health_application(gate: Gate, pages: Pages) -> Starlette:
    """The operator's pages alone."""
    return _answering(_pages(gate, pages), [])


def _answering(routes: list[Route], middleware: list[Middleware]) -> Starlette:
    app = Starlette(routes=routes, middleware=middleware, exception_handlers={HTTPException: _no_such_page})
    app.router.redirect_slashes = False  # senders do not follow
    return app


async def _no_such_page(request: Request, error: Exception) -> Response:
    """404 and 405 as OTLP wants errors told: google.rpc.Status in the content type of the request."""
    assert isinstance(error, HTTPException)
    path = request.url.path
    if error.status_code == HTTP_METHOD_NOT_ALLOWED:
        refusal = status.wrong_method(request.method, path)
    else:
        refusal = status.not_found(path)
    content_type = status.PROTOBUF if _content_type(request) == status.PROTOBUF else status.JSON
    response = _response(status.to_http(refusal, content_type))
    response.headers.update(error.headers or {})
    return response


def _cors(origins: Sequence[str]) -> Middleware:
    """Lets pages of these origins send (https://fetch.spec.whatwg.org/#http-cors-protocol). No cookies: keys are headers."""
    patterns = "|".join(".*" if origin == "*" else re.escape(origin).replace(r"\*", "[^/]*") for origin in origins)
    return Middleware(
        CORSMiddleware,
        allow_origin_regex=patterns,
        allow_methods=["POST"],
        allow_headers=["*"],
        expose_headers=["Retry-After"],
        max_age=PREFLIGHT_SECONDS,
    )


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
        try:
            account = await asyncio.to_thread(pages.accounting, project)
        except SiblingAwayError as error:
            return Response(str(error), 503)
        return Response(orjson.dumps(account), media_type=status.JSON)

    async def metrics(request: Request) -> Response:
        try:
            await _onlooker(gate, request)
        except status.Refusal as refusal:
            return _response(status.to_http(refusal, status.JSON))
        try:
            text = await asyncio.to_thread(pages.metrics)
        except SiblingAwayError as error:
            return Response(str(error), 503)
        return Response(text, headers={"Content-Type": CONTENT_TYPE})

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
                    intake.admit(project)
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


def _feedback(intake: Intake, gate: Gate) -> Handler:
    async def take(request: Request) -> Response:
        try:
            with intake.hold() as held:
                try:
                    project = await gate.project(credential(request.headers))
                    intake.admit(project)
                    read = await _items(intake, request, held)
                except status.Refusal as refusal:
                    intake.count_refusal("logs", "http", refusal)
                    raise
                if not read.accepted:
                    intake.count_refusal("logs", "http", status.malformed(""))
                    return Response(feedback.answer(read), HTTP_BAD_REQUEST, media_type=status.JSON)
                key = request.headers.get("idempotency-key")
                identity = f"feedback {key}".encode() if key else secrets.token_bytes(16)
                await intake.take("logs", read.body, "http", project, identity)
        except status.Refusal as refusal:
            return _response(status.to_http(refusal, status.JSON))
        return Response(feedback.answer(read), media_type=status.JSON)

    return take


async def _items(intake: Intake, request: Request, held: Hold) -> feedback.Feedback:
    """The items of a request with feedback. Raises Refusal."""
    if _content_type(request) != status.JSON:
        raise status.wrong_content_type(_content_type(request), status.JSON)
    body = await _read(request, min(feedback.MOST_BYTES, intake.max_request_bytes), held)
    try:
        return feedback.read(body, time.time_ns())
    except MalformedError as error:
        raise status.malformed(str(error)) from None


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
    body = await _read(request, intake.max_request_bytes, held)
    if content_type == status.PROTOBUF:
        return body
    try:
        return await intake.decoded(otlp_json.to_protobuf, signal, body)
    except MalformedError as error:
        raise status.malformed(str(error)) from None


async def _read(request: Request, limit: int, held: Hold) -> bytes:
    """The body, decompressed, of at most `limit` bytes. Raises Refusal."""
    encoding = request.headers.get("content-encoding", "")
    collected = reader(encoding, limit)
    if collected is None:
        raise status.wrong_encoding(encoding)
    try:
        async for chunk in request.stream():
            collected.feed(chunk)
            held.grow(collected.size)
        return collected.finish()
    except TooLargeError as error:
        raise status.too_large(str(error)) from None
    except CorruptError as error:
        raise status.malformed(str(error)) from None
    except ClientDisconnect:
        raise status.malformed("the sender hung up before the whole request had come") from None


def _response(answer: status.Answer) -> Response:
    return Response(answer.body, answer.status, headers={"Content-Type": answer.content_type, **dict(answer.headers)})
