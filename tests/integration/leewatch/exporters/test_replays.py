"""Byte-exact replays of what ClickHouse exporters send: the Go collector (clickhouse-go over HTTP) and Rotel."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from clickhouse_connect.driver.client import Client

from leewatch.config import Settings
from leewatch.storage.client import Address, address, connect
from leewatch.storage.embedded.blocks import LZ4, PLAIN, ZSTD, BlockDecoder, block
from leewatch.testing import exporter, otlp

EXAMPLES = json.loads((Path(__file__).parents[3] / "data/semconv/examples.json").read_text(encoding="utf-8"))
Insert = Callable[["Sender", str, Sequence[exporter.Row], Mapping[str, str]], None]


class Sender:
    """Sends one chunked HTTP request a call, as Go's and Rust's clients stream a body of unknown length."""

    def __init__(self, where: Address) -> None:
        self._where = where

    def post(self, body: bytes, headers: Mapping[str, str], **parameters: str) -> tuple[int, bytes]:
        with socket.create_connection((self._where.host, self._where.port), timeout=60) as raw:
            lines = [f"POST /?{urlencode(parameters)} HTTP/1.1", f"Host: {self._where.host}:{self._where.port}"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            lines += ["Transfer-Encoding: chunked", "Connection: close", "", ""]
            raw.sendall("\r\n".join(lines).encode())
            for at in range(0, len(body), 1000):
                piece = body[at : at + 1000]
                raw.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            raw.sendall(b"0\r\n\r\n")
            answer = b"".join(iter(lambda: raw.recv(65536), b""))
        head, _, rest = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), rest if b"chunked" not in head.lower() else _unchunked(rest)

    def key_headers(self) -> dict[str, str]:
        return {"x-clickhouse-user": self._where.user, "x-clickhouse-key": self._where.password}

    def basic_headers(self) -> dict[str, str]:
        token = base64.b64encode(f"{self._where.user}:{self._where.password}".encode()).decode()
        return {"authorization": f"Basic {token}"}


def _unchunked(data: bytes) -> bytes:
    out = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        out += data[: int(size, 16)]
        data = data[int(size, 16) + 2 :]
    return out


@pytest.fixture
def sender(database: Settings) -> Sender:
    return Sender(address(database))


@pytest.fixture
def client(database: Settings) -> Iterator[Client]:
    client = connect(database)
    yield client
    client.close()


def go_collector(sender: Sender, table: str, rows: Sequence[exporter.Row], columns: Mapping[str, str]) -> None:
    """clickhouse-go: one Native block, compressed in one piece, query in the URL, basic authorization."""
    names = ", ".join(columns)
    status, answer = sender.post(
        block(exporter.native(rows, columns), LZ4),
        {**sender.basic_headers(), "content-type": "application/octet-stream", "user-agent": "clickhouse-go/2.40.1"},
        query=f'INSERT INTO "leewatch"."{table}" ({names}) FORMAT Native',
        database="leewatch", default_format="Native", client_protocol_version="54460", decompress="1", compress="1",
        async_insert="1", wait_for_async_insert="1", max_execution_time="60",
    )  # fmt: skip
    assert (status, answer) == (200, b""), BlockDecoder().decode(answer)


def rotel(sender: Sender, table: str, rows: Sequence[exporter.Row], columns: Mapping[str, str]) -> None:
    """Rotel: RowBinary in several LZ4 blocks that cut rows anywhere, user and key as headers."""
    data = exporter.row_binary(rows, columns)
    body = b"".join(block(data[at : at + 700], LZ4) for at in range(0, len(data), 700))
    query = f"INSERT INTO {table} ({','.join(columns)}) FORMAT RowBinary"
    status, answer = sender.post(
        body, sender.key_headers(), database="leewatch", query=query, decompress="1", async_insert="1"
    )
    assert (status, answer) == (200, b""), answer


def with_names(sender: Sender, table: str, rows: Sequence[exporter.Row], columns: Mapping[str, str]) -> None:
    """The Rust client: RowBinaryWithNamesAndTypes, ZSTD blocks."""
    query = f"INSERT INTO `{table}` FORMAT RowBinaryWithNamesAndTypes"
    body = block(exporter.row_binary(rows, columns, header=True), ZSTD)
    assert sender.post(body, sender.key_headers(), query=query, decompress="1")[0] == 200


def json_lines(sender: Sender, table: str, rows: Sequence[exporter.Row], columns: Mapping[str, str]) -> None:
    """Vector, Fluent Bit and the like: the query and JSON lines in one body, in blocks without compression."""
    body = f"INSERT INTO leewatch.{table} FORMAT JSONEachRow\n".encode() + exporter.json_each_row(rows, columns)
    headers = {**sender.basic_headers(), "content-type": "application/json"}
    blocks = b"".join(block(body[at : at + 5000], PLAIN) for at in range(0, len(body), 5000))
    assert sender.post(blocks, headers, decompress="1", async_insert="1", wait_for_async_insert="0")[0] == 200


def examples(text: exporter.Text, insert: Insert, sender: Sender, skip: Callable[[Any], bool]) -> list[Any]:
    """Sends the example payloads, the log records too; gives those that were sent, with their span ids."""
    spans, records, sent = [], [], []
    for number, example in enumerate(EXAMPLES, 0xE0):
        if skip(example):
            continue
        resource = example.get("resource", otlp.DEFAULT_RESOURCE)
        span = {**example, "span_id": f"{number:016x}"}
        if "log" in example:
            records += exporter.log_rows(otlp.logs([{**example["log"], "span_id": span["span_id"]}], resource), text)
            span |= {"trace_id": example["log"]["trace_id"], "attributes": {"gen_ai.operation.name": "chat"}}
        spans += exporter.span_rows(otlp.traces([span], resource), text)
        sent.append({**example, "span_id": span["span_id"]})
    insert(sender, "otel_traces", spans, exporter.SPAN_COLUMNS)
    insert(sender, "otel_logs", records, exporter.LOG_COLUMNS)
    return sent


def normalized(client: Client, span_id: str) -> dict[str, Any]:
    by_id = {"parameters": {"id": span_id}}
    rows = list(client.query("SELECT * FROM llm_spans WHERE span_id = {id:String}", **by_id).named_results())
    content = list(client.query("SELECT * FROM span_content WHERE span_id = {id:String}", **by_id).named_results())
    found = {**(content[0] if content else {}), **(rows[0] if rows else {"kind": "other"})}
    for column in ("input_messages", "output_messages", "context_documents"):
        found[column] = json.loads(found.get(column) or "[]")
    reasons = [message["finish_reason"] for message in found["output_messages"] if "finish_reason" in message]
    return {**found, "service_name": found.get("service"), "finish_reason": found.get("finish_reason") or reasons}


def subset(expected: Any, actual: Any) -> bool:
    if isinstance(expected, dict):
        return isinstance(actual, dict) and all(subset(value, actual.get(key)) for key, value in expected.items())
    if isinstance(expected, list):
        return isinstance(actual, list) and len(actual) == len(expected) and all(map(subset, expected, actual))
    return bool(expected == (pytest.approx(actual) if isinstance(actual, float) else actual))


@pytest.mark.parametrize(
    ("insert", "text"),
    [
        (go_collector, exporter.go_text),
        (rotel, exporter.rotel_text),
        (with_names, exporter.rotel_text),
        (json_lines, exporter.go_text),
    ],
    ids=["go-collector", "rotel", "rust-client", "json-lines"],
)
def test_rows_of_an_exporter_are_normalized_like_otlp(
    insert: Insert, text: exporter.Text, sender: Sender, client: Client
) -> None:
    sent = examples(text, insert, sender, skip=lambda example: False)
    assert client.command("SELECT count() FROM otel_traces WHERE Batch = ''") == len(sent)
    faults = []
    for example in sent:
        found = normalized(client, example["span_id"])
        if example["expect"].get("kind") == "other":
            assert found["kind"] == "other", example["id"]
            continue
        if evaluation := example["expect"].get("evaluation"):
            by_name = {"name": evaluation["name"]}
            rows = client.query("SELECT * FROM scores FINAL WHERE name = {name:String}", parameters=by_name)
            found["evaluation"] = next(iter(rows.named_results()), None)
        faults += [
            f"{example['id']}: {field}: expected {expected!r}, got {found.get(field)!r}"
            for field, expected in example["expect"].items()
            if not subset(expected, found.get(field))
        ]
    assert not faults, "\n".join(faults)


def test_every_exported_column_is_stored_as_it_was_sent(sender: Sender, client: Client) -> None:
    request = otlp.traces(
        [
            {
                "name": "chat",
                "trace_id": "0af7651916cd43dd8448eb211c80319c",
                "span_id": "b7ad6b7169203331",
                "parent_span_id": "00f067aa0ba902b7",
                "attributes": {"text": "ä\"'\\", "flag": True, "list": ["a", 2], "none": None},
                "events": [{"name": "first", "attributes": {"n": 1}, "time": 10**18 + 1}, {"name": "second"}],
                "links": [{"trace_id": "ab" * 16, "span_id": "cd" * 8}],
                "start": 1_763_000_000_123_456_789,
                "status": 2,
                "status_message": "gone",
            },
            {"name": "bare", "start": 1_763_000_000_000_000_001},
        ]
    )
    rows = exporter.span_rows(request)
    go_collector(sender, "otel_traces", rows, exporter.SPAN_COLUMNS)
    names = ", ".join(
        f"toUnixTimestamp64Nano(`{name}`)" if kind == "DateTime64(9)" else
        f"arrayMap(t -> toUnixTimestamp64Nano(t), `{name}`)" if kind == "Array(DateTime64(9))" else f"`{name}`"
        for name, kind in exporter.SPAN_COLUMNS.items()
    )  # fmt: skip
    stored = client.query(f"SELECT {names} FROM otel_traces ORDER BY Timestamp DESC").result_rows
    assert [list(row) for row in stored] == [list(row.values()) for row in rows]


def test_the_start_up_of_the_go_exporter_changes_nothing_and_finds_every_column(sender: Sender, client: Client) -> None:
    go = {"default_format": "Native", "client_protocol_version": "54460", "compress": "1", "database": "default"}
    before = client.query("SELECT name, create_table_query FROM system.tables WHERE database = 'leewatch'").result_rows
    statements = [
        "SELECT displayName(), version(), revision(), timezone()",
        "SELECT 1",
        "CREATE DATABASE IF NOT EXISTS leewatch ",
        'CREATE TABLE IF NOT EXISTS "leewatch"."otel_traces"  (Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)), TraceId String, '
        "INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1) ENGINE = MergeTree() PARTITION BY toDate(Timestamp) "
        "ORDER BY (toDateTime(Timestamp)) TTL toDateTime(Timestamp) + toIntervalDay(3) SETTINGS index_granularity=8192",
        'CREATE TABLE IF NOT EXISTS "leewatch"."otel_traces_trace_id_ts"  (TraceId String, Start DateTime, End DateTime) '
        "ENGINE = MergeTree() PARTITION BY toDate(Start) ORDER BY (TraceId, Start)",
        'CREATE MATERIALIZED VIEW IF NOT EXISTS "leewatch"."otel_traces_trace_id_ts_mv"  TO "leewatch"."otel_traces_trace_id_ts" '
        'AS SELECT TraceId, min(Timestamp) as Start, max(Timestamp) as End FROM "leewatch"."otel_traces" '
        "WHERE TraceId != '' GROUP BY TraceId",
        'CREATE TABLE IF NOT EXISTS "leewatch"."otel_logs"  (Timestamp DateTime64(9)) ENGINE = MergeTree() '
        "ORDER BY Timestamp",
        'DESCRIBE TABLE "leewatch"."otel_traces"',
        'DESC TABLE "leewatch"."otel_logs"',
    ]  # fmt: skip
    answers = []
    for statement in statements:
        status, body = sender.post(statement.encode(), sender.basic_headers(), **go)
        decoder = BlockDecoder()
        answers.append(decoder.decode(body))
        decoder.finish()
        assert status == 200, answers[-1]
    assert b"displayName()" in answers[0]
    for name, kind in exporter.SPAN_COLUMNS.items():
        assert bytes([len(name)]) + name.encode() in answers[-2], name
        assert kind.encode() in answers[-2]
    for name in exporter.LOG_COLUMNS:
        assert bytes([len(name)]) + name.encode() in answers[-1], name
    after = client.query("SELECT name, create_table_query FROM system.tables WHERE database = 'leewatch'").result_rows
    assert after == before


def test_an_error_is_told_in_blocks_when_the_answer_was_asked_for_in_blocks(sender: Sender) -> None:
    status, body = sender.post(b"SELECT nothing_of_that_name", sender.basic_headers(), compress="1")
    assert status == 404
    assert BlockDecoder().decode(body).startswith(b"Code: 47. DB::Exception: ")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [(lambda body: body[:-5], "ends before"), (lambda body: body[:30] + b"?" + body[31:], "checksum")],
    ids=["cut", "changed"],
)
def test_a_damaged_insert_stores_nothing_and_says_why(
    damage: Callable[[bytes], bytes], reason: str, sender: Sender, client: Client
) -> None:
    rows = exporter.span_rows(otlp.traces([{"name": "chat"} for _ in range(50)]))
    data = exporter.row_binary(rows, exporter.SPAN_COLUMNS)
    body = b"".join(block(data[at : at + 2000]) for at in range(0, len(data), 2000))
    query = f"INSERT INTO otel_traces ({','.join(exporter.SPAN_COLUMNS)}) FORMAT RowBinary"
    status, answer = sender.post(damage(body), sender.key_headers(), query=query, decompress="1")
    assert (status, reason in answer.decode()) == (400, True)
    assert client.command("SELECT count() FROM otel_traces") == 0


def test_wrong_credentials_of_an_exporter_are_refused_before_its_body_is_read(sender: Sender) -> None:
    headers = {**sender.key_headers(), "x-clickhouse-key": "wrong"}
    status, answer = sender.post(b"", headers, query="INSERT INTO otel_traces FORMAT RowBinary", decompress="1")
    assert (status, b"516" in answer) == (403, True)
