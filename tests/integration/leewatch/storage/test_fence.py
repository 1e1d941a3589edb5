"""The store's process reaches no file outside its directory and no host, even where no check of the SQL stands before it."""

from __future__ import annotations

import json
import selectors
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from leewatch.config import Settings
from leewatch.storage.client import address
from leewatch.storage.embedded import confine

HOST = "127.9.8.7"
"""A loopback address that nobody else on this machine uses: whoever connects to it was made to."""

# Runs statements on the engine itself, behind the store's fence and nothing else; prints what each gave.
ENGINE = """
import json, os, sys
from pathlib import Path
from leewatch.config import Settings, StoreSection
from leewatch.storage.embedded import role
data = Path(sys.argv[1]).resolve()
os.chdir(data)
before = os.listdir("/proc/self/task")
role._fence(Settings(data, {"store": StoreSection(confine="require")}), data)
assert "chdb" not in sys.modules and len(before) == 1, (before, "threads that run before the fence stay outside")
from chdb import _chdb
engine = _chdb.connect(str(data / "store"))
answers = []
for statement in json.load(sys.stdin):
    try:
        answers.append("ok " + engine.query(statement, "TSV").bytes().decode())
    except RuntimeError as error:
        answers.append("error " + str(error))
engine.close()
try:
    os.posix_spawn("/bin/true", ["true"], {})
    answers.append("ok")
except PermissionError:
    answers.append("error")
print(json.dumps(answers))
"""
needs_landlock = pytest.mark.skipif(
    not confine.available().network, reason="needs a kernel with Landlock for files and TCP (Linux 6.7)"
)


@pytest.fixture
def listener() -> Iterator[tuple[int, list[str]]]:
    """A port of this machine, and what has connected to it."""
    server = socket.create_server((HOST, 0))
    server.setblocking(False)
    came: list[str] = []
    stop, stopped = socket.socketpair()

    def accept() -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(server, selectors.EVENT_READ)
            selector.register(stopped, selectors.EVENT_READ)
            while all(key.fileobj is server for key, _ in selector.select()):
                connection, peer = server.accept()
                came.append(str(peer))
                connection.close()

    thread = threading.Thread(target=accept)
    thread.start()
    yield server.getsockname()[1], came
    stop.close()
    thread.join()
    server.close()
    stopped.close()


@needs_landlock
def test_the_engine_alone_is_kept_to_its_directory_by_the_kernel(
    tmp_path: Path, listener: tuple[int, list[str]]
) -> None:
    port, came = listener
    inside, outside = tmp_path / "data", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "secret.csv").write_text("a secret\n")
    refused = [
        f"SELECT file('{outside}/secret.csv')",
        f"SELECT * FROM file('{outside}/secret.csv', LineAsString)",
        f"SELECT * FROM format(JSONEachRow, 'b String DEFAULT file(''{outside}/secret.csv'')', '{{}}')",
        f"INSERT INTO own FROM INFILE '{outside}/secret.csv' FORMAT CSV",
        f"SELECT 1 INTO OUTFILE '{outside}/written.csv'",
        f"CREATE TABLE rocks (a String) ENGINE = EmbeddedRocksDB(0, '{outside}/rocks') PRIMARY KEY a",
        "SELECT file('/proc/self/environ')",
        "SELECT file('/etc/passwd')",
        f"SELECT * FROM url('http://127.9.8.7:{port}/x.csv', CSV, 'a String') SETTINGS http_max_tries = 1",
    ]
    works = ["CREATE TABLE own (a String) ENGINE = MergeTree ORDER BY a", "INSERT INTO own VALUES ('x')"]
    works += ["OPTIMIZE TABLE own FINAL", "SELECT toTimeZone(toDateTime(0, 'UTC'), 'Asia/Tokyo'), a FROM own"]
    # Many times: one thread of the engine's pool that the fence does not hold is enough to let it through.
    statements = [*works, *refused * 25]
    done = subprocess.run(
        [sys.executable, "-c", ENGINE, str(inside)],
        input=json.dumps(statements), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    *answers, spawned = json.loads(done.stdout.splitlines()[-1])
    kinds = {(statement, answer.split()[0]) for statement, answer in zip(statements, answers, strict=True)}
    assert kinds == {*((statement, "ok") for statement in works), *((statement, "error") for statement in refused)}
    assert answers[3] == "ok 1970-01-01 09:00:00\tx\n"
    assert "secret" not in "".join(answers).replace("secret.csv", "")
    assert sorted(path.name for path in outside.iterdir()) == ["secret.csv"]
    assert (came, spawned) == ([], "error")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM url('http://127.9.8.7:{port}/x', CSV, 'a String')",
        "SELECT * FROM urlCluster('default', 'http://127.9.8.7:{port}/x', CSV, 'a String')",
        "SELECT * FROM s3('http://127.9.8.7:{port}/bucket/x.csv', CSV, 'a String')",
        "SELECT * FROM gcs('http://127.9.8.7:{port}/bucket/x.csv', CSV, 'a String')",
        "SELECT * FROM iceberg('http://127.9.8.7:{port}/bucket/')",
        "SELECT * FROM deltaLake('http://127.9.8.7:{port}/bucket/')",
        "SELECT * FROM hudi('http://127.9.8.7:{port}/bucket/')",
        "SELECT * FROM paimon('http://127.9.8.7:{port}/bucket/')",
        "SELECT * FROM azureBlobStorage('http://127.9.8.7:{port}/account', 'c', 'x.csv', 'account', 'a2V5', 'CSV')",
        "SELECT * FROM hdfs('hdfs://127.9.8.7:{port}/x', CSV, 'a String')",
        "SELECT * FROM remote('127.9.8.7:{port}', system.one)",
        "SELECT * FROM remoteSecure('127.9.8.7:{port}', system.one)",
        "SELECT * FROM mysql('127.9.8.7:{port}', 'a', 'b', 'c', 'd')",
        "SELECT * FROM postgresql('127.9.8.7:{port}', 'a', 'b', 'c', 'd')",
        "SELECT * FROM mongodb('127.9.8.7:{port}', 'a', 'b', 'c', 'd', 'x String')",
        "SELECT * FROM redis('127.9.8.7:{port}', 'k', 'k String, v String')",
        "SELECT * FROM odbc('DSN=127.9.8.7:{port}', 'a', 'b')",
        "SELECT * FROM jdbc('jdbc:mysql://127.9.8.7:{port}', 'a', 'b')",
        "SELECT * FROM ytsaurus('http://127.9.8.7:{port}', '//t', 'token', 'a String')",
        "SELECT * FROM bigquery('http://127.9.8.7:{port}', 'a', 'b')",
        "DESCRIBE TABLE url('http://127.9.8.7:{port}/x.csv')",
        "INSERT INTO FUNCTION url('http://127.9.8.7:{port}/', CSV, 'a UInt8') SELECT 1",
        "CREATE DATABASE trick ENGINE = MySQL('127.9.8.7:{port}', 'a', 'b', 'c')",
        "CREATE DATABASE trick ENGINE = PostgreSQL('127.9.8.7:{port}', 'a', 'b', 'c')",
        "CREATE DATABASE trick ENGINE = DataLakeCatalog('http://127.9.8.7:{port}') SETTINGS catalog_type='rest', warehouse='w'",
        "CREATE TABLE trick (a String) ENGINE = Kafka('127.9.8.7:{port}', 't', 'g', 'CSV')",
        "CREATE TABLE trick (a String) ENGINE = S3('http://127.9.8.7:{port}/bucket/x.csv')",
        "CREATE TABLE trick (a String) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(name = 'w', type = 'web', "
        "endpoint = 'http://127.9.8.7:{port}/')",
        "SELECT 1 SETTINGS format_avro_schema_registry_url = 'http://127.9.8.7:{port}'",
        "SELECT aiGenerate('x', map('endpoint', 'http://127.9.8.7:{port}/', 'credentials', 'a'))",
        "BACKUP DATABASE leewatch TO S3('http://127.9.8.7:{port}/bucket/x', 'a', 'b')",
    ],
)  # fmt: skip
def test_no_statement_makes_the_store_connect_anywhere(
    statement: str, store: Settings, listener: tuple[int, list[str]]
) -> None:
    port, came = listener
    where = address(store)
    url, auth = f"http://{where.host}:{where.port}/", (where.user, where.password)
    answer = httpx.post(url, content=statement.format(port=port), auth=auth, timeout=60, trust_env=False)
    assert answer.status_code >= 400, answer.text
    assert came == []


@needs_landlock
def test_a_running_store_is_fenced(store: Settings) -> None:
    log = store.data.parent / f"{store.data.name}.log"
    assert f"the kernel keeps the store to {store.data}" in log.read_text()
