"""`content: drop` from the wire to the scores: every span is scored, and its texts are nowhere afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from collector.bench.processes import Installation
from leewatch.storage.client import connect
from leewatch.testing import otlp
from leewatch.testing.waiting import until

MARKER = "quokka-7341"
SPANS = 12
SETTINGS = {
    "REDACTION__CONTENT": "drop",
    "ANALYZERS__INTERVAL_SECONDS": 0.5,
    "ANALYZERS__CONTENT_WAIT_SECONDS": 4,
    "ANALYZERS__OVERLAP_SECONDS": 0,
    "ANALYZERS__THREADS": 1,
    "COLLECTOR__KEEP_SECONDS": 0,
}


def _chat(number: int) -> dict[str, Any]:
    """A span that carries its texts, of a service of its own."""
    said = [{"role": "user", "content": f"What does the {MARKER} eat on day {number}?"}]
    answer = [{"role": "assistant", "content": f"The {MARKER} eats grass on day {number}.", "finish_reason": "stop"}]
    document = json.dumps([{"id": "d", "content": f"The {MARKER} eats leaves and grass."}])
    return {
        "attributes": {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "m-1",
            "gen_ai.input.messages": json.dumps(said),
            "gen_ai.output.messages": json.dumps(answer),
            "gen_ai.retrieval.documents": document,
        },
        "events": [{"name": "exception", "attributes": {"exception.type": "E", "exception.message": f"no {MARKER}"}}],
        "trace_id": f"{number + 1:032x}",
        "span_id": f"{number + 1:016x}",
    }


def _apart(number: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A span whose texts come by log records."""
    span = _chat(number)
    ids = {"trace_id": span["trace_id"], "span_id": span["span_id"]}
    attributes = {key: span["attributes"][key] for key in ("gen_ai.operation.name", "gen_ai.request.model")}
    said = {"event_name": "gen_ai.user.message", "body": {"content": f"A question about the {MARKER}?"}, **ids}
    answer = {"content": f"An answer about the {MARKER}.", "role": "assistant"}
    choice = {"event_name": "gen_ai.choice", "body": {"index": 0, "finish_reason": "stop", "message": answer}, **ids}
    return {"attributes": attributes, **ids}, [said, choice]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path / "data", SETTINGS)
    try:
        installation.start("store")
        installation.start("collector")
        yield installation
    finally:
        installation.close()


def _send(running: Installation, service: str, first: int, apart: bool) -> None:
    resource = {"service.name": service}
    spans, records = [], []
    for number in range(first, first + SPANS):
        span, of_span = _apart(number) if apart else (_chat(number), [])
        spans.append(span)
        records += of_span
    assert running.post(otlp.traces(spans, resource).SerializeToString()).status_code == 200
    if records:
        assert running.post(otlp.logs(records, resource).SerializeToString(), "/v1/logs").status_code == 200
    until(lambda: running.accounting()["spooled"] + running.accounting()["logs"]["spooled"] == 0)


def _one(client: Client, query: str) -> Any:
    return client.query(query).result_rows[0][0]


def _stored(client: Client) -> str:
    """Every row of every table, of the database and of its own log tables, as text."""
    tables = client.query(
        "SELECT database, name FROM system.tables WHERE total_rows > 0 AND (database = currentDatabase() OR database = 'system')"
    ).result_rows
    return "\n".join(
        client.raw_query(f"SELECT * FROM `{database}`.`{name}` FORMAT JSONEachRow").decode(errors="replace")
        for database, name in tables
    )


@pytest.mark.slow
def test_every_span_is_scored_and_its_texts_are_nowhere_afterwards(running: Installation) -> None:
    client = connect(running.settings)
    _send(running, "carried", 0, apart=False)
    _send(running, "apart", 100, apart=True)
    waiting = "SELECT uniqExact(trace_id) FROM llm_content_waiting WHERE position(toString(tuple(*)), '{}') > 0"
    assert _one(client, waiting.format(MARKER)) == 2 * SPANS

    client.command("ALTER TABLE otel_traces ADD CONSTRAINT good CHECK NOT startsWith(SpanName, 'bad')")
    refused = otlp.traces([{**_chat(300), "name": "bad"}]).SerializeToString()
    assert running.post(refused).status_code == 200
    until(lambda: running.accounting()["dead_lettered"] == 1)
    client.command("ALTER TABLE otel_traces DROP CONSTRAINT good")
    assert "VIOLATED_CONSTRAINT" in _one(client, "SELECT reason FROM dead_letters")

    running.start("analyzers", wait=False)
    scored = (
        "SELECT count() FROM scores FINAL WHERE service = '{}' AND name = 'response.toxicity' AND value IS NOT NULL"
    )
    until(lambda: all(_one(client, scored.format(name)) == SPANS for name in ("carried", "apart")), 90)
    vectors = "SELECT count() FROM embeddings FINAL WHERE notEmpty(vector) AND service IN ('carried', 'apart')"
    until(lambda: _one(client, vectors) == 4 * SPANS)
    grounded = "SELECT countIf(value IS NOT NULL) FROM scores FINAL WHERE name = 'response.hallucination' AND service = 'carried'"
    until(lambda: _one(client, grounded) == SPANS)
    until(lambda: _one(client, "SELECT count() FROM llm_content_waiting") == 0, 60)
    assert MARKER not in _stored(client)
    lengths = "SELECT countIf(content_dropped AND prompt_length > 0) FROM llm_spans FINAL WHERE service = 'carried'"
    assert _one(client, lengths) == SPANS

    running.stop("analyzers")
    _send(running, "lost", 200, apart=False)
    running.stop("store")
    running.start("store")
    running.start("analyzers", wait=False)
    reasons = "SELECT groupArray((reason, value)) FROM (SELECT DISTINCT reason, value FROM scores FINAL WHERE service = 'lost')"
    until(lambda: _one(client, "SELECT uniqExact(span_id) FROM scores WHERE service = 'lost'") == SPANS, 90)
    assert _one(client, reasons) == [("content dropped before it was scored", None)]
    assert MARKER not in _stored(client)
    for role in ("analyzers", "collector", "store"):
        running.stop(role)
    files = [path for path in running.data.rglob("*") if path.is_file() and "spool" not in path.parts]
    assert [str(path) for path in files if MARKER.encode() in path.read_bytes()] == []
