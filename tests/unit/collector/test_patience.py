"""Connections that stall are closed, those that are slow or quiet are not."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Sequence

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from collector import patience
from collector.patience import Patient

LIMIT = 0.4
HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n"


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "HEADERS_SECONDS", LIMIT)
    monkeypatch.setattr(patience, "PAUSE_SECONDS", LIMIT)


async def _echo(request: Request) -> Response:
    return Response(await request.body())


async def _late(request: Request) -> Response:
    await request.body()
    await asyncio.sleep(3 * LIMIT)
    return Response(b"late")


def _ask(path: bytes, pieces: Sequence[bytes], pause: float) -> bytes:
    """What comes back to these pieces, until the connection is closed or quiet for some time."""

    async def client(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number, piece in enumerate(pieces):
            if number:
                await asyncio.sleep(pause)
            writer.write(piece.replace(b" / ", b" " + path + b" "))
        found = b""
        with contextlib.suppress(ConnectionError):
            found = await asyncio.wait_for(reader.read(1 << 16), 10)
        writer.close()
        return found

    async def run() -> bytes:
        app = Starlette(routes=[Route("/", _echo, methods=["POST"]), Route("/late", _late, methods=["POST"])])
        server = uvicorn.Server(uvicorn.Config(app, http=Patient, log_level="critical", lifespan="off"))
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            found = await client(listening.getsockname()[1])
            server.should_exit = True
            await serving
        return found

    return asyncio.run(run())


@pytest.mark.parametrize("begun", [b"", b"POST / HTTP/1.1\r\nHost:", HEAD, HEAD + b"abc"])
def test_a_request_that_does_not_go_on_is_given_up(begun: bytes) -> None:
    assert _ask(b"/", [begun], 0) == b""


def test_headers_that_come_byte_by_byte_are_given_up() -> None:
    assert _ask(b"/", [HEAD[at : at + 1] for at in range(20)], LIMIT / 8) == b""


def test_a_body_that_comes_slowly_is_taken() -> None:
    assert _ask(b"/", [HEAD, *(b"%d" % digit for digit in range(6))], LIMIT / 2).endswith(b"012345")


def test_an_answer_that_takes_long_is_waited_for() -> None:
    assert _ask(b"/late", [HEAD + b"abcdef"], 0).endswith(b"late")
