"""OTLP/gRPC: raw bytes in, judged as those of the other transport are."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

import grpc
import grpc.aio

from collector import answers, status
from collector.auth import Gate, credential, credentials_of
from collector.body import CorruptError, TooLargeError, decompressed
from collector.intake import Intake
from collector.listening import why_not
from collector.segment import Signal
from leewatch.errors import LeewatchError

log = logging.getLogger(__name__)

SERVICES: dict[Signal, str] = {
    "traces": "opentelemetry.proto.collector.trace.v1.TraceService",
    "logs": "opentelemetry.proto.collector.logs.v1.LogsService",
    "metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
}
_CODES = {code.value[0]: code for code in grpc.StatusCode}
MOST_STREAMS = 64
"""Unanswered calls of one connection: bounds what the core holds in memory before we see it."""
LOOK_SECONDS = 0.25
"""How often it is looked whether the library still serves."""
_INLINE_BYTES = 1 << 16
"""Bodies up to this size are decompressed on the event loop; larger ones would make other senders wait."""


class Port:
    """The port of OTLP/gRPC: open from `start` to `stop`.

    The library gives up its whole server over one call whose path is not UTF-8: whoever reaches the port could close it for all.
    Then another takes its place; calls that were under way end as UNAVAILABLE, which senders repeat.
    """

    def __init__(
        self,
        intake: Intake,
        gate: Gate,
        host: str,
        port: int,
        credentials: grpc.ServerCredentials | None = None,
        shared: bool = False,
    ) -> None:
        """credentials: for TLS; None: plain. shared: with the other collectors of this installation."""
        self._shared = shared
        self._intake = intake
        self._gate = gate
        self._host = host
        self._port = port
        self._credentials = credentials
        self._server: grpc.aio.Server | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listens. Raises PortInUseError, InputError."""
        self._server = await self._opened()
        self._watching = asyncio.create_task(self._watch(self._server))

    async def stop(self, grace: float) -> None:
        """Takes no more calls; those under way get `grace` seconds."""
        if self._watching is not None:
            self._watching.cancel()
        if self._server is not None:
            await self._server.stop(grace)

    async def _watch(self, server: grpc.aio.Server) -> None:
        while True:
            try:
                # Without a time it would wait for the call that ended the server, which nobody answers any more.
                if await server.wait_for_termination(LOOK_SECONDS):
                    continue  # not yet
            except Exception as error:  # noqa: BLE001  whatever ended it, senders need the port
                log.error("the gRPC server ended, opening port %d again: %s", self._port, error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(server.stop(None), LOOK_SECONDS)
            while not await self._reopened():  # noqa: ASYNC110  the port is free at some time, nobody tells
                await asyncio.sleep(LOOK_SECONDS)
            assert self._server is not None
            server = self._server

    async def _reopened(self) -> bool:
        try:
            self._server = await self._opened()
        except LeewatchError as error:
            log.error("%s", error)
            return False
        return True

    async def _opened(self) -> grpc.aio.Server:
        server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", self._intake.max_request_bytes),
                # A connection whose calls are not answered waits; refusing them by number would make its sender drop them.
                ("grpc.max_concurrent_streams", MOST_STREAMS),
                # Without this a second collector would silently share the port and half of the traffic.
                ("grpc.so_reuseport", int(self._shared)),
                # The core would inflate a bomb whole before it looks at its size; we inflate under a cap.
                ("grpc.per_message_decompression", 0),
            ]
        )
        server.add_generic_rpc_handlers(tuple(_handler(self._intake, self._gate, signal) for signal in SERVICES))
        host, port, credentials = self._host, self._port, self._credentials
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            bound = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
        except RuntimeError:
            bound = 0
        if not bound:
            raise why_not(host, port, "collector.grpc_port", self._shared)
        await server.start()
        return server


def _handler(intake: Intake, gate: Gate, signal: Signal) -> grpc.GenericRpcHandler:
    async def export(body: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        try:
            with intake.hold() as held:
                try:
                    held.grow(len(body))
                    project = await gate.project(credential(credentials_of(context.invocation_metadata())))
                    intake.admit(project)
                    plain = await _plain(intake, body)
                    held.grow(len(body) + len(plain) if plain is not body else len(body))
                except status.Refusal as refusal:
                    intake.count_refusal(signal, "grpc", refusal)
                    raise
                accepted = await intake.take(signal, plain, "grpc", project)
        except status.Refusal as refusal:
            await _abort(context, refusal)
            raise
        return bytes(answers.message(signal, accepted).SerializeToString())

    return _service(SERVICES[signal], export)


async def _plain(intake: Intake, body: bytes) -> bytes:
    try:
        if len(body) <= _INLINE_BYTES:
            return decompressed(body, intake.max_request_bytes)
        return await asyncio.to_thread(decompressed, body, intake.max_request_bytes)
    except TooLargeError as error:
        raise status.too_large(str(error)) from None
    except CorruptError as error:
        raise status.malformed(str(error)) from None


def _service(name: str, export: Any) -> grpc.GenericRpcHandler:
    return grpc.method_handlers_generic_handler(name, {"Export": grpc.unary_unary_rpc_method_handler(export)})


async def _abort(context: grpc.aio.ServicerContext[Any, Any], refusal: status.Refusal) -> None:
    details = (("grpc-status-details-bin", refusal.as_status().SerializeToString()),)
    await context.abort(_CODES[refusal.code], refusal.message, trailing_metadata=details)
