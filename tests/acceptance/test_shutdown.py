"""SIGTERM ends store and collector within 10 s, whatever hangs on them, and loses nothing that was acknowledged."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from collector.bench.processes import AT_ONCE, Installation
from leewatch.storage.client import address
from leewatch.testing import otlp

LIMIT_SECONDS = 10.0
PROTOBUF = {"content-type": "application/x-protobuf"}


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path / "data", {**AT_ONCE})
    made.start("store")
    yield made
    made.close()


def stopped_within_the_limit(installation: Installation, role: str) -> None:
    begun = time.monotonic()
    assert installation.stop(role) == 0, installation.log(role).read_text()[-2000:]
    assert time.monotonic() - begun < LIMIT_SECONDS


def send(installation: Installation, spans: int) -> None:
    body = otlp.traces([{"name": "chat"} for _ in range(spans)]).SerializeToString()
    answer = httpx.post(
        f"{installation.http_url}/v1/traces", content=body, headers=PROTOBUF, timeout=30, trust_env=False
    )
    assert answer.status_code == 200


def test_a_store_with_an_endless_query_and_a_stalled_reader_ends_in_time(installation: Installation) -> None:
    where = address(installation.settings)
    open_sockets = []
    for query in (
        "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1",
        "SELECT * FROM system.numbers",
    ):
        raw = socket.create_connection((where.host, where.port))
        head = f"POST /?user={where.user}&password={where.password} HTTP/1.1\r\nHost: localhost\r\n"
        raw.sendall(f"{head}Content-Length: {len(query)}\r\n\r\n{query}".encode())
        open_sockets.append(raw)
    half = socket.create_connection((where.host, where.port))
    half.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nSELECT")
    time.sleep(1.0)
    ready = httpx.get(f"http://{where.host}:{where.port}/readyz", timeout=10, trust_env=False)
    assert (ready.status_code, ready.json()) == (200, {"ready": True})
    stopped_within_the_limit(installation, "store")
    for raw in (*open_sockets, half):
        raw.close()


def test_a_collector_with_a_full_spool_and_a_paused_store_ends_in_time_and_delivers_later(
    installation: Installation,
) -> None:
    installation.start("collector")
    send(installation, 10)
    store = installation._processes["store"].pid
    os.kill(store, signal.SIGSTOP)
    try:
        for _ in range(5):
            send(installation, 200)
        slow = socket.create_connection(("127.0.0.1", installation.settings.collector.http_port))
        slow.sendall(
            b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 9\r\n\r\n"
        )
        page = httpx.get(f"{installation.http_url}/metrics", timeout=10, trust_env=False).text
        families = {family.name: family for family in text_string_to_metric_families(page)}
        assert families["leewatch_collector_items"].type == "counter"
        assert families["leewatch_collector_ack_seconds"].type == "histogram"
        spooled = {s.labels["signal"]: s.value for s in families["leewatch_collector_spooled_items"].samples}
        assert spooled["traces"] >= 1000
        stopped_within_the_limit(installation, "collector")
        slow.close()
    finally:
        os.kill(store, signal.SIGCONT)
    installation.start("collector")
    deadline = time.monotonic() + 30
    while installation.accounting()["stored"] < 1010 and time.monotonic() < deadline:
        time.sleep(0.1)
    account = installation.accounting()
    assert (account["received"], account["stored"], account["spooled"]) == (1010, 1010, 0)
