"""The path of a request: acks are durable, duplicates are recognized, a full or broken spool is a retryable refusal."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector import metrics as m
from collector import status
from collector.accounting import Totals
from collector.intake import Intake
from collector.spool import Spool
from leewatch.config import CollectorSection


class Disk:
    """fsync that waits for `gate` and then fails as often as told."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.failures = 0

    def __call__(self, descriptor: int) -> None:
        self.gate.wait(5)
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EIO, "Input/output error")


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def spool(tmp_path: Path, disk: Disk) -> Iterator[Spool]:
    spool = Spool(tmp_path, "traces", 64 << 20, sync=disk)
    yield spool
    spool.close()


def intake_of(spool: Spool, **keys: int) -> Intake:
    return Intake(CollectorSection(**keys), {"traces": spool}, m.Metrics())  # type: ignore[arg-type]


def body(*names: str, span_id: bytes = b"s" * 8, padding: int = 0) -> bytes:
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for name in names:
        spans.add(trace_id=b"t" * 16, span_id=span_id, name=name + "." * padding)
    return request.SerializeToString()


def test_an_identical_request_is_acked_and_counted_as_duplicate(spool: Spool) -> None:
    intake = intake_of(spool)

    async def twice() -> None:
        await intake.take("traces", body("a", "b"), "grpc")
        await intake.take("traces", body("a", "b"), "http")

    asyncio.run(twice())
    assert spool.totals() == Totals(received=4, duplicate=2, spooled=2)


def test_duplicates_are_known_after_a_restart(tmp_path: Path) -> None:
    for expected in (Totals(received=1, spooled=1), Totals(received=2, duplicate=1, spooled=1)):
        spool = Spool(tmp_path, "traces", 64 << 20)
        intake = intake_of(spool)
        asyncio.run(intake.take("traces", body("a"), "grpc"))
        assert spool.totals() == expected
        spool.close()


def test_a_forgotten_request_is_new_again(spool: Spool) -> None:
    intake = intake_of(spool)

    async def scenario() -> None:
        await intake.take("traces", body("a"), "grpc")
        intake.forget("traces", spool.digests())
        await intake.take("traces", body("a"), "grpc")

    asyncio.run(scenario())
    assert spool.totals().spooled == 2


def test_a_copy_is_not_acked_on_the_strength_of_a_write_that_fails(spool: Spool, disk: Disk) -> None:
    intake = intake_of(spool)

    async def scenario() -> list[object]:
        disk.gate.clear()
        disk.failures = 1
        first = asyncio.create_task(intake.take("traces", body("a"), "grpc"))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(intake.take("traces", body("a"), "grpc"))
        await asyncio.sleep(0.05)
        disk.gate.set()
        return await asyncio.gather(first, second, return_exceptions=True)

    first, second = asyncio.run(scenario())
    assert isinstance(first, status.Refusal)
    assert first.retry_after
    assert not isinstance(second, Exception)
    assert spool.totals() == Totals(received=1, spooled=1)


def test_a_sender_that_hangs_up_does_not_take_its_request_back(spool: Spool, disk: Disk) -> None:
    intake = intake_of(spool)

    async def scenario() -> None:
        disk.gate.clear()
        task = asyncio.create_task(intake.take("traces", body("a"), "grpc"))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        disk.gate.set()
        await intake.take("traces", body("a"), "grpc")

    asyncio.run(scenario())
    assert spool.totals() == Totals(received=2, duplicate=1, spooled=1)


def test_a_full_spool_refuses_with_a_hint_and_keeps_what_it_has(spool: Spool) -> None:
    intake = intake_of(spool, max_spool_mb=16, max_value_mb=64)

    async def scenario() -> None:
        await intake.take("traces", body("a", padding=15 << 20), "grpc")
        with pytest.raises(status.Refusal, match=r"the spool is full.*collector.max_spool_mb") as caught:
            await intake.take("traces", body("b", padding=2 << 20), "grpc")
        assert (caught.value.http, caught.value.retry_after > 0) == (503, True)

    asyncio.run(scenario())
    assert spool.totals() == Totals(received=1, spooled=1)


def test_refused_spans_are_counted_even_when_nothing_is_stored(spool: Spool) -> None:
    intake = intake_of(spool)
    accepted = asyncio.run(intake.take("traces", body("a", "b", span_id=b""), "grpc"))
    assert accepted.rejected == 2
    assert spool.totals() == Totals(received=2, rejected=2)


def test_the_same_bytes_from_two_projects_are_two_requests(spool: Spool) -> None:
    intake = intake_of(spool)

    async def scenario() -> None:
        for project in ("default", "shop", "shop"):
            await intake.take("traces", body("a"), "grpc", project)

    asyncio.run(scenario())
    assert intake.accounts()["traces"] == {
        "default": Totals(received=1, spooled=1),
        "shop": Totals(received=2, duplicate=1, spooled=1),
    }
