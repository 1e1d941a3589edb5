"""The role `store` as a process: one per directory and port, durable, bounded in memory."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from leewatch.cli import doctor
from leewatch.config import Settings, load
from leewatch.storage.client import address, connect


@pytest.fixture
def harness(request: pytest.FixtureRequest) -> ModuleType:
    path = request.config.rootpath / "tests" / "conftest.py"
    spec = importlib.util.spec_from_file_location("shared_conftest", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def settings(tmp_path: Path, harness: ModuleType) -> Settings:
    port = harness.free_port()
    return load(data=tmp_path / "data", environment={}, overrides={"store": {"port": port}})


def _start(harness: ModuleType, data: Path, port: int) -> tuple[int, str]:
    """Exit code and output of a store that is expected not to come up."""
    command = [sys.executable, "-c", harness._START, str(data), str(port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


def test_a_second_store_is_refused_for_directory_and_for_port(
    store: Settings, harness: ModuleType, tmp_path: Path
) -> None:
    code, text = _start(harness, store.data, harness.free_port())
    assert (code, str(store.data) in text, "--data" in text) == (2, True, True)
    code, text = _start(harness, tmp_path / "other", store.store.port)
    assert (code, f"port {store.store.port}" in text, "LEEWATCH_STORE__PORT" in text) == (2, True, True)
    assert not (tmp_path / "other" / "store").exists()


def test_merges_give_way_to_inserts(store: Settings) -> None:
    client = connect(store)
    setting = "SELECT value FROM system.server_settings WHERE name = 'os_threads_nice_value_merge_mutate'"
    at_once = "extract(engine_full, 'min_parts_to_merge_at_once = ([0-9]+)')"
    parts = f"SELECT {at_once} FROM system.tables WHERE database = currentDatabase() AND name = {{t:String}}"
    found = {table: client.command(parts, parameters={"t": table}) for table in ("otel_traces", "llm_spans")}
    assert (int(client.command(setting)), found) == (10, {"otel_traces": 12, "llm_spans": 12})
    client.close()


def test_kill_9_under_load_loses_no_answered_insert(settings: Settings, harness: ModuleType) -> None:
    running = harness.StoreProcess(settings.data, settings.store.port).start()
    setup = connect(settings)
    setup.command("CREATE TABLE kept (n UInt64) ENGINE = MergeTree ORDER BY n")
    answered: list[int] = []

    def write(worker: int) -> None:
        client = connect(settings)
        try:
            for n in range(10_000):
                client.insert("kept", [[n * 4 + worker]], column_names=["n"])
                answered.append(n * 4 + worker)
        except (ClickHouseError, OSError):
            pass

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    while len(answered) < 40 and time.monotonic() < deadline:
        time.sleep(0.01)
    running.kill()
    for thread in threads:
        thread.join(30)
    running.start()
    client = connect(settings)
    stored = {row[0] for row in client.query("SELECT n FROM kept").result_rows}
    assert len(answered) >= 40
    assert set(answered) <= stored
    assert running.stop() == 0


def test_half_a_million_rows_stream_without_sitting_in_memory(database: Settings, harness: ModuleType) -> None:
    where = address(database)
    client = clickhouse_connect.get_client(
        host=where.host, port=where.port, username=where.user, password=where.password
    )
    pid = _listener_pid(database)
    client.command("SELECT 1")
    sql = "SELECT number, repeat(toString(number % 10), 500) AS text FROM numbers(500000)"
    with client.query_row_block_stream("SELECT number, repeat('x', 500) FROM numbers(100000)") as blocks:
        assert sum(len(block) for block in blocks) == 100_000
    before = _rss_mb(pid)
    highest = 0.0
    rows = 0
    with client.query_row_block_stream(sql, settings={"max_block_size": 8192}) as blocks:
        for block in blocks:
            rows += len(block)
            highest = max(highest, _rss_mb(pid))
    assert rows == 500_000
    # The answer is 255 MB; a few blocks of 4 MB may be under way, and freed memory goes back late.
    assert highest - before < 120
    client.close()


def _listener_pid(settings: Settings) -> int:
    """The process that holds the store's data directory."""
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                line = (process / "cmdline").read_bytes()
            except OSError:
                continue
            if str(settings.data).encode() in line:
                return int(process.name)
    raise AssertionError("no store process found")


def _rss_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 1024 / 1024


def test_the_doctor_finds_a_running_store_healthy(store: Settings) -> None:
    checks = {check.name: check.state for check in doctor.database(_as_server(store))}
    assert checks == {"database": "ok", "clock": "ok", "views": "ok", "parts": "ok"}


def test_the_doctor_finds_a_store_that_redacts_otherwise_than_the_configuration(store: Settings) -> None:
    checks = {check.name: check.state for check in doctor.database(_as_server(store, redaction={"mode": "mask"}))}
    assert checks["views"] == "failed"


def _as_server(store: Settings, **sections: dict[str, str]) -> Settings:
    where = address(store)
    dsn = f"http://{where.user}:{where.password}@{where.host}:{where.port}/{where.database}"
    return load(data=store.data, environment={}, overrides={"storage": {"dsn": dsn}, **sections})
