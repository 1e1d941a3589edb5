"""Both processes of the ingest path are killed ten times under load; every acked span is stored once for its project."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.bench.load import requests
from collector.bench.processes import Installation
from leewatch import projects
from leewatch.storage import queries
from leewatch.storage.client import connect

KILLS_EACH = 5
PROJECTS = ("default", "shop", "web")
SPANS = 16
SEED = random.SystemRandom().randrange(1 << 32)

Ids = set[tuple[str, str, str]]
"""(project, trace id, span id)."""


class Sender(threading.Thread):
    """Sends request after request and repeats each, byte for byte, until it is acked, as an OTLP exporter does."""

    def __init__(self, url: str, seed: int, project: str, key: str) -> None:
        """key: empty to send without one."""
        super().__init__(daemon=True)
        self._project = project
        self._headers = {"Content-Type": "application/x-protobuf", **({"x-api-key": key} if key else {})}
        self.acked: Ids = set()
        self.stopping = threading.Event()
        self._url = url
        self._requests = requests(1 << 30, SPANS, seed, time.time_ns())

    def run(self) -> None:
        with httpx.Client(timeout=5, trust_env=False) as client:
            while not self.stopping.is_set():
                body = next(self._requests)
                while not self._send(client, body):
                    time.sleep(0.02)
                self.acked |= {(self._project, *pair) for pair in ids(body)}
                time.sleep(0.01)

    def _send(self, client: httpx.Client, body: bytes) -> bool:
        try:
            answer = client.post(self._url, content=body, headers=self._headers)
        except httpx.HTTPError:
            return False
        return answer.status_code == 200


def ids(body: bytes) -> set[tuple[str, str]]:
    request = ExportTraceServiceRequest.FromString(body)
    spans = request.resource_spans[0].scope_spans[0].spans
    return {(span.trace_id.hex(), span.span_id.hex()) for span in spans}


def accounting(running: Installation) -> dict[str, Any]:
    answer: dict[str, Any] = httpx.get(f"{running.http_url}/accounting", timeout=10, trust_env=False).json()
    parts = ("stored", "duplicate", "rejected", "dead_lettered", "spooled")
    assert answer["received"] == sum(answer[name] for name in parts), answer
    return answer


def rows(running: Installation, query: str) -> list[tuple[Any, ...]]:
    client = connect(running.settings)
    try:
        return [tuple(row) for row in client.query(query).result_rows]
    finally:
        client.close()


def new_key(running: Installation, project: str) -> str:
    key = projects.new_key()
    client = connect(running.settings)
    row = {"id": projects.id_of(key), "project": project, "digest": projects.digest(key)}
    client.command(queries.load("projects")["put_key"], parameters=row)
    client.close()
    return key


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path / "data", {"COLLECTOR__FLUSH_SECONDS": 0.2, "STORE__MAX_MEMORY_MB": 1024})
    yield installation
    installation.close()


def test_every_acked_span_is_stored_exactly_once_over_ten_kills(running: Installation) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    running.start("store")
    running.start("collector")
    keys = {project: new_key(running, project) if project != "default" else "" for project in PROJECTS}
    same = rng.getrandbits(32)  # the same bytes from each project
    senders = [Sender(f"{running.http_url}/v1/traces", same, project, key) for project, key in keys.items()]
    for sender in senders:
        sender.start()
    victims = ["store", "collector"] * KILLS_EACH
    rng.shuffle(victims)
    for victim in victims:
        time.sleep(rng.uniform(0.1, 1.2))
        running.kill(victim)
        running.start(victim)
        accounting(running)
    for sender in senders:
        sender.stopping.set()
    for sender in senders:
        sender.join(60)
    acked: Ids = set().union(*(sender.acked for sender in senders))
    deadline = time.monotonic() + 60
    while (account := accounting(running))["spooled"] and time.monotonic() < deadline:
        time.sleep(0.2)
    print(f"{len(acked)} spans acked, {account}")
    assert account["stored"] == len(acked)
    assert account["spooled"] == account["dead_lettered"] == account["rejected"] == 0
    for query in (
        "SELECT Project, TraceId, SpanId FROM otel_traces",
        "SELECT project, trace_id, span_id FROM llm_spans",
    ):
        found = rows(running, query)
        assert len(found) == len(set(found)), f"seed {SEED}: duplicates"
        assert set(found) == acked, (
            f"seed {SEED}: {len(acked - set(found))} lost, {len(set(found) - acked)} never acked"
        )
    expected = {project: sum(sent == project for sent, _, _ in acked) for project in PROJECTS}
    assert dict(rows(running, "SELECT project, sum(spans) FROM batches GROUP BY project")) == expected
    assert {project: part["stored"] for project, part in account["projects"].items()} == expected
