"""A collector that tells about itself to itself: stored, scored by nobody, and not without end."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from collector.bench.load import requests
from collector.bench.processes import AT_ONCE, Installation
from leewatch.testing.waiting import until

SECRET = "k3y-that-nobody-sees"
OWN = "SELECT count() FROM otel_traces WHERE ServiceName = 'leewatch'"


@pytest.mark.parametrize("protocol", ["grpc", pytest.param("http/protobuf", marks=pytest.mark.slow)])
def test_its_own_telemetry_is_stored_and_makes_no_more_of_itself(
    dsn: str, rows: Callable[[str], Any], tmp_path: Path, protocol: str
) -> None:
    running = Installation(tmp_path / "data", {"STORAGE__DSN": dsn, **AT_ONCE})
    section = running.settings.collector
    port = section.grpc_port if protocol == "grpc" else section.http_port
    config = tmp_path / "leewatch.yaml"
    config.write_text(
        f"telemetry: {{enabled: true, endpoint: 'http://127.0.0.1:{port}', protocol: {protocol}, "
        f"headers: {{x-secret: {SECRET}}}, metrics_seconds: 0.5}}"
    )
    running.environment |= {"LEEWATCH_CONFIG": str(config), "OTEL_BSP_SCHEDULE_DELAY": "200"}
    try:
        running.start("collector")
        for body in requests(3, 5, 1, time.time_ns()):
            assert running.post(body).status_code == 200
            until(lambda: running.accounting()["spooled"] == 0)
        until(lambda: rows(OWN)[0][0] >= 1)
        until(lambda: rows("SELECT count() FROM otel_metrics_sum WHERE ServiceName = 'leewatch'")[0][0] > 0)
        until(lambda: running.accounting()["spooled"] == 0)
        time.sleep(1)
        before = rows(OWN)
        time.sleep(3)  # fifteen exports' time: a loop would show
        assert rows(OWN) == before
        assert 1 <= before[0][0] <= 3
        assert rows(
            "SELECT DISTINCT SpanName, ResourceAttributes['leewatch.role'] FROM otel_traces WHERE ServiceName = 'leewatch'"
        ) == [("insert batch", "collector")]
        assert rows("SELECT DISTINCT service FROM llm_spans") == [("bench",)]
        for table in ("otel_traces", "otel_metrics_sum", "otel_metrics_gauge", "otel_metrics_histogram"):
            told = str(rows(f"SELECT * FROM {table} WHERE ServiceName = 'leewatch'"))
            assert SECRET not in told
            assert dsn not in told
            assert dsn.split(":")[2].split("@")[0] not in told
        assert running.stop("collector") == 0
    finally:
        running.close()
