"""`leewatch status` counts log records whose span has not come."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from leewatch.cli import status
from leewatch.config import Settings
from leewatch.semconv import sql
from leewatch.storage.client import connect
from leewatch.testing import otlp

TRACE = "0af7651916cd43dd8448eb211c80319c"


def record(span_id: str, event: str = "gen_ai.user.message") -> dict[str, Any]:
    return {"event_name": event, "trace_id": TRACE, "span_id": span_id, "body": {"content": "Hi"}}


def test_records_count_once_they_waited_and_no_more_when_the_span_comes(database: Settings) -> None:
    client = connect(database)
    now = time.time_ns()

    def send(signal: str, request: Any, batch: str, age_s: int) -> None:
        body = otlp.batch_body([request], batch, received_at=now - age_s * 1_000_000_000)
        client.raw_insert(
            f"otlp_{signal}", insert_block=body, settings=dict(sql.ingest_settings(signal)), fmt="ProtobufSingle"
        )

    waited = [
        record("00000000000000a1"),
        record("00000000000000a2"),
        record("00000000000000a3", "gen_ai.evaluation.result"),
    ]
    send(
        "logs", otlp.logs([*waited, {"body": "no event", "trace_id": TRACE, "span_id": "00000000000000a4"}]), "old", 120
    )
    send("logs", otlp.logs([record("00000000000000a5")]), "new", 5)
    assert orphans(database) == 2
    send("traces", otlp.traces([{"trace_id": TRACE, "span_id": "00000000000000a1", "attributes": {}}]), "late", 0)
    assert orphans(database) == 1
    patient = database.collector.model_copy(update={"orphaned_after_seconds": 600})
    assert orphans(replace(database, sections={**database.sections, "collector": patient})) == 0
    client.close()


def orphans(settings: Settings) -> int:
    return int(status.collect(settings)["orphaned_logs"])
