"""API keys from the command line to the row: made, sent by stock exporters, rotated, revoked, and shown nowhere."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter

from collector.bench.load import requests
from collector.bench.processes import AT_ONCE, Installation
from leewatch.config import Settings
from leewatch.storage.client import connect
from leewatch.testing.waiting import until

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@pytest.fixture
def guarded(dsn: str, tmp_path: Path) -> Iterator[Installation]:
    """A running collector that requires keys, on the session's store."""
    keys = {"STORAGE__DSN": dsn, **AT_ONCE, "COLLECTOR__REQUIRE_API_KEY": "true"}
    running = Installation(tmp_path / "data", keys)
    running.start("collector")
    yield running
    running.close()


def created(running: Installation, name: str) -> str:
    done = running.command("projects", "create", name)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def post(running: Installation, headers: dict[str, str], seed: int = 1, kind: str = "x-protobuf") -> httpx.Response:
    body = next(iter(requests(1, 1, seed, time.time_ns()))) if kind == "x-protobuf" else b'{"resourceSpans":[]}'
    return running.post(body, Content_Type=f"application/{kind}", **headers)


def spans_by_project(settings: Settings) -> dict[str, int]:
    client = connect(settings)
    try:
        return dict(client.query("SELECT Project, count() FROM otel_traces GROUP BY Project").result_rows)
    finally:
        client.close()


def send_one(exporter: SpanExporter) -> None:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    provider.get_tracer("t").start_span("chat").end()
    provider.shutdown()


def test_stock_exporters_with_a_key_reach_their_project(guarded: Installation, database: Settings) -> None:
    shop, web = created(guarded, "shop"), created(guarded, "web")
    send_one(GrpcExporter(guarded.grpc_target, insecure=True, headers={"x-api-key": shop}))
    send_one(GrpcExporter(guarded.grpc_target, insecure=True, headers={"authorization": f"Bearer {web}"}))
    send_one(HttpExporter(f"{guarded.http_url}/v1/traces", headers={"authorization": f"Bearer {web}"}))
    until(lambda: spans_by_project(database) == {"shop": 1, "web": 2})
    until(lambda: guarded.accounting()["stored"] == 3)  # a moment after the rows: the ledger is read
    account = guarded.accounting()
    assert {name: part["stored"] for name, part in account["projects"].items()} == {"shop": 1, "web": 2}
    assert account["stored"] == account["received"] == 3


def test_curl_is_told_in_its_own_content_type_what_is_wrong(guarded: Installation) -> None:
    answer = post(guarded, {}, kind="json")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="leewatch"')
    assert (answer.headers["content-type"], answer.json()["code"]) == ("application/json", 16)
    answer = post(guarded, {"authorization": "Basic eDp5"})
    assert (answer.status_code, Status.FromString(answer.content).code) == (401, 16)
    with grpc.insecure_channel(guarded.grpc_target) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(TRACES)(b"", timeout=30, metadata=(("x-api-key", "lw_0_0"),))
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    trailing = dict(caught.value.trailing_metadata())
    assert Status.FromString(trailing["grpc-status-details-bin"]).code == 16


@pytest.mark.slow
def test_keys_are_rotated_revoked_and_deleted_with_their_project(guarded: Installation) -> None:
    first, mill, barn = created(guarded, "shop"), created(guarded, "mill"), created(guarded, "barn")
    assert "exists" in guarded.command("projects", "create", "shop").stderr
    second = guarded.command("projects", "rotate", "shop").stdout.strip()
    for seed, key in enumerate((first, second, mill, barn)):
        assert post(guarded, {"x-api-key": key}, seed).status_code == 200
    listed = json.loads(guarded.command("projects", "list", "--json").stdout)
    (shop,) = (project for project in listed if project["name"] == "shop")
    assert [key["id"] for key in shop["keys"]] == [first.split("_")[1], second.split("_")[1]]
    assert (shop["keys"][0]["ends"] > time.time() + 23 * 3600, shop["keys"][1]["ends"]) == (True, 0)
    assert guarded.command("projects", "revoke", first.split("_")[1]).returncode == 0
    third = guarded.command("projects", "rotate", "mill", "--overlap-hours", "0").stdout.strip()
    assert guarded.command("projects", "delete", "barn").returncode == 0
    for seed, key in enumerate((first, mill, barn), start=10):
        until(lambda key=key, seed=seed: post(guarded, {"x-api-key": key}, seed).status_code == 401, 15)
    for seed, key in enumerate((second, third), start=20):
        assert post(guarded, {"x-api-key": key}, seed).status_code == 200
    for arguments in (("rotate", "barn"), ("revoke", "0"), ("delete", "nobody"), ("create", "a/b")):
        assert guarded.command("projects", *arguments).returncode == 2


@pytest.mark.slow
def test_a_restart_while_the_store_is_away_knows_the_keys_and_refuses_none_for_good(tmp_path: Path) -> None:
    running = Installation(tmp_path / "data", {"COLLECTOR__REQUIRE_API_KEY": "true", "STORE__MAX_MEMORY_MB": 1024})
    try:
        running.start("store")
        running.start("collector")
        key = created(running, "shop")
        assert post(running, {"x-api-key": key}, 1).status_code == 200
        running.kill("collector")
        running.kill("store")
        running.start("collector")
        assert post(running, {"x-api-key": key}, 2).status_code == 200
        assert post(running, {"x-api-key": key[:-2] + "00"}, 3).status_code == 401
        unknown = post(running, {"x-api-key": f"lw_{'0' * 12}_{'0' * 64}"}, 4)
        assert (unknown.status_code, unknown.headers["retry-after"]) == (503, "2")
        account: dict[str, Any] = running.accounting()
        assert account["projects"]["shop"]["received"] == 2
        assert (running.data / "projects.json").stat().st_mode & 0o777 == 0o600
    finally:
        running.close()


def test_figures_are_for_this_machine_and_holders_of_a_key(guarded: Installation) -> None:
    key = created(guarded, "shop")
    assert post(guarded, {"x-api-key": key}).status_code == 200
    far = {"x-forwarded-for": "203.0.113.9"}
    for page in ("accounting", "metrics"):
        url = f"{guarded.http_url}/{page}"
        assert httpx.get(url, trust_env=False).status_code == 200
        assert httpx.get(url, headers=far, trust_env=False).status_code == 401
        answer = httpx.get(url, headers={**far, "x-api-key": key}, trust_env=False)
        assert answer.status_code == 200
    assert (
        httpx.get(f"{guarded.http_url}/accounting", headers={"x-api-key": key}, trust_env=False).json()["received"] == 1
    )
    for page in ("healthz", "readyz"):
        assert httpx.get(f"{guarded.http_url}/{page}", headers=far, trust_env=False).status_code == 200


def test_no_secret_shows_anywhere(guarded: Installation, database: Settings) -> None:
    key = created(guarded, "shop")
    wrong = key[:-6] + "facade"
    told = [post(guarded, {"x-api-key": sent}, index).text for index, sent in enumerate((key, wrong, f"{key}x"))]
    told += [guarded.command("projects", *arguments).stdout for arguments in (("list",), ("list", "--json"))]
    for arguments in (("create", "shop"), ("revoke", wrong), ("revoke", key), ("config", "show")):
        done = guarded.command("projects", *arguments)
        told += [done.stdout, done.stderr]
    told += [
        httpx.get(f"{guarded.http_url}/{page}", trust_env=False).text for page in ("metrics", "accounting", "readyz")
    ]
    client = connect(database)
    told.append(str(client.query("SELECT * FROM api_keys").result_rows))
    told.append(str(client.query("SELECT * FROM projects").result_rows))
    client.close()
    assert guarded.stop("collector") == 0
    told += [path.read_bytes().decode("latin-1") for path in sorted(guarded.data.rglob("*")) if path.is_file()]
    secret = key.split("_")[2]
    for text in told:
        assert secret not in text
        assert secret[:-6] not in text


def test_listening_for_everyone_without_keys_is_warned_of(tmp_path: Path) -> None:
    running = Installation(tmp_path / "data", {"COLLECTOR__HOST": "0.0.0.0"})
    try:
        running.start("collector")
        until(lambda: "takes data from anyone who reaches it" in running.log("collector").read_text(), 10)
    finally:
        running.close()
