"""The collector on a disk that is full, read-only or damaged: what is acked stays, the rest is refused with a hint."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.bench.load import requests
from collector.bench.processes import AT_ONCE, Installation
from leewatch.config import Settings
from leewatch.storage.client import connect
from leewatch.testing.waiting import until

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
PROTOBUF = {"Content-Type": "application/x-protobuf"}


def load(spans: int, seed: int, pad: int = 0) -> bytes:
    """A request; its first span has a name of `pad` bytes more."""
    (body,) = requests(1, spans, seed, time.time_ns())
    request = ExportTraceServiceRequest.FromString(body)
    request.resource_spans[0].scope_spans[0].spans[0].name += "x" * pad
    return request.SerializeToString()


def metric(running: Installation, name: str) -> float:
    text = httpx.get(f"{running.http_url}/metrics", trust_env=False).text
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))


def stored_spans(settings: Settings) -> tuple[int, int]:
    client = connect(settings)
    try:
        return tuple(client.query("SELECT count(), uniqExact(TraceId, SpanId) FROM otel_traces").result_rows[0])
    finally:
        client.close()


def mount(*arguments: str) -> bool:
    program = shutil.which("mount")
    return (
        program is not None and subprocess.run([program, *arguments], capture_output=True, check=False).returncode == 0
    )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or not mount("-t", "tmpfs", "-o", "size=24m", "leewatch-test", str(disk)):
        pytest.skip("mounting a small file system takes root")
    yield disk
    mount("-o", "remount,rw", str(disk))
    for _ in range(50):
        if subprocess.run(["umount", str(disk)], capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.1)


@pytest.mark.parametrize("min_free_mb", [0, pytest.param(4, marks=pytest.mark.slow)])
def test_a_full_disk_refuses_with_a_hint_loses_nothing_and_recovers_by_itself(
    small_disk: Path, database: Settings, min_free_mb: int, dsn: str
) -> None:
    keys = {"STORAGE__DSN": "http://u:p@127.0.0.1:9/leewatch", "COLLECTOR__MIN_FREE_MB": min_free_mb}
    running = Installation(small_disk / "data", keys)
    acked = 0
    try:
        running.start("collector")
        for number in range(40):
            answer = running.post(load(2, number, pad=900_000))
            if answer.status_code != 200:
                break
            acked += 2
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert acked >= 20
        with grpc.insecure_channel(running.grpc_target) as channel, pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(TRACES)(load(2, 99, pad=1_800_000), timeout=30)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        hint = RetryInfo()
        details = Status.FromString(dict(caught.value.trailing_metadata())["grpc-status-details-bin"]).details
        assert details[0].Unpack(hint)
        assert 1 <= hint.retry_delay.seconds <= 3
        assert running.accounting()["spooled"] == acked
        running.kill("collector")
        running.environment["LEEWATCH_STORAGE__DSN"] = dsn
        running.start("collector")
        until(lambda: running.accounting()["stored"] == acked)
        # What is stored makes room: its payloads are given up before anybody is refused.
        until(lambda: running.post(load(2, 500, pad=1_800_000)).status_code == 200)
        until(lambda: running.accounting()["stored"] == acked + 2)
        assert stored_spans(database) == (acked + 2, acked + 2)
    finally:
        running.close()


def test_a_disk_that_becomes_read_only_refuses_until_it_is_writable_again(
    small_disk: Path, database: Settings, dsn: str
) -> None:
    running = Installation(small_disk / "data", {"STORAGE__DSN": dsn, **AT_ONCE})
    running.environment["LEEWATCH_COLLECTOR__MIN_FREE_MB"] = "0"
    try:
        running.start("collector")
        assert running.post(load(3, 1)).status_code == 200
        until(lambda: running.accounting()["stored"] == 3)
        running.log("collector").rename(running.log("collector").with_name("before.log"))
        running.stop("collector")
        assert mount("-o", "remount,ro", str(small_disk))
        with (small_disk.parent / "out").open("wb") as out:
            ended = subprocess.run(
                [str(Path(sys.executable).with_name("leewatch")), "run", "collector"],
                env={**os.environ, **running.environment, "LEEWATCH_DATA": str(running.data)},
                stdout=out,
                stderr=out,
                timeout=60,
                check=False,
            )
        told = " ".join((small_disk.parent / "out").read_text().split())
        assert (ended.returncode, "cannot be written" in told, "Traceback" in told) == (2, True, False)
        assert mount("-o", "remount,rw", str(small_disk))
        running.start("collector")
        assert running.post(load(3, 2)).status_code == 200
        until(lambda: running.accounting()["stored"] == 6)
    finally:
        running.close()


def test_damage_in_the_middle_of_a_segment_costs_only_the_records_it_hit(
    database: Settings, tmp_path: Path, dsn: str
) -> None:
    running = Installation(tmp_path / "data", {"STORAGE__DSN": "http://u:p@127.0.0.1:9/leewatch"})
    try:
        running.start("collector")
        for seed in range(5):
            assert running.post(load(4, seed)).status_code == 200
        running.kill("collector")
        (segment,) = (running.data / "spool" / "traces").glob("*.seg")
        data = bytearray(segment.read_bytes())
        middle = len(data) // 2
        data[middle : middle + 20] = bytes(20)
        segment.write_bytes(data)
        (running.data / "spool" / "traces" / "checkpoint.json").write_bytes(b"\x00\x00")
        running.environment["LEEWATCH_STORAGE__DSN"] = dsn
        running.start("collector")
        until(lambda: running.accounting()["stored"] == 16)
        assert stored_spans(database) == (16, 16)
        assert metric(running, 'leewatch_collector_quarantine_bytes{signal="traces"}') > 1000
        assert "DAMAGED" in running.log("collector").read_text()
        assert len(list((running.data / "spool" / "traces" / "quarantine").iterdir())) == 2
    finally:
        running.close()


def test_while_the_store_stands_still_requests_are_acked_and_later_stored_once(tmp_path: Path) -> None:
    running = Installation(tmp_path / "data", {**AT_ONCE, "STORE__MAX_MEMORY_MB": 1024})
    try:
        running.start("store")
        running.start("collector")
        assert running.post(load(3, 1)).status_code == 200
        until(lambda: running.accounting()["stored"] == 3)
        running.send("store", signal.SIGSTOP)
        for seed in range(2, 12):
            assert running.post(load(3, seed)).status_code == 200
        time.sleep(3)
        assert running.accounting()["spooled"] == 30
        running.send("store", signal.SIGCONT)
        until(lambda: running.accounting()["stored"] == 33)
        assert stored_spans(running.settings) == (33, 33)
    finally:
        running.close()


def test_requests_in_flight_are_limited_and_so_is_memory(tmp_path: Path) -> None:
    keys = {"STORAGE__DSN": "http://u:p@127.0.0.1:9/leewatch", "COLLECTOR__MAX_INFLIGHT_MB": 48}
    running = Installation(tmp_path / "data", keys)
    answers: Counter[object] = Counter()
    body = load(1, 1, pad=20 << 20)

    def over_http(seed: int) -> None:
        answers[running.post(load(1, seed, pad=20 << 20)).status_code] += 1

    def over_grpc(_: int) -> None:
        with grpc.insecure_channel(running.grpc_target, options=[("grpc.max_send_message_length", -1)]) as channel:
            try:
                channel.unary_unary(TRACES)(body, timeout=60)
                answers["OK"] += 1
            except grpc.RpcError as error:
                answers[error.code().name] += 1

    try:
        running.start("collector")
        threads = [threading.Thread(target=over_http, args=(seed,)) for seed in range(2, 14)]
        threads += [threading.Thread(target=over_grpc, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(answers) <= {200, 503, "OK", "UNAVAILABLE"}
        assert answers[503] > 0
        assert answers[200] > 0
        assert running.usage("collector").peak_rss_mb < 500
        assert running.post(load(1, 50)).status_code == 200
        assert metric(running, "leewatch_collector_inflight_bytes") == 0
    finally:
        running.close()
