"""Two collectors on one port: both take connections, one account, a killed one loses nothing, a spool is taken over."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from collector.bench.load import requests
from collector.bench.processes import AT_ONCE, LEEWATCH, Installation
from leewatch.testing.waiting import until

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@pytest.fixture
def two(dsn: str, tmp_path: Path) -> Iterator[Installation]:
    running = Installation(tmp_path / "data", {"STORAGE__DSN": dsn, **AT_ONCE, "COLLECTOR__PROCESSES": 2})
    running.start("collector")
    until(lambda: answers(running))
    yield running
    running.close()


def answers(running: Installation) -> bool:
    try:
        running.accounting()
    except (httpx.HTTPError, ValueError):
        return False
    return True


def workers(running: Installation) -> list[int]:
    """Processes that have the port open."""
    parent = running._processes["collector"].pid
    children = [int(child) for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    return [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def send(running: Installation, count: int, seed: int) -> None:
    """So many requests of five spans, half by gRPC, each on a connection of its own."""
    for index, body in enumerate(requests(count, 5, seed, time.time_ns())):
        if index % 2:
            assert running.post(body).status_code == 200
            continue
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(running.grpc_target, options=options) as channel:
            channel.unary_unary(TRACES)(body, timeout=30)


def spooled(running: Installation, number: int) -> int:
    directory = running.data / (f"spool.{number}" if number else "spool")
    return sum(path.stat().st_size for path in directory.glob("traces/*.seg"))


def test_both_take_connections_and_any_answers_for_both(two: Installation, rows: Callable[[str], Any]) -> None:
    send(two, 40, seed=1)
    assert spooled(two, 0) > 2000
    assert spooled(two, 1) > 2000
    until(lambda: two.accounting()["stored"] == 200)
    assert {two.accounting()["received"] for _ in range(10)} == {200}
    for _ in range(6):
        text = httpx.get(f"{two.http_url}/metrics", trust_env=False).text
        families = {family.name: family for family in text_string_to_metric_families(text)}
        outcomes = {
            (s.labels["signal"], s.labels["outcome"]): s.value for s in families["leewatch_collector_items"].samples
        }
        assert (outcomes["traces", "received"], outcomes["traces", "stored"]) == (200, 200)
        accepted = [s.value for s in families["leewatch_collector_requests"].samples if s.labels["signal"] == "traces"]
        assert sum(accepted) == 40
        assert families["leewatch_ready"].samples[0].value == 1
    assert rows("SELECT count(), uniqExact(TraceId, SpanId) FROM otel_traces") == [(200, 200)]


def test_one_that_is_killed_is_started_again_and_loses_nothing(two: Installation, rows: Callable[[str], Any]) -> None:
    two.environment["LEEWATCH_COLLECTOR__FLUSH_SECONDS"] = "0.05"
    send(two, 20, seed=2)
    before = workers(two)
    assert len(before) == 2
    for pid in before:
        send(two, 6, seed=pid)
        os.kill(pid, signal.SIGKILL)
        until(lambda pid=pid: pid not in workers(two) and len(workers(two)) == 2, 30)
        until(lambda: answers(two), 30)
    send(two, 10, seed=3)
    until(lambda: two.accounting()["stored"] == 210)
    assert two.accounting()["received"] == 210
    assert rows("SELECT count(), uniqExact(TraceId, SpanId) FROM otel_traces") == [(210, 210)]
    pids = workers(two)
    assert two.stop("collector") == 0
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_the_spool_of_one_that_is_no_more_is_delivered(dsn: str, tmp_path: Path, rows: Callable[[str], Any]) -> None:
    away = {"STORAGE__DSN": "http://u:p@127.0.0.1:9/leewatch", **AT_ONCE, "COLLECTOR__PROCESSES": 2}
    running = Installation(tmp_path / "data", away)
    try:
        running.start("collector")
        until(lambda: answers(running))
        send(running, 40, seed=4)
        assert spooled(running, 1) > 2000
        assert running.accounting()["spooled"] == 200
        running.stop("collector")
        running.environment |= {"LEEWATCH_COLLECTOR__PROCESSES": "1", "LEEWATCH_STORAGE__DSN": dsn}
        running.start("collector")
        until(lambda: running.accounting()["stored"] == 200)
        assert running.accounting()["received"] == 200
        assert rows("SELECT count(), uniqExact(TraceId, SpanId) FROM otel_traces") == [(200, 200)]
    finally:
        running.close()


def test_another_installation_does_not_share_the_port(two: Installation, tmp_path: Path) -> None:
    other = Installation(tmp_path / "other", {"COLLECTOR__PROCESSES": 2})
    other.environment["LEEWATCH_COLLECTOR__HTTP_PORT"] = two.environment["LEEWATCH_COLLECTOR__HTTP_PORT"]
    other.data.mkdir()
    done = subprocess.run(
        [LEEWATCH, "run", "collector"],
        env={**other._outside(), **other.environment, "LEEWATCH_DATA": str(other.data)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "collector.http_port" in done.stderr
