"""ClickHouse's HTTP interface as curl and Grafana use it: URL, headers, bodies, statuses."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Iterator

import httpx
import lz4.frame
import pytest
import zstandard

from leewatch.config import Settings
from leewatch.storage.client import address, connect

PROTO = 'syntax = "proto3"; message Row { uint32 id = 1; string name = 2; }'


@pytest.fixture
def http(database: Settings) -> Iterator[httpx.Client]:
    where = address(database)
    with httpx.Client(
        base_url=f"http://{where.host}:{where.port}", auth=(where.user, where.password), timeout=60, trust_env=False
    ) as client:
        yield client


@pytest.fixture
def table(database: Settings) -> Iterator[str]:
    client = connect(database)
    client.command("DROP TABLE IF EXISTS posted")
    client.command("CREATE TABLE posted (id UInt32, name String) ENGINE = MergeTree ORDER BY id")
    yield "posted"
    client.command("DROP TABLE posted")
    client.close()


def test_ping_answers_without_a_password(http: httpx.Client) -> None:
    answer = http.get("/ping", auth=None)
    assert (answer.status_code, answer.text) == (200, "Ok.\n")


@pytest.mark.parametrize("where", ["url", "body", "both"])
def test_the_query_may_stand_in_the_url_the_body_or_both(http: httpx.Client, where: str) -> None:
    url, body = {"url": ("SELECT 41 + 1", ""), "body": ("", "SELECT 41 + 1"), "both": ("SELECT 41", " + 1")}[where]
    assert http.post("/", params={"query": url} if url else {}, content=body).text == "42\n"


def test_get_reads_but_does_not_write(http: httpx.Client) -> None:
    assert http.get("/", params={"query": "SELECT 1"}).text == "1\n"
    refused = http.get("/", params={"query": "CREATE TABLE x (a Int8) ENGINE = Memory"})
    assert refused.headers["x-clickhouse-exception-code"] == "164"


def test_headers_describe_the_result(http: httpx.Client) -> None:
    answer = http.get("/", params={"query": "SELECT number FROM numbers(3) FORMAT JSON", "query_id": "mine"})
    assert answer.json()["rows"] == 3
    assert answer.headers["x-clickhouse-format"] == "JSON"
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["x-clickhouse-query-id"] == "mine"
    assert answer.headers["x-clickhouse-timezone"] == "UTC"
    assert json.loads(answer.headers["x-clickhouse-summary"])["read_rows"] == "3"


def test_default_format_and_database_are_honoured(http: httpx.Client) -> None:
    query = {"query": "SELECT currentDatabase() AS d", "default_format": "JSONEachRow", "database": "system"}
    assert http.get("/", params=query).json() == {"d": "system"}
    assert http.get("/", params={"query": "SELECT currentDatabase()"}).text == "leewatch\n"


@pytest.mark.parametrize(
    "format_",
    ["JSON", "JSONCompact", "CSVWithNames", "TSVWithNamesAndTypes", "Pretty", "Arrow", "ArrowStream", "Parquet", "XML"],
)
def test_formats_with_a_frame_come_whole_also_over_many_blocks(http: httpx.Client, format_: str) -> None:
    query = f"SELECT number AS n FROM numbers(150000) FORMAT {format_} SETTINGS output_format_pretty_max_rows = 5"
    body = http.post("/", content=query).content
    if format_ == "JSON":
        assert json.loads(body)["rows"] == 150_000
    elif format_ == "CSVWithNames":
        assert body.count(b"\n") == 150_001
        assert body.startswith(b'"n"\n0\n')
    elif format_ == "TSVWithNamesAndTypes":
        assert body.count(b"\n") == 150_002
    assert http.post("/", content=f"SELECT 1 AS n WHERE 0 FORMAT {format_}").status_code == 200
    assert len(body) > 10


@pytest.mark.parametrize("statement_in", ["url", "body"])
@pytest.mark.parametrize("coding", ["", "gzip", "lz4", "zstd"])
def test_insert_bodies_are_decoded(http: httpx.Client, table: str, statement_in: str, coding: str) -> None:
    lines = b"".join(b"%d\tname %d\n" % (i, i) for i in range(20_000))
    statement = f"INSERT INTO {table} FORMAT TSV"
    body = lines if statement_in == "url" else statement.encode() + b"\n" + lines
    encoded = {"": bytes, "gzip": gzip.compress, "lz4": lz4.frame.compress, "zstd": zstandard.compress}[coding](body)
    answer = http.post(
        "/",
        params={"query": statement} if statement_in == "url" else {},
        content=encoded,
        headers={"content-encoding": coding} if coding else {},
    )
    assert answer.status_code == 200, answer.text
    assert json.loads(answer.headers["x-clickhouse-summary"])["written_rows"] == "20000"
    counted = http.post("/", content=f"SELECT count(), countIf(name = concat('name ', toString(id))) FROM {table}")
    assert counted.text == "20000\t20000\n"


def test_frames_may_follow_each_other_and_a_cut_one_is_refused(http: httpx.Client, table: str) -> None:
    two = lz4.frame.compress(b"1\ta\n") + lz4.frame.compress(b"2\tb\n")
    query = {"query": f"INSERT INTO {table} FORMAT TSV"}
    assert http.post("/", params=query, content=two, headers={"content-encoding": "lz4"}).status_code == 200
    assert http.post("/", content=f"SELECT count() FROM {table}").text == "2\n"
    cut = http.post("/", params=query, content=two[:-9], headers={"content-encoding": "lz4"})
    assert (cut.status_code, cut.headers["x-clickhouse-exception-code"]) == (400, "271")
    assert http.post("/", content=f"SELECT count() FROM {table}").text == "2\n"


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO posted VALUES (1, 'a;b'), (2, 'it''s FORMAT CSV')",
        "INSERT INTO posted (id, name) SETTINGS async_insert = 0 FORMAT JSONEachRow\n"
        '{"id":1,"name":"x"} {"id":2,"name":"y"}',
        "/* comment */ insert into leewatch.`posted` (`id`, `name`) format CSV 1,a\n2,b\n",
        "INSERT INTO posted SELECT number, 'x' FROM numbers(2)",
        "INSERT INTO posted FORMAT Values (1, 'a'), (2, 'b')",
    ],
)  # fmt: skip
def test_every_form_of_insert_stores_its_rows(http: httpx.Client, table: str, text: str) -> None:
    answer = http.post("/", content=text)
    assert answer.status_code == 200, answer.text
    assert "x-clickhouse-format" not in answer.headers
    assert http.post("/", content=f"SELECT count() FROM {table}").text == "2\n"


def test_a_large_values_list_is_stored(http: httpx.Client, table: str) -> None:
    rows = ", ".join(f"({i}, 'name {i}')" for i in range(30_000))
    assert http.post("/", content=f"INSERT INTO {table} VALUES {rows}").status_code == 200
    assert http.post("/", content=f"SELECT count() FROM {table}").text == "30000\n"


def test_protobuf_with_its_schema_in_the_settings_is_stored_once(http: httpx.Client, table: str) -> None:
    http.post("/", content=f"ALTER TABLE {table} MODIFY SETTING non_replicated_deduplication_window = 100")
    settings = {
        "query": f"INSERT INTO {table} FORMAT ProtobufSingle",
        "format_schema_source": "string",
        "format_schema": PROTO,
        "format_schema_message_name": "Row",
        "input_format_protobuf_oneof_presence": "1",
        "insert_deduplication_token": "batch-1",
        "async_insert": "0",
        "deduplicate_blocks_in_dependent_materialized_views": "1",
    }
    message = b"\x08\x07\x12\x05seven"
    for _ in range(2):
        answer = http.post("/", params=settings, content=message)
        assert answer.status_code == 200, answer.text
    assert http.post("/", content=f"SELECT * FROM {table}").text == "7\tseven\n"
    broken = http.post("/", params=settings | {"insert_deduplication_token": "b2"}, content=message[:-2])
    assert broken.headers["x-clickhouse-exception-code"] == "33"
    assert http.post("/", content=f"SELECT count() FROM {table}").text == "1\n"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd", "lz4"])
def test_answers_are_compressed_when_asked_for(http: httpx.Client, coding: str) -> None:
    with http.stream(
        "POST", "/", params={"enable_http_compression": "1"}, headers={"accept-encoding": coding},
        content="SELECT number FROM numbers(300000)",
    ) as answer:  # fmt: skip
        raw = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == coding
    assert len(raw) < 1_500_000
    plain = http.post("/", headers={"accept-encoding": coding}, content="SELECT 1")
    assert "content-encoding" not in plain.headers


def test_a_multipart_form_gives_query_and_parameters(http: httpx.Client) -> None:
    fields = {"query": (None, "SELECT {a:UInt8} + 1"), "param_a": (None, "4")}
    assert http.post("/", files=fields).text == "5\n"


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        ("SELECT * FROM nowhere", 404, 60),
        ("SELECT * FROM nowhere.t", 404, 81),
        ("SELECT a b c d", 400, 62),
        ("SELECT * FROM numbers(1) FORMAT NoSuchFormat", 404, 73),
        ("SELECT throwIf(1)", 500, 395),
        ("", 400, 62),
        ("SELECT sleep(3) SETTINGS max_execution_time = 0.3", 408, 159),
        ("SELECT number FROM numbers(10) SETTINGS no_such_setting = 1", 404, 115),
    ],
)
def test_failures_have_clickhouse_status_code_and_text(
    http: httpx.Client, content: str, status: int, code: int
) -> None:
    answer = http.post("/", content=content)
    assert (answer.status_code, answer.headers["x-clickhouse-exception-code"]) == (status, str(code))
    assert answer.text.startswith(f"Code: {code}. DB::Exception: ")


def test_unknown_settings_and_codings_are_named(http: httpx.Client) -> None:
    setting = http.get("/", params={"query": "SELECT 1", "no_such_setting": "1"})
    assert (setting.status_code, "no_such_setting" in setting.text) == (404, True)
    coding = http.post("/", content=b"SELECT 1", headers={"content-encoding": "snappy"})
    assert "snappy" in coding.text


def test_every_way_to_send_credentials_works(http: httpx.Client, database: Settings) -> None:
    where = address(database)
    url = {"query": "SELECT 1", "user": where.user, "password": where.password}
    assert http.get("/", params=url, auth=None).text == "1\n"
    key = {"X-ClickHouse-User": where.user, "X-ClickHouse-Key": where.password}
    assert http.get("/", params={"query": "SELECT 1"}, headers=key, auth=None).text == "1\n"


def test_a_client_that_leaves_frees_its_worker(http: httpx.Client, database: Settings) -> None:
    where = address(database)
    endless = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1"
    for _ in range(6):
        with socket.create_connection((where.host, where.port)) as raw:
            raw.sendall(
                f"POST /?user={where.user}&password={where.password} HTTP/1.1\r\nHost: localhost\r\n"
                f"Content-Length: {len(endless)}\r\n\r\n{endless}".encode()
            )
            time.sleep(0.1)
    deadline = time.monotonic() + 20
    running = (
        "SELECT count() FROM system.processes WHERE query LIKE '%sipHash64(number) = 1' AND NOT query LIKE '%LIKE%'"
    )
    while http.post("/", content=running).text != "0\n":
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_reader_that_stalls_holds_up_nobody(http: httpx.Client, database: Settings) -> None:
    where = address(database)
    query = "SELECT toString(number) FROM numbers(100000000)"
    stalled = []
    for _ in range(8):
        raw = socket.create_connection((where.host, where.port))
        raw.sendall(
            f"POST /?user={where.user}&password={where.password} HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Length: {len(query)}\r\n\r\n{query}".encode()
        )
        stalled.append(raw)
    time.sleep(0.5)
    begun = time.monotonic()
    assert http.post("/", content="SELECT 1").text == "1\n"
    assert time.monotonic() - begun < 5
    for raw in stalled:
        raw.close()
