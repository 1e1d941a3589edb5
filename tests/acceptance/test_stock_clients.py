"""Unchanged applications: the openai package under three stock instrumentations, over gRPC and HTTP, through a real collector."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from collector.bench.processes import AT_ONCE, Installation
from leewatch.config import Settings
from leewatch.storage.client import address, connect
from leewatch.testing.openai_server import ANSWER, FIRST_TOKEN_SECONDS, OpenAIServer

CLIENT = Path(__file__).with_name("stock_client.py")
CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
LATEST = {"OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental"}
MODES = {
    "openai-v2": {CONTENT: "true"},
    "openai-v2 span_only": {**LATEST, CONTENT: "span_only"},
    "openai-v2 event_only": {**LATEST, CONTENT: "event_only", "OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT": "true"},
    "openai-v2 span_and_event": {**LATEST, CONTENT: "span_and_event", "OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT": "true"},
    "openinference": {},
    "openllmetry": {"TRACELOOP_TRACE_CONTENT": "true", "TRACELOOP_TELEMETRY": "false"},
}
CASES = [
    *[(mode, protocol) for mode in ("openai-v2", "openinference", "openllmetry") for protocol in ("grpc", "http")],
    *[(mode, "grpc") for mode in MODES if mode.startswith("openai-v2 ")],
]
WAIT_SECONDS = 30.0


@pytest.fixture(scope="module")
def running(store: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    where = address(store)
    dsn = f"http://{where.user}:{where.password}@{where.host}:{where.port}/{where.database}"
    keys = {"STORAGE__DSN": dsn, **AT_ONCE}
    installation = Installation(tmp_path_factory.mktemp("acceptance") / "data", keys)
    installation.start("collector")
    yield installation
    installation.close()


@pytest.fixture(scope="module")
def openai_server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


def spans_of(store: Settings, service: str) -> dict[str, dict[str, Any]]:
    """The normalized spans of a service with their content, by `chat`, `stream` and `embedding`, once all three are there."""
    client = connect(store)
    query = (
        "SELECT * FROM llm_spans AS s LEFT JOIN span_content AS c USING (project, trace_id, span_id) "
        "WHERE service = {service:String} ORDER BY ts"
    )
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        rows = list(client.query(query, parameters={"service": service}).named_results())
        complete = len(rows) >= 3 and all(row["prompt_text"] for row in rows if row["kind"] == "llm")
        if complete or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    client.close()
    chats = [row for row in rows if row["kind"] == "llm"]
    others = [row for row in rows if row["kind"] != "llm"]
    assert [len(chats), [row["kind"] for row in others]] == [2, ["embedding"]], rows
    return {"chat": chats[0], "stream": chats[1], "embedding": others[0]}


@pytest.mark.parametrize(("mode", "protocol"), CASES)
def test_prompt_response_model_tokens_and_latency_arrive(
    mode: str, protocol: str, store: Settings, running: Installation, openai_server: OpenAIServer
) -> None:
    service = f"{mode.replace(' ', '-')}-{protocol}"
    prompt = f"When does the ferry leave for {service}?"
    endpoint = running.grpc_target if protocol == "grpc" else running.http_url
    began = time.monotonic()
    subprocess.run(
        [sys.executable, str(CLIENT), mode.split()[0], protocol, endpoint, openai_server.base_url, service, prompt],
        env={**os.environ, **MODES[mode]},
        check=True,
        timeout=120,
    )
    elapsed_ms = (time.monotonic() - began) * 1000
    found = spans_of(store, service)
    for kind in ("chat", "stream"):
        row = found[kind]
        assert (row["provider"], row["request_model"], row["response_model"]) == (
            "openai",
            "small-1",
            "small-1-2026-01-01",
        )
        assert (row["prompt_text"], row["response_text"]) == (prompt, ANSWER)
        assert row["system_instructions"] == "Answer in one sentence."
        assert [message["role"] for message in json.loads(row["output_messages"])] == ["assistant"]
        words = len(f"Answer in one sentence. {prompt}".split())
        assert (row["input_tokens"], row["output_tokens"], row["total_tokens"]) == (
            words,
            len(ANSWER.split()),
            words + len(ANSWER.split()),
        )
        assert row["temperature"] == pytest.approx(0.2)
        assert 0 < row["duration_ms"] < elapsed_ms
        assert row["status"] in ("OK", "UNSET")
    assert found["stream"]["duration_ms"] >= FIRST_TOKEN_SECONDS * 1000
    assert (found["embedding"]["model"], found["embedding"]["input_tokens"]) == ("vectors-1", 2)
