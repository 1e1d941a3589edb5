"""Content that is not to be kept: it waits in memory until the analyzers have scored it. Made only where a project drops its content.

The table is of the engine Memory: nothing of it is written to disk, a restart of the database empties it, and beyond its size the
oldest blocks go. Whoever reads it must take "not there" for an answer.
"""

# ruff: noqa: E501, S608 - SQL is generated here from constants, and reads better unbroken

from __future__ import annotations

from leewatch.semconv import events
from leewatch.semconv.columns import COLUMNS
from leewatch.semconv.object import SqlObject

TABLE = "llm_content_waiting"
VIEW = "span_content_waiting"
_EVENTS = "Array(Tuple(time UInt64, event String, body String))"
_TEXTS = tuple(column.name for column in COLUMNS if column.table == "content")


def table(megabytes: int) -> SqlObject:
    """The table, with the columns of llm_content."""
    texts = ", ".join(f"{name} Nullable(String)" for name in _TEXTS)
    columns = (
        f"project LowCardinality(String), trace_id String, span_id String, ts DateTime64(9, 'UTC'), {texts}, "
        f"event_messages {_EVENTS}, ingested_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')"
    )
    most = megabytes * 1024 * 1024
    return SqlObject(
        TABLE,
        f"CREATE TABLE {TABLE} ({columns}) ENGINE = Memory SETTINGS min_bytes_to_keep = {most // 2}, max_bytes_to_keep = {most}",
        f"DROP TABLE IF EXISTS {TABLE}",
    )


def view() -> SqlObject:
    """The waiting content by span, as `span_content` has the content that is kept."""
    texts = ", ".join(f"anyLast(w.{name}) AS {name}" for name in _TEXTS)
    rows = (
        f"SELECT project, trace_id, span_id, max(w.ts) AS ts, {texts}, groupUniqArrayArray(w.event_messages) AS event_messages, "
        f"max(w.ingested_at) AS ingested_at FROM {TABLE} AS w GROUP BY project, trace_id, span_id"
    )
    return SqlObject(VIEW, f"CREATE VIEW {VIEW} AS {events.read_view(f'({rows})')}", f"DROP VIEW IF EXISTS {VIEW}")
