"""The SQL of the ingest path, from where it is generated or kept."""

from __future__ import annotations

from collections.abc import Callable

from collector.segment import SIGNALS, Signal
from collector.tables import Statements
from leewatch.semconv import sql
from leewatch.semconv.lookup import NO_KEYS, OwnKeys
from leewatch.storage import queries

DERIVED: dict[Signal, tuple[str, ...]] = {
    "traces": ("otel_traces_trace_id_ts", "llm_spans", "llm_content", "scores"),
    "logs": ("llm_content_from_logs", "llm_span_facts_from_logs", "scores_from_logs"),
    "metrics": (),
}
"""What the views derive from the raw table of each signal."""


def statements(
    redaction_key: bytes = b"", own: OwnKeys = NO_KEYS, drops: Callable[[str], bool] = lambda _: False
) -> Statements:
    """Everything a delivery runs.

    redaction_key: what hashed values are keyed with, where any are. own: attribute keys of the user's. drops: whether the
    content of a project is dropped.
    """
    return Statements(
        insert={name: sql.INGEST[name] for name in SIGNALS},
        settings={name: sql.ingest_settings(name) for name in SIGNALS},
        repairs={
            name: {table: sql.repair_statement(table, ranged=True, own=own) for table in DERIVED[name]}
            for name in SIGNALS
        },
        queries=queries.load("collector"),
        redaction_key=redaction_key,
        drops=drops,
    )
