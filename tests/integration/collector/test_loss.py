"""Nothing that was acked is lost, whatever the database answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.bench.load import requests
from collector.bench.processes import Installation
from leewatch.config import Settings
from leewatch.storage.client import connect

PROTOBUF = {"Content-Type": "application/x-protobuf"}


def load(spans: int, seed: int, poison: int | None = None) -> bytes:
    """A request; the span of this index is named as no view or regular expression takes it."""
    (body,) = requests(1, spans, seed, time.time_ns())
    if poison is None:
        return body
    request = ExportTraceServiceRequest.FromString(body)
    request.resource_spans[0].scope_spans[0].spans[poison].name = "("
    return request.SerializeToString()


def post(running: Installation, body: bytes) -> None:
    answer = httpx.post(f"{running.http_url}/v1/traces", content=body, headers=PROTOBUF, timeout=30, trust_env=False)
    assert answer.status_code == 200


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


def account(running: Installation) -> dict[str, Any]:
    answer = running.accounting()
    parts = ("stored", "duplicate", "rejected", "dead_lettered", "spooled")
    assert answer["received"] == sum(answer[name] for name in parts), answer
    return answer


def rows(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    client = connect(settings)
    try:
        return [tuple(row) for row in client.query(query).result_rows]
    finally:
        client.close()


@contextmanager
def constraint(settings: Settings, table: str, check: str) -> Iterator[None]:
    client = connect(settings)
    client.command(f"ALTER TABLE {table} ADD CONSTRAINT odd CHECK {check}")
    try:
        yield
    finally:
        client.command(f"ALTER TABLE {table} DROP CONSTRAINT odd")
        client.close()


def test_an_unknown_error_holds_up_no_other_segment_and_costs_only_the_culprit(
    installation: Installation, database: Settings
) -> None:
    # 427, CANNOT_COMPILE_REGEXP, is in neither list of codes.
    with constraint(database, "otel_traces", "match('x', SpanName) < 2"):
        post(installation, load(8, 1, poison=3))
        until(lambda: "set aside" in installation.log("collector").read_text())
        post(installation, load(5, 2))
        until(lambda: account(installation)["stored"] == 5)
        assert account(installation)["spooled"] == 8
        until(lambda: account(installation)["spooled"] == 0)
    assert account(installation) == {**account(installation), "stored": 12, "dead_lettered": 1}
    for table in ("otel_traces", "llm_spans"):
        assert rows(database, f"SELECT count() FROM {table}") == [(12,)]
    ((reason,),) = rows(database, "SELECT reason FROM dead_letters")
    assert reason.startswith("Code: 427")
