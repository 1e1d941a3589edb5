"""Rotel, a real OpenTelemetry collector: it writes into the store itself, and it forwards OTLP to our collector."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from clickhouse_connect.driver.client import Client

from collector.bench.processes import AT_ONCE, Installation, free_ports
from leewatch.config import Settings
from leewatch.storage.client import address, connect
from leewatch.testing import otlp
from leewatch.testing.waiting import until

WAIT_SECONDS = 30.0
PACKAGE = importlib.util.find_spec("rotel")
AGENT = Path(PACKAGE.origin).with_name("rotel-agent") if PACKAGE is not None and PACKAGE.origin else None
pytestmark = pytest.mark.skipif(AGENT is None or not AGENT.is_file(), reason="needs Rotel: pip install rotel")

CONTEXT = {"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331"}
SPAN = {
    **CONTEXT,
    "name": "chat small-1",
    "attributes": {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "small-1",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 9,
    },
}
RECORD = {
    **CONTEXT,
    "event_name": "gen_ai.client.inference.operation.details",
    "attributes": {
        "gen_ai.input.messages": [
            {"role": "user", "parts": [{"type": "text", "content": "When does the ferry leave?"}]}
        ],
        "gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "text", "content": "At 08:10."}]}],
    },
}


@contextlib.contextmanager
def rotel(log: Path, *arguments: str) -> Iterator[str]:
    """A running Rotel that takes OTLP/HTTP at the given URL."""
    grpc, http = free_ports(2)
    command = [str(AGENT), "start", "--otlp-grpc-endpoint", f"127.0.0.1:{grpc}", "--otlp-http-endpoint"]
    command += [f"127.0.0.1:{http}", "--batch-timeout", "100ms", *arguments]
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            url = f"http://127.0.0.1:{http}"
            deadline = time.monotonic() + WAIT_SECONDS
            while time.monotonic() < deadline and process.poll() is None:
                with contextlib.suppress(httpx.HTTPError):
                    httpx.get(url, timeout=2, trust_env=False)
                    break
                time.sleep(0.05)
            assert process.poll() is None, log.read_text()
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


def send(url: str) -> None:
    protobuf = {"content-type": "application/x-protobuf"}
    for path, request in (("traces", otlp.traces([SPAN])), ("logs", otlp.logs([RECORD]))):
        body = request.SerializeToString()
        answer = httpx.post(f"{url}/v1/{path}", content=body, headers=protobuf, timeout=30, trust_env=False)
        assert answer.status_code == 200, answer.text


def arrived(client: Client) -> dict[str, Any]:
    """The normalized span with its content, once both are there."""
    query = "SELECT * FROM llm_spans AS s LEFT JOIN span_content AS c USING (project, trace_id, span_id)"
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        rows = list(client.query(query).named_results())
        if (rows and rows[0]["prompt_text"]) or time.monotonic() > deadline:
            return rows[0] if rows else {}
        time.sleep(0.1)


def check(found: dict[str, Any]) -> None:
    names = ("service", "kind", "provider", "model", "input_tokens", "output_tokens", "finish_reason", "trace_id")
    expected = ("shop", "llm", "openai", "small-1", 12, 9, ["stop"], CONTEXT["trace_id"])
    assert tuple(found.get(name) for name in names) == expected, found
    assert (found["prompt_text"], found["response_text"]) == ("When does the ferry leave?", "At 08:10.")
    assert json.loads(found["output_messages"])[0]["role"] == "assistant"


@pytest.mark.parametrize("compression", ["lz4", "none"])
def test_rotel_writes_into_the_store_and_its_spans_are_normalized_like_any_other(
    compression: str, database: Settings, tmp_path: Path
) -> None:
    where = address(database)
    exporter = [
        *("--exporter", "clickhouse", "--clickhouse-exporter-endpoint", f"http://{where.host}:{where.port}"),
        *("--clickhouse-exporter-database", where.database, "--clickhouse-exporter-user", where.user),
        *("--clickhouse-exporter-password", where.password, "--clickhouse-exporter-compression", compression),
    ]
    client = connect(database)
    with rotel(tmp_path / "rotel.log", *exporter) as url:
        send(url)
        check(arrived(client))
    client.close()


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_rotel_forwards_otlp_to_the_collector(protocol: str, database: Settings, tmp_path: Path) -> None:
    where = address(database)
    dsn = f"http://{where.user}:{where.password}@{where.host}:{where.port}/{where.database}"
    installation = Installation(tmp_path / "data", {"STORAGE__DSN": dsn, **AT_ONCE})
    installation.start("collector")
    endpoint = installation.http_url if protocol == "http" else f"http://{installation.grpc_target}"
    client = connect(database)
    exporter = ["--exporter", "otlp", "--otlp-exporter-protocol", protocol, "--otlp-exporter-endpoint", endpoint]
    try:
        with rotel(tmp_path / "rotel.log", *exporter) as url:
            send(url)
            check(arrived(client))
            until(lambda: installation.accounting()["stored"] == 1, WAIT_SECONDS)
            assert installation.accounting()["received"] == 1
    finally:
        client.close()
        installation.close()
