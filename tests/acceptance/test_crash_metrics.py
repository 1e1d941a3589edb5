"""Collector and store are killed while data points of two kinds arrive; every acked point is stored exactly once."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from collector.bench.processes import Installation
from leewatch.storage.client import connect
from leewatch.testing import otlp

KILLS = ("store", "collector", "store", "collector")
POINTS = 8
SEED = random.SystemRandom().randrange(1 << 32)


class Sender(threading.Thread):
    """Repeats each request, byte for byte, until it is acked. Points are numbered; `acked` has the numbers."""

    def __init__(self, url: str, first: int) -> None:
        super().__init__(daemon=True)
        self.acked: set[int] = set()
        self.stopping = threading.Event()
        self._url = url
        self._numbers = itertools.count(first)

    def run(self) -> None:
        with httpx.Client(timeout=5, trust_env=False) as client:
            while not self.stopping.is_set():
                numbers = [next(self._numbers) for _ in range(POINTS)]
                body = self._request(numbers)
                while not self._send(client, body):
                    time.sleep(0.02)
                self.acked.update(numbers)
                time.sleep(0.01)

    def _request(self, numbers: list[int]) -> bytes:
        gauges = [{"as_int": number} for number in numbers[::2]]
        distributions = [{"count": 2, "sum": float(number), "bucket_counts": [2]} for number in numbers[1::2]]
        request = otlp.metrics(
            [
                {"name": "level", "kind": "gauge", "points": gauges},
                {"name": "duration", "kind": "histogram", "temporality": 1, "points": distributions},
            ]
        )
        return request.SerializeToString()

    def _send(self, client: httpx.Client, body: bytes) -> bool:
        try:
            answer = client.post(self._url, content=body, headers={"Content-Type": "application/x-protobuf"})
        except httpx.HTTPError:
            return False
        return answer.status_code == 200


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path / "data", {"COLLECTOR__FLUSH_SECONDS": 0.2, "STORE__MAX_MEMORY_MB": 1024})
    yield installation
    installation.close()


@pytest.mark.slow
def test_every_acked_data_point_is_stored_exactly_once_over_kills(running: Installation) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    running.start("store")
    running.start("collector")
    senders = [Sender(f"{running.http_url}/v1/metrics", first * 10**9) for first in range(2)]
    for sender in senders:
        sender.start()
    for victim in KILLS:
        time.sleep(rng.uniform(0.1, 1.2))
        running.kill(victim)
        running.start(victim)
    for sender in senders:
        sender.stopping.set()
    for sender in senders:
        sender.join(60)
    acked = set().union(*(sender.acked for sender in senders))
    deadline = time.monotonic() + 60
    while (account := running.accounting()["metrics"])["spooled"] and time.monotonic() < deadline:
        time.sleep(0.2)
    print(f"{len(acked)} points acked, {account}")
    assert account["stored"] == len(acked)
    assert account["received"] == account["stored"] + account["duplicate"]
    client = connect(running.settings)
    query = "SELECT toUInt64(Value) FROM otel_metrics_gauge UNION ALL SELECT toUInt64(Sum) FROM otel_metrics_histogram"
    found = [number for (number,) in client.query(query).result_rows]
    ledger = client.query("SELECT sum(spans) FROM batches WHERE signal = 'metrics'").result_rows
    client.close()
    assert len(found) == len(set(found)), f"seed {SEED}: duplicates"
    assert set(found) == acked, f"seed {SEED}: {len(acked - set(found))} lost, {len(set(found) - acked)} never acked"
    assert ledger == [(len(acked),)]
