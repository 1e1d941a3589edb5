"""Projects that share segments share inserts too, and nothing else: each one's spans are stored once and counted apart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from collector import metrics as m
from collector.accounting import Totals
from collector.bench.load import requests
from collector.database import Database
from collector.delivery import Delivery
from collector.intake import Intake
from collector.segment import Segment
from collector.spool import Spool
from collector.statements import statements
from leewatch.config import CollectorSection, Settings
from leewatch.storage.client import connect

SPANS = 5
PROJECTS = ("default", "shop", "web")


@dataclass
class Way:
    """The way of a span from its ack to the database, without a network."""

    settings: Settings
    spool: Spool
    delivery: Delivery

    def send(self, body: bytes, *projects: str) -> Segment:
        """Acks the body once for each project; the sealed segment that holds it."""
        intake = Intake(CollectorSection(), {"traces": self.spool}, m.Metrics())

        async def take() -> None:
            for project in projects:
                await intake.take("traces", body, "grpc", project)

        asyncio.run(take())
        segment = self.spool.take(0, 5)
        assert segment is not None
        return segment

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        client = connect(self.settings)
        try:
            return [tuple(row) for row in client.query(query).result_rows]
        finally:
            client.close()

    def run(self, statement: str) -> None:
        client = connect(self.settings)
        client.command(statement)
        client.close()


@pytest.fixture
def way(database: Settings, tmp_path: Path) -> Iterator[Way]:
    spool = Spool(tmp_path, "traces", 64 << 20)
    with httpx.Client(timeout=60, trust_env=False) as client:
        delivery = Delivery("traces", spool, Database(database, client, lambda _: None), statements(), m.Metrics())
        yield Way(database, spool, delivery)
    spool.close()


def body(seed: int = 1) -> bytes:
    return next(iter(requests(1, SPANS, seed, time.time_ns())))


BY_PROJECT = {
    "otel_traces": "SELECT Project, count(), uniqExact(TraceId, SpanId) FROM otel_traces GROUP BY Project ORDER BY Project",
    "llm_spans": "SELECT project, count(), uniqExact(trace_id, span_id) FROM llm_spans GROUP BY project ORDER BY project",
    "batches": "SELECT project, sum(spans), sum(spans) FROM batches GROUP BY project ORDER BY project",
}


def assert_stored_once(way: Way, *projects: str) -> None:
    for query in BY_PROJECT.values():
        assert way.rows(query) == [(project, SPANS, SPANS) for project in projects]
    assert way.spool.accounts() == {project: Totals(received=SPANS, stored=SPANS) for project in projects}


def test_the_same_bytes_of_three_projects_take_one_insert_and_are_stored_for_each(way: Way) -> None:
    segment = way.send(body(), *PROJECTS)
    assert way.delivery.deliver(segment, clean=True)
    assert_stored_once(way, *PROJECTS)
    assert way.rows("SELECT uniqExact(Batch) FROM otel_traces") == [(3,)]
    assert way.rows("SELECT count() FROM system.parts WHERE active AND table = 'otel_traces'") == [(1,)]


def test_an_insert_whose_answer_was_lost_is_repeated_without_a_trace(way: Way) -> None:
    segment = way.send(body(), *PROJECTS)
    assert way.delivery.deliver(segment, clean=True)
    again = Spool(way.spool._directory.with_name("again"), "traces", 1)
    (again._directory / segment.path.name).write_bytes(segment.path.read_bytes()[: _unsettled(segment)])
    again.close()
    recovered = Spool(again._directory, "traces", 1)
    way.spool, way.delivery._spool = recovered, recovered
    repeated = recovered.take(0, 5)
    assert repeated is not None
    way.delivery.deliver(repeated, clean=False)
    assert_stored_once(way, *PROJECTS)


def _unsettled(segment: Segment) -> int:
    last = segment.requests[-1]
    return last.offset + last.length


@pytest.mark.parametrize("lost", PROJECTS)
def test_what_a_crash_took_from_one_project_is_repaired_there_and_nowhere_else(way: Way, lost: str) -> None:
    segment = way.send(body(), *PROJECTS)
    assert way.delivery.deliver(segment, clean=True)
    segment.settlement = None
    way.spool._settled.remove(segment)
    way.spool._waiting.append(segment)
    for table, column in (("otel_traces", "Project"), ("llm_spans", "project"), ("batches", "project")):
        way.run(f"ALTER TABLE {table} DELETE WHERE {column} = '{lost}' SETTINGS mutations_sync = 2")
    assert not way.delivery.deliver(segment, clean=False)
    assert_stored_once(way, *PROJECTS)


def test_what_the_database_refuses_of_one_project_leaves_the_others_whole(way: Way) -> None:
    way.run("ALTER TABLE otel_traces ADD CONSTRAINT no_shop CHECK Project != 'shop'")
    try:
        assert not way.delivery.deliver(way.send(body(), *PROJECTS), clean=True)
    finally:
        way.run("ALTER TABLE otel_traces DROP CONSTRAINT no_shop")
    assert way.rows(BY_PROJECT["otel_traces"]) == [("default", SPANS, SPANS), ("web", SPANS, SPANS)]
    assert way.spool.accounts() == {
        "default": Totals(received=SPANS, stored=SPANS),
        "shop": Totals(received=SPANS, dead_lettered=SPANS),
        "web": Totals(received=SPANS, stored=SPANS),
    }
    ((batch, count),) = way.rows("SELECT batch, count() FROM dead_letters GROUP BY batch")
    assert (batch.endswith("@shop"), count) == (True, SPANS)
