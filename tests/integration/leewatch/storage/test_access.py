"""Nobody reaches the store without the token, from a web page, or through it the files of the machine."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from leewatch.config import Settings
from leewatch.storage.client import TOKEN_FILE, address

# Every spelling tries to read /etc/hostname, to write a file, to run a program or to reach another host.
TRICKS = [
    "SELECT file('/etc/hostname')",
    "SELECT file/* x */('/etc/hostname')",
    "SELECT file -- x\n ('/etc/hostname')",
    "SELECT `file`('/etc/hostname')",
    'SELECT "file"(\'/etc/hostname\')',
    "SELECT “file”('/etc/hostname')",
    "SELECT `\\x66ile`('/etc/hostname')",
    "SELECT FILE('/etc/hostname')",
    "SELECT '-- ' , file('/etc/hostname')",
    "SELECT 'it''s' || file('/etc/hostname')",
    "SELECT $x$ it's $x$, file('/etc/hostname')",
    "SELECT a$x$, file('/etc/hostname') FROM (SELECT 1 AS a$x$)",
    "SELECT arrayMap(x -> file(x), ['/etc/hostname'])",
    "WITH x -> file(x) AS f SELECT f('/etc/hostname')",
    "SELECT * FROM file('/etc/hostname', LineAsString)",
    "SELECT * FROM `file`('/etc/hostname', 'LineAsString')",
    "SELECT * FROM '/etc/hostname'",
    "SELECT * FROM default.`/etc/hostname`",
    "SELECT * FROM filesystem('/etc')",
    "DESCRIBE TABLE file('/etc/passwd')",
    "EXPLAIN SELECT * FROM file('/etc/passwd')",
    "SELECT * FROM url('http://127.0.0.1:1/', CSV, 'a String')",
    "SELECT * FROM s3('http://127.0.0.1:1/bucket/x.csv')",
    "SELECT * FROM remote('127.0.0.1:9000', 'system', 'one')",
    "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM sqlite('/tmp/x.db', 't')",
    "SELECT * FROM executable('id', TSV, 'a String')",
    "SELECT * FROM python(x)",
    "SELECT * FROM eval('SELECT 1')",
    "SELECT 1 INTO OUTFILE '/tmp/leewatch-trick.csv'",
    "SELECT 1 into/**/outfile '/tmp/leewatch-trick.csv' FORMAT CSV",
    "INSERT INTO llm_spans FROM INFILE '/etc/passwd' FORMAT CSV",
    "INSERT INTO FUNCTION file('/tmp/leewatch-trick.csv') SELECT 1",
    "INSERT INTO FUNCTION file('/tmp/leewatch-trick.csv', CSV, 'a Int8') VALUES (1)",
    "CREATE TABLE trick (a String) ENGINE = File(CSV, '/etc/passwd')",
    "CREATE TABLE trick (a String) ENGINE = URL('http://127.0.0.1:1/', CSV)",
    "CREATE TABLE trick (a String) ENGINE = Executable('id', TSV)",
    "CREATE TABLE trick (a String) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = 'object_storage', "
    "object_storage_type = 'local_blob_storage', metadata_type = 'plain', path = '/tmp/')",
    "CREATE DATABASE trick ENGINE = Filesystem('/etc')",
    "CREATE DATABASE trick ENGINE = SQLite('/tmp/x.db')",
    "CREATE DICTIONARY trick (k UInt64) PRIMARY KEY k SOURCE(FILE(path '/etc/passwd' format 'TSV')) "
    "LAYOUT(FLAT()) LIFETIME(0)",
    "CREATE FUNCTION trick AS x -> file(x)",
    "ATTACH TABLE trick FROM '/etc' (a String) ENGINE = MergeTree ORDER BY a",
    "BACKUP DATABASE leewatch TO File('/tmp/leewatch-trick')",
    "RESTORE DATABASE leewatch FROM File('/tmp/leewatch-trick')",
    "GRANT SOURCES ON *.* TO default",
    "SELECT 1 SETTINGS format_schema_source = 'file', format_schema = '/etc/passwd'",
    "SELECT 1 FORMAT Template SETTINGS format_template_row = '/etc/hostname'",
    "SELECT 1; SELECT file('/etc/hostname')",
    "SET allow_experimental_eval_table_function = 1",
    "SELECT * FROM format(Values, 'a String', '(file(\\'/etc/hostname\\'))')",
    "SELECT * FROM format(JSONEachRow, 'a String, b String DEFAULT file(\\'/etc/hostname\\')', '{\"a\":\"x\"}')",
    "SELECT * FROM format(JSONEachRow, 'a String, b String DEFAULT `\\x66ile`(\\'/etc/hostname\\')', '{\"a\":\"x\"}')",
    "SELECT * FROM format(JSONEachRow, concat('a String, b String DEFAULT fi', 'le(\\'/etc/hostname\\')'), '{\"a\":\"x\"}')",
    "WITH concat('b String DEFAULT fi', 'le(\\'/etc/hostname\\')') AS s SELECT * FROM format(JSONEachRow, s, '{}')",
    "INSERT INTO llm_spans (name) VALUES (file('/etc/hostname'))",
    "INSERT INTO llm_spans (name) SELECT file('/etc/hostname')",
    "INSERT INTO llm_spans (name) VALUES (upper('an expression'))",
    "CREATE TABLE trick (a String, b String DEFAULT file('/etc/hostname')) ENGINE = Memory",
    "CREATE TABLE trick ENGINE = Memory AS SELECT file('/etc/hostname') AS a",
    "CREATE VIEW trick AS SELECT file('/etc/hostname')",
    "CREATE VIEW trick AS SELECT * FROM url('http://127.0.0.1:1/', CSV, 'a String')",
    "CREATE TABLE trick (a String) ENGINE = EmbeddedRocksDB(0, '/tmp/leewatch-trick') PRIMARY KEY a",
    "CREATE TABLE trick (a String) ENGINE EmbeddedRocksDB(0, '/tmp/leewatch-trick') PRIMARY KEY a",
    "CREATE TABLE trick (a String) ENGINE = FileLog('/etc', 'CSV')",
    "CREATE TABLE trick (a String) ENGINE = KeeperMap('/a') PRIMARY KEY a",
    "CREATE TABLE trick (a String) ENGINE = `Execut\\x61ble`('id', TSV)",
    "CREATE TABLE trick (a String) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type=local, path='/tmp/leewatch-trick/')",
    "CREATE TABLE trick AS file('/etc/passwd')",
    "CREATE TEMPORARY TABLE trick (a String) ENGINE = File(CSV, '/etc/passwd')",
    "ALTER TABLE llm_spans MODIFY SETTING disk = disk(type = local, path = '/tmp/leewatch-trick/')",
    "ALTER TABLE llm_spans MODIFY COLUMN name String DEFAULT file('/etc/hostname')",
    "CREATE DICTIONARY trick (k UInt64) PRIMARY KEY k SOURCE(EXECUTABLE(command 'id' format 'TSV')) LAYOUT(FLAT()) LIFETIME(0)",
    "CREATE DICTIONARY trick (k UInt64) PRIMARY KEY k SOURCE(HTTP(url 'http://127.0.0.1:1' format 'TSV')) LAYOUT(FLAT())",
    "CREATE NAMED COLLECTION trick AS url = 'http://127.0.0.1:1'",
    "CREATE USER trick",
    "CREATE ROLE trick",
    "CREATE SETTINGS PROFILE trick SETTINGS max_memory_usage = 1",
    "CREATE ROW POLICY trick ON llm_spans USING 1",
    "ALTER USER default SETTINGS max_memory_usage = 1",
    "EXECUTE AS default SELECT 1",
    "SYSTEM SHUTDOWN",
    "SYSTEM STOP MERGES",
    "DROP TABLE system.one",
    "CREATE TABLE system.trick (a UInt8) ENGINE = Memory",
    "CREATE TABLE INFORMATION_SCHEMA.trick (a UInt8) ENGINE = Memory",
    "DROP DATABASE system",
    "SELECT * FROM system.users",
    "SELECT * FROM system.grants",
    "SHOW CREATE USER default",
    "SET max_memory_usage = 0",
    "SET max_memory_usage = 1000000000000",
    "SELECT 1 SETTINGS max_memory_usage = 0",
    "SET dialect = 'prql'",
    "SET additional_result_filter = 'file(\\'/etc/hostname\\') = 1'",
    "SELECT name FROM llm_spans SETTINGS additional_table_filters = {'llm_spans': 'file(\\'/etc/hostname\\') = 1'}",
    "SET input_format_values_interpret_expressions = 1",
    "SET input_format_values_deduce_templates_of_expressions = 1",
    "SELECT aiGenerate('x', map('endpoint', 'http://127.0.0.1:1/', 'credentials', 'a'))",
    "SELECT AIEmbed('x', map('endpoint', 'http://127.0.0.1:1/'))",
]  # fmt: skip


@pytest.fixture
def http(store: Settings) -> Iterator[httpx.Client]:
    where = address(store)
    with httpx.Client(
        base_url=f"http://{where.host}:{where.port}", auth=(where.user, where.password), timeout=60, trust_env=False
    ) as client:
        yield client


@pytest.mark.parametrize("trick", TRICKS)
def test_queries_that_reach_outside_the_database_are_refused(http: httpx.Client, trick: str) -> None:
    answer = http.post("/", content=trick.encode())
    assert answer.status_code >= 400, answer.text
    assert Path("/etc/hostname").read_text().strip() not in answer.text.split()
    assert "root:" not in answer.text
    assert not Path("/tmp/leewatch-trick.csv").exists()
    assert not Path("/tmp/leewatch-trick").exists()
    tables = http.post("/", content="SELECT count() FROM system.tables WHERE name = 'trick'")
    assert tables.text == "0\n"


@pytest.mark.parametrize(
    "text",
    ["SELECT 'file(x) INTO OUTFILE'", "SELECT length('it''s file(''x'')')", "SELECT 1 AS url, 2 AS file, 3 AS python"],
)
def test_queries_that_only_mention_such_words_pass(http: httpx.Client, text: str) -> None:
    assert http.post("/", content=text).status_code == 200


def test_expressions_in_the_data_of_an_insert_are_not_evaluated(http: httpx.Client) -> None:
    for query in ("INSERT INTO llm_spans (name) FORMAT Values", "INSERT INTO llm_spans (name) VALUES"):
        answer = http.post("/", params={"query": query}, content="(file('/etc/hostname'))")
        assert answer.status_code >= 400
    settings = {"input_format_values_interpret_expressions": "1", "query": "INSERT INTO llm_spans (name) FORMAT Values"}
    assert http.post("/", params=settings, content="(upper('x'))").status_code >= 400


def test_literals_of_every_kind_can_be_inserted_as_values(http: httpx.Client) -> None:
    columns = (
        "a Array(String), m Map(String, UInt8), n Nullable(String), t DateTime64(3), p Tuple(Int8, String), i Int64"
    )
    assert http.post("/", content=f"CREATE TABLE literals ({columns}) ENGINE = Memory").status_code == 200
    values = "(['a','b'], {'k':1}, NULL, '2024-01-01 00:00:00.123', (-1,'x'), -5)"
    assert http.post("/", content=f"INSERT INTO literals VALUES {values}, {values}").status_code == 200
    stored = http.post("/", content="SELECT * FROM literals LIMIT 1").text
    assert stored == "['a','b']\t{'k':1}\t\\N\t2024-01-01 00:00:00.123\t(-1,'x')\t-5\n"
    assert http.post("/", content="DROP TABLE literals").status_code == 200


def test_a_parameter_cannot_smuggle_a_function_or_a_file(http: httpx.Client) -> None:
    for value in ("file", "/etc/hostname", "default.`/etc/hostname`"):
        answer = http.post("/", params={"param_t": value}, content="SELECT * FROM {t:Identifier}")
        assert answer.status_code >= 400


def test_wrong_and_missing_credentials_are_told_apart(http: httpx.Client) -> None:
    wrong = http.post("/", content="SELECT 1", auth=("leewatch", "wrong"))
    assert (wrong.status_code, wrong.headers["x-clickhouse-exception-code"]) == (403, "516")
    other = http.post("/", content="SELECT 1", auth=("default", ""))
    assert other.status_code == 403
    missing = http.post("/", content="SELECT 1", auth=None)
    assert (missing.status_code, missing.headers["x-clickhouse-exception-code"]) == (401, "194")


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("Host", "evil.example:8123", 403),
        ("Host", "127.0.0.1.evil.example", 403),
        ("Host", "localhost:1", 200),
        ("Host", "[::1]:8123", 200),
        ("Origin", "http://evil.example", 403),
        ("Origin", "null", 403),
        ("Origin", "http://localhost:3000", 200),
    ],
)
def test_only_this_machines_names_are_served(http: httpx.Client, header: str, value: str, status: int) -> None:
    assert http.post("/", content="SELECT 1", headers={header: value}).status_code == status
    assert http.get("/ping", headers={header: value}).status_code == status


def test_the_token_is_private_and_never_shown(http: httpx.Client, store: Settings) -> None:
    path = store.data / TOKEN_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    token = path.read_text()
    http.post("/", content="SELECT nonsense", params={"user": "leewatch", "password": token})
    http.get("/", params={"query": "SELECT 1", "password": "guess"}, auth=None)
    log = store.data.parent / f"{store.data.name}.log"
    assert token not in log.read_text()
    assert token not in http.post("/", content="SELECT query FROM system.processes").text
