"""The ordinary HTTP client of clickhouse-connect against the embedded store, unchanged."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import clickhouse_connect
import pandas as pd
import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError

from leewatch.config import Settings
from leewatch.storage.client import address, connect

ROWS = [[1, "a'b\\\t\n", None, [1.5, 2.5]], [2, "ünï", 0.0, []]]
COLUMNS = ["id", "name", "value", "vector"]


def stock(settings: Settings, **options: Any) -> Client:
    where = address(settings)
    return clickhouse_connect.get_client(
        host=where.host, port=where.port, username=where.user, password=where.password, database="leewatch", **options
    )


@pytest.fixture(params=[True, False, "lz4", "zstd", "gzip"], ids=str)
def client(request: pytest.FixtureRequest, database: Settings) -> Iterator[Client]:
    """A stock client for every coding of bodies."""
    made = stock(database, compress=request.param)
    yield made
    made.close()


@pytest.fixture
def table(client: Client) -> Iterator[str]:
    client.command("DROP TABLE IF EXISTS trial")
    client.command(
        "CREATE TABLE trial (id UInt32, name String, value Nullable(Float64), vector Array(Float32)) "
        "ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100"
    )
    yield "trial"
    client.command("DROP TABLE trial")


def test_inserted_rows_come_back_and_are_counted(client: Client, table: str) -> None:
    summary = client.insert(table, ROWS, column_names=COLUMNS)
    assert summary.written_rows == 2
    assert [list(row) for row in client.query(f"SELECT * FROM {table} ORDER BY id").result_rows] == ROWS


def test_data_frames_go_in_and_out(client: Client, table: str) -> None:
    frame = pd.DataFrame(
        {"id": range(1000), "name": [f"n{i}" for i in range(1000)], "value": [float(i) for i in range(1000)]}
    )
    client.insert_df(table, frame)
    back = client.query_df(f"SELECT id, name, value FROM {table} ORDER BY id")
    assert back["name"].tolist() == frame["name"].tolist()
    assert back["value"].sum() == frame["value"].sum()


def test_arrow_goes_in_and_out(client: Client, table: str) -> None:
    arrow = pa.table({"id": pa.array(range(500), pa.uint32()), "name": [f"n{i}" for i in range(500)]})
    client.insert_arrow(table, arrow)
    back = client.query_arrow(f"SELECT id, name FROM {table} ORDER BY id", use_strings=True)
    assert back.num_rows == 500
    assert back.column("name").to_pylist() == arrow.column("name").to_pylist()
    with client.query_arrow_stream(f"SELECT id FROM {table}") as stream:
        assert sum(batch.num_rows for batch in stream) == 500


def test_streams_give_every_row_once(client: Client) -> None:
    sql = "SELECT number, toString(number) AS text FROM numbers(200000)"
    with client.query_row_block_stream(sql) as blocks:
        assert sum(len(block) for block in blocks) == 200_000
    with client.query_df_stream(sql) as frames:
        assert sum(frame["number"].sum() for frame in frames) == 199_999 * 100_000


def test_raw_queries_and_inserts_take_any_format(client: Client, table: str) -> None:
    client.raw_insert(table, ["id", "name"], b'{"id":7,"name":"seven"}\n', fmt="JSONEachRow")
    assert client.raw_query(f"SELECT id, name FROM {table}", fmt="CSV") == b'7,"seven"\n'


def test_parameters_are_bound_by_type(client: Client) -> None:
    values = {"n": 5, "s": "it's a \\ \t\n'", "l": ["a'", "b"], "t": dt.datetime(2026, 1, 2, 3, 4, 5), "f": 0.5}
    rows = client.query(
        "SELECT {n:UInt32}, {s:String}, {l:Array(String)}, {t:DateTime('UTC')}, {f:Float64}", parameters=values
    ).result_rows
    assert rows == [(5, values["s"], values["l"], values["t"], 0.5)]


def test_commands_give_values(client: Client) -> None:
    assert client.command("SELECT 17") == 17
    assert client.command("EXISTS TABLE llm_spans") == 1
    assert "llm_spans" in client.command("SHOW CREATE TABLE llm_spans")
    assert client.query("SELECT 1 WHERE 0").result_rows == []
    assert list(client.query("SELECT 1 AS a, 'x' AS b LIMIT 0").column_names) == ["a", "b"]


@pytest.mark.parametrize(
    ("sql", "code", "name"),
    [
        ("SELECT * FROM nowhere", 60, "UNKNOWN_TABLE"),
        ("SELECT * FROM nowhere.t", 81, "UNKNOWN_DATABASE"),
        ("SELECT nothing FROM llm_spans", 47, "UNKNOWN_IDENTIFIER"),
        ("SELECT FROM WHERE", 62, "SYNTAX_ERROR"),
        ("SELECT {a:UInt8}", 456, "UNKNOWN_QUERY_PARAMETER"),
        ("SELECT throwIf(number = 3) FROM numbers(5)", 395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
    ],
)
def test_errors_carry_the_code_and_do_not_poison_the_connection(
    database: Settings, sql: str, code: int, name: str
) -> None:
    client = connect(database)
    for _ in range(6):
        with pytest.raises(DatabaseError) as caught:
            client.query(sql)
        assert (caught.value.code, caught.value.name) == (code, name)
    assert client.command("SELECT 1") == 1
    client.close()


def test_an_error_in_the_middle_of_a_stream_reaches_the_reader(database: Settings) -> None:
    client = connect(database)
    with (
        pytest.raises(ClickHouseError, match="throwIf"),
        client.query_row_block_stream("SELECT throwIf(number = 400000) FROM numbers(500000)") as blocks,
    ):
        for _ in blocks:
            pass
    assert client.command("SELECT 1") == 1
    client.close()


def test_settings_hold_for_one_query_only(database: Settings) -> None:
    client = connect(database)
    read = "SELECT getSetting('max_block_size')"
    default = client.command(read)
    for _ in range(12):
        assert client.command(read, settings={"max_block_size": 123}) == 123
        assert client.command(read) == default
    client.command("SET max_block_size = 99")
    assert [client.command(read) for _ in range(8)] == [default] * 8
    client.close()


def test_a_deduplication_token_makes_a_repeated_insert_a_no_op(client: Client, table: str) -> None:
    settings = {"insert_deduplication_token": "t1", "async_insert": 0}
    for _ in range(3):
        client.insert(table, ROWS, column_names=COLUMNS, settings=settings)
    assert client.command(f"SELECT count() FROM {table}") == 2
    client.insert(table, ROWS, column_names=COLUMNS, settings=settings | {"insert_deduplication_token": "t2"})
    assert client.command(f"SELECT count() FROM {table}") == 4


def test_eight_threads_read_and_write_at_the_same_time(database: Settings) -> None:
    setup = connect(database)
    setup.command("DROP TABLE IF EXISTS busy")
    setup.command("CREATE TABLE busy (worker UInt8, n UInt32) ENGINE = MergeTree ORDER BY (worker, n)")

    def work(worker: int) -> int:
        client = connect(database)
        for turn in range(15):
            client.insert("busy", [[worker, turn * 20 + i] for i in range(20)], column_names=["worker", "n"])
            seen = client.query("SELECT count() FROM busy WHERE worker = {w:UInt8}", parameters={"w": worker})
            assert seen.result_rows == [((turn + 1) * 20,)]
        client.close()
        return worker

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(work, range(8))) == list(range(8))
    assert setup.query("SELECT count(), uniqExact(worker, n) FROM busy").result_rows == [(2400, 2400)]
    setup.command("DROP TABLE busy")
    setup.close()


def test_a_wrong_password_is_refused_with_its_code(database: Settings) -> None:
    where = address(database)
    with pytest.raises(DatabaseError) as caught:
        clickhouse_connect.get_client(host=where.host, port=where.port, username="leewatch", password="wrong")
    assert caught.value.code == 516
    assert where.password not in str(caught.value)
