"""ClickHouse's HTTP interface over the embedded engine, as an ASGI application.

A query occupies one of the engine's worker threads while the engine works for it, not while its client reads: a slow
reader holds up nobody. A client that goes away has its query stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from leewatch.instruments import CONTENT_TYPE, READY, Registry
from leewatch.storage.embedded import metrics as m
from leewatch.storage.embedded.access import Access
from leewatch.storage.embedded.blocks import BlockCompressor
from leewatch.storage.embedded.codecs import Compressor, choose, compressor
from leewatch.storage.embedded.engine import Engine, Job, Work
from leewatch.storage.embedded.faults import ACCESS_DENIED, TOO_MANY_QUERIES, QueryError
from leewatch.storage.embedded.request import Asked, data_file, flag, understand
from leewatch.storage.embedded.statement import parse

log = logging.getLogger(__name__)
T = TypeVar("T")

MAX_OPEN_QUERIES = 100
WHOLE_BYTES = 32 * 1024 * 1024
DRAINED_BYTES = 32 * 1024 * 1024
DRAIN_SECONDS = 3.0
READY_SECONDS = 3.0
_TYPES = {
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "Native": "application/octet-stream",
}


class _Body:
    """The request's messages, and whether its body has come to an end."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.ended = False

    async def __call__(self) -> Message:
        message = await self._receive()
        self.ended = self.ended or message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """Reads what is left, within limits: a client that still sends would not see the answer that refuses it."""
        left = DRAINED_BYTES
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                while not self.ended and left > 0:
                    left -= len((await self()).get("body", b""))


class _GoneError(Exception):
    """The client has closed its connection."""


class QueryEndpoint:
    """Answers `/`: authenticates, runs the query, streams the result."""

    def __init__(self, engine: Engine, access: Access, database: str, data: Path, threads: int) -> None:
        self._engine = engine
        self._access = access
        self._database = database
        self._data = data
        self._workers = ThreadPoolExecutor(threads, "query")
        self._control = ThreadPoolExecutor(1, "kill")
        self._open = 0
        self.registry = Registry(m.ALL, "store")
        self.registry.set(m.OPEN_LIMIT, MAX_OPEN_QUERIES)
        self.registry.set(READY, 1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = _Body(receive)
        request = Request(scope, body)
        query_id = request.query_params.get("query_id") or str(uuid.uuid4())
        answer = Answer(send, query_id, self._engine)
        target = data_file(self._engine.scratch_file(), self._data)
        self._open += 1
        outcome, began = "failed", time.perf_counter()
        try:
            if self._open > MAX_OPEN_QUERIES:
                raise QueryError(TOO_MANY_QUERIES, "Too many open queries", "TOO_MANY_SIMULTANEOUS_QUERIES")
            self._access.check_origin(request.headers)
            self._access.check_user(request.headers, request.query_params)
            answer.blocks = flag(request.query_params.get("compress"))
            asked = await understand(request, self._database, query_id, target)
            target.close()
            await self._run(asked, body, answer)
            outcome = "ok"
        except QueryError as error:
            await body.drain()
            await answer.fail(error)
        except _GoneError:
            outcome = "abandoned"
            log.info("query %s: the client went away, stopped", query_id)
        finally:
            self._open -= 1
            self.registry.add(m.QUERIES, outcome=outcome)
            self.registry.observe(m.QUERY_SECONDS, time.perf_counter() - began)
            target.remove()

    async def _run(self, asked: Asked, receive: Receive, answer: Answer) -> None:
        job = Job(self._engine, asked.work)
        gone = asyncio.create_task(_disconnect(receive))
        try:
            beginning = await self._step(job, job.begin, gone)
            answer.expect(asked, job)
            for piece in beginning:
                await answer.add(piece)
            while not job.closed and (further := await self._step(job, job.step, gone)) is not None:
                await answer.add(further)
            await answer.end()
        finally:
            gone.cancel()
            if not job.closed:
                await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._workers, job.close))

    async def _step(self, job: Job, act: Callable[[], T], gone: asyncio.Task[None]) -> T:
        """The result of `act` on a worker thread; stops the query and raises _GoneError when the client leaves."""
        running = self._workers.submit(act)
        future = asyncio.wrap_future(running)
        waited: set[asyncio.Future[Any]] = {future, gone}
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Asked of the worker's future: asyncio's own says that it cancelled what in truth runs on.
            if not running.done() and not running.cancel():
                loop = asyncio.get_running_loop()
                await asyncio.shield(loop.run_in_executor(self._control, job.kill))
                await asyncio.wait({future})
                with contextlib.suppress(QueryError):
                    future.result()
        if gone.done():
            raise _GoneError
        return future.result()

    def metrics(self) -> str:
        """All metrics in Prometheus' text format."""
        self.registry.set(m.OPEN, self._open)
        return self.registry.render()

    async def probe(self) -> None:
        """Runs a query of no cost. Raises QueryError (202, HTTP 503) when no worker is free within seconds."""
        job = Job(self._engine, Work(parse("SELECT 1"), self._database, "TabSeparated"))
        running = asyncio.get_running_loop().run_in_executor(self._workers, job.begin)
        try:
            await asyncio.wait_for(running, READY_SECONDS)
        except TimeoutError:
            raise QueryError(TOO_MANY_QUERIES, "No worker is free", "TOO_MANY_SIMULTANEOUS_QUERIES") from None

    def close(self) -> None:
        """Waits for the queries that run."""
        self._workers.shutdown()
        self._control.shutdown()


class Answer:
    """One HTTP response. Headers leave with the first piece, or with the last when the whole was asked for.

    blocks: the body, an error's text too, is ClickHouse's compressed blocks, as clients of `compress=1` expect it.
    """

    def __init__(self, send: Send, query_id: str, engine: Engine) -> None:
        self._send = send
        self._query_id = query_id
        self._engine = engine
        self._tag = secrets.token_hex(8)
        self._begun = time.monotonic_ns()
        self._asked: Asked | None = None
        self._job: Job | None = None
        self._compressor: Compressor | None = None
        self._coding = ""
        self._blocks = BlockCompressor()
        self.blocks = False
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._sent = False

    def expect(self, asked: Asked, job: Job) -> None:
        """Names what is answered, before the first piece."""
        self._asked, self._job = asked, job
        self._coding = choose(asked.accept) if asked.format else ""
        self._compressor = compressor(self._coding) if self._coding else None

    async def add(self, piece: bytes) -> None:
        """Sends a piece of the result, or holds it while the whole was asked for and fits into 32 MB."""
        piece = self._encoded(piece)
        self._held.append(piece)
        self._held_bytes += len(piece)
        whole = self._asked is not None and self._asked.whole
        if not whole or self._held_bytes > WHOLE_BYTES:
            await self._flush(more=True)

    def _encoded(self, piece: bytes) -> bytes:
        if self.blocks:
            piece = self._blocks.compress(piece)
        return piece if self._compressor is None else self._compressor.compress(piece)

    async def end(self) -> None:
        """Sends what is left."""
        if self._compressor is not None:
            self._held.append(self._compressor.flush())
        await self._flush(more=False)

    async def fail(self, error: QueryError) -> None:
        """Answers with the exception; once the headers have left, by ClickHouse's tagged block at the body's end."""
        log.debug("query %s failed: %s", self._query_id, error.text)
        text = f"{error.text} (version {self._engine.version} (embedded))\n"
        if not self._sent:
            headers = self._headers() | {"content-type": "text/plain; charset=UTF-8"}
            headers["x-clickhouse-exception-code"] = str(error.code)
            if error.status == 401:
                headers["www-authenticate"] = 'Basic realm="ClickHouse"'
            await self._send(_start(error.status, headers))
            body = self._blocks.compress(text.encode()) if self.blocks else text.encode()
            await self._send({"type": "http.response.body", "body": body})
            return
        block = (
            f"\r\n__exception__\r\n{self._tag}\r\n{text}{len(text.encode())} {self._tag}\r\n__exception__\r\n".encode()
        )
        self._held = [self._encoded(block) + (self._compressor.flush() if self._compressor else b"")]
        await self._flush(more=False)

    async def _flush(self, more: bool) -> None:
        body = b"".join(self._held)
        self._held, self._held_bytes = [], 0
        if not self._sent:
            self._sent = True
            headers = self._headers()
            if self._coding:
                headers["content-encoding"] = self._coding
            if not more:
                headers["content-length"] = str(len(body))
            await self._send(_start(200, headers))
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    def _headers(self) -> dict[str, str]:
        headers = {
            "x-clickhouse-query-id": self._query_id,
            "x-clickhouse-timezone": self._engine.timezone,
            "x-clickhouse-server-display-name": "leewatch",
            "x-clickhouse-exception-tag": self._tag,
            "x-clickhouse-summary": self._summary(),
        }
        shown = self._asked.format if self._asked else ""
        headers["content-type"] = _TYPES.get(shown, "text/plain; charset=UTF-8")
        if shown:
            headers["x-clickhouse-format"] = shown
        return headers

    def _summary(self) -> str:
        counters = self._job.counters if self._job else None
        numbers = {
            "read_rows": counters.read_rows if counters else 0,
            "read_bytes": counters.read_bytes if counters else 0,
            "written_rows": counters.written_rows if counters else 0,
            "written_bytes": counters.written_bytes if counters else 0,
            "elapsed_ns": time.monotonic_ns() - self._begun,
        }
        return json.dumps({name: str(number) for name, number in numbers.items()}, separators=(",", ":"))


def _start(status: int, headers: dict[str, str]) -> Message:
    raw = [(name.encode("latin-1"), _clean(value).encode("latin-1", "replace")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": raw}


def _clean(value: str) -> str:
    """A header value without line breaks: nothing a client sent may begin a header of its own."""
    return value.replace("\r", " ").replace("\n", " ")


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def application(endpoint: QueryEndpoint, access: Access) -> Starlette:
    """The interface: `/`; `/ping`, `/healthz` and `/readyz` need no password, but the right Host.

    `/readyz` answers 200 once a query has run on a worker, 503 when none was free in time.
    """

    async def ping(request: Request) -> Response:
        try:
            access.check_origin(request.headers)
        except QueryError as error:
            return PlainTextResponse(error.text + "\n", error.status)
        return PlainTextResponse("Ok.\n", media_type="text/html; charset=UTF-8")

    async def readyz(request: Request) -> Response:
        try:
            access.check_origin(request.headers)
            await endpoint.probe()
        except QueryError as error:
            return PlainTextResponse(error.text + "\n", max(error.status, 500) if error.code != ACCESS_DENIED else 403)
        return JSONResponse({"ready": True})

    async def metrics(request: Request) -> Response:
        try:
            access.check_origin(request.headers)
            access.check_user(request.headers, request.query_params)
        except QueryError as error:
            return PlainTextResponse(error.text + "\n", error.status, {"www-authenticate": 'Basic realm="ClickHouse"'})
        return Response(endpoint.metrics(), headers={"content-type": CONTENT_TYPE})

    return Starlette(
        routes=[
            Route("/metrics", metrics),
            Route("/ping", ping),
            Route("/healthz", ping),
            Route("/readyz", readyz),
            Route("/", endpoint, methods=["GET", "HEAD", "POST", "OPTIONS"]),
        ]
    )
