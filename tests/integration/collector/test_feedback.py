"""Feedback over HTTP becomes scores, durably and once in effect; limits hold for it and for spans, over both transports."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from collector.bench.load import requests
from collector.bench.processes import Installation
from leewatch.testing import otlp
from leewatch.testing.waiting import until

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
TRACE, SPAN = "ab" * 16, "cd" * 8


def give(running: Installation, *items: dict[str, Any], **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(f"{running.http_url}/v1/feedback", json=list(items), headers=named, trust_env=False, timeout=30)


def test_feedback_scores_its_span_and_the_later_wins(installation: Installation, rows: Callable[[str], Any]) -> None:
    span = otlp.traces([{"trace_id": TRACE, "span_id": SPAN, "attributes": {"gen_ai.operation.name": "chat"}}])
    headers = {"content-type": "application/x-protobuf"}
    url = f"{installation.http_url}/v1/traces"
    assert httpx.post(url, content=span.SerializeToString(), headers=headers, trust_env=False).status_code == 200
    until(lambda: installation.accounting()["stored"] == 1)
    item = {"trace_id": TRACE, "span_id": SPAN, "name": "helpful", "user_id": "u1"}
    assert give(installation, {**item, "score": 1}).json() == {"accepted": 1, "rejected": []}
    assert give(installation, {**item, "score": 0, "comment": "wrong"}, {"name": "x"}).json() == {
        "accepted": 1,
        "rejected": [
            {
                "index": 1,
                "reason": "trace_id, session_id or response_id: expected one, to know what the feedback is about",
            }
        ],
    }
    assert give(installation, {**item, "score": 1, "user_id": "u2"}).status_code == 200
    assert give(installation, {"name": "x"}).status_code == 400
    until(lambda: installation.accounting()["logs"]["stored"] == 3)
    assert rows("SELECT scorer, value, explanation, source, target, span_id FROM scores FINAL ORDER BY scorer") == [
        ("u1", 0.0, "wrong", "human", "span", SPAN),
        ("u2", 1.0, "", "human", "span", SPAN),
    ]


def test_the_same_idempotency_key_counts_once_and_feedback_survives_a_kill(
    tmp_path: Path, dsn: str, rows: Callable[[str], Any]
) -> None:
    running = Installation(tmp_path / "data", {"STORAGE__DSN": dsn, "COLLECTOR__FLUSH_SECONDS": 30})
    try:
        running.start("collector")
        item = {"session_id": "s", "name": "solved", "score": True}
        for _ in range(2):
            assert give(running, item, Idempotency_Key="k1").status_code == 200
        running.kill("collector")
        running.environment["LEEWATCH_COLLECTOR__FLUSH_SECONDS"] = "0.05"
        running.start("collector")
        assert give(running, item, Idempotency_Key="k1").status_code == 200
        until(lambda: running.accounting()["logs"]["stored"] == 1)
        assert running.accounting()["logs"]["duplicate"] == 2
        assert rows("SELECT session_id, target, name, value FROM scores FINAL") == [("s", "session", "solved", 1.0)]
    finally:
        running.close()


def test_a_project_over_its_limit_is_told_when_to_come_back(tmp_path: Path) -> None:
    running = Installation(tmp_path / "data", {"COLLECTOR__LIMITS__SPANS_PER_SECOND": 10})
    try:
        running.start("collector")
        first, second, third = requests(3, 60, 1, time.time_ns())
        headers = {"content-type": "application/x-protobuf"}
        url = f"{running.http_url}/v1/traces"
        assert httpx.post(url, content=first, headers=headers, trust_env=False).status_code == 200
        answer = httpx.post(url, content=second, headers=headers, trust_env=False)
        assert (answer.status_code, Status.FromString(answer.content).code) == (429, 8)
        assert 1 <= int(answer.headers["retry-after"]) <= 3
        with grpc.insecure_channel(running.grpc_target) as channel, pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(TRACES)(third, timeout=30)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        retry = RetryInfo()
        told = Status.FromString(dict(caught.value.trailing_metadata())["grpc-status-details-bin"])
        assert told.details[0].Unpack(retry)
        assert 1 <= retry.retry_delay.seconds <= 3
        until(lambda: httpx.post(url, content=second, headers=headers, trust_env=False).status_code == 200, 20)
        assert running.accounting()["received"] == 120
    finally:
        running.close()


def test_a_request_of_empty_messages_holds_up_nobody(installation: Installation) -> None:
    headers = {"content-type": "application/x-protobuf"}
    url = f"{installation.http_url}/v1/traces"
    answer = httpx.post(url, content=b"\x0a\x00" * (16 << 20), headers=headers, timeout=60, trust_env=False)
    assert answer.status_code == 413
    assert installation.usage("collector").peak_rss_mb < 350
