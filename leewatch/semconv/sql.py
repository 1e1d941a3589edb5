"""The generated database objects, and how a collector inserts into them.

A collector sends `INGEST[signal]` with one message for each project, its length before it as a varint:

    request bytes + ... + request bytes + EXTRA_FIELDS (string project, uint64 received_at in Unix ns, string batch)

and the settings `ingest_settings(signal)` plus an `insert_deduplication_token`. The landing tables store nothing; views do:

    otlp_traces -> otel_traces -> otel_traces_trace_id_ts
                               -> llm_records (stores nothing) -> llm_spans, llm_content
                -> batches
    otlp_logs   -> otel_logs   -> llm_content, llm_span_facts
                               -> scores
                -> batches
    otlp_metrics -> otel_metrics_* (one per kind)
                 -> batches

The same token again adds no row to any of them. `batches` is written from the landing row, in parallel with the others: after
a crash its row alone proves nothing, so verify (TraceId, SpanId) in otel_traces and run `repair_statement` for each of REPAIRED.
"""

# ruff: noqa: E501, S608 - SQL is generated here from constants, and reads better unbroken

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from leewatch.redaction import content, intake
from leewatch.redaction.expressions import KEY
from leewatch.redaction.plan import OFF, Plan
from leewatch.semconv import (
    evaluations,
    events,
    landing,
    metric_views,
    metrics,
    normalize,
    protobuf,
    span_facts,
    waiting,
)
from leewatch.semconv.columns import COLUMNS
from leewatch.semconv.lookup import NO_KEYS, OwnKeys
from leewatch.semconv.object import SqlObject
from leewatch.semconv.protobuf import EXTRA_FIELDS

__all__ = ["EXTRA_FIELDS", "INGEST", "REPAIRED", "SqlObject", "ingest_settings", "objects", "repair_statement"]

INGEST = {
    "traces": "INSERT INTO otlp_traces FORMAT Protobuf",
    "logs": "INSERT INTO otlp_logs FORMAT Protobuf",
    "metrics": "INSERT INTO otlp_metrics FORMAT Protobuf",
}
REPAIRED = (
    "otel_traces_trace_id_ts",
    "llm_spans",
    "llm_content",
    "llm_content_from_logs",
    "llm_span_facts_from_logs",
    "scores",
    "scores_from_logs",
)
"""What `repair_statement` takes."""

_LANDINGS = {"traces": protobuf.traces(), "logs": protobuf.logs(), "metrics": metrics.landing()}


def ingest_settings(signal: str) -> dict[str, str]:
    """Settings of an insert of this signal (traces, logs or metrics): how to read the bytes, and exactly-once views."""
    request = _LANDINGS[signal]
    return {
        "format_schema_source": "string",
        "format_schema": request.proto,
        "format_schema_message_name": request.message,
        "input_format_protobuf_oneof_presence": "1",
        "async_insert": "0",
        "deduplicate_blocks_in_dependent_materialized_views": "1",
        "output_format_json_escape_forward_slashes": "0",
        # Rows of one insert need no merging among themselves: that costs as much as writing them.
        "optimize_on_insert": "0",
    }


def objects(plan: Plan = OFF, own: OwnKeys = NO_KEYS) -> list[SqlObject]:
    """All generated objects, in the order in which they are created; drop them in the reverse order.

    plan: what is redacted. own: attribute keys of the user's.
    """
    traces, logs = _LANDINGS["traces"], _LANDINGS["logs"]
    spans, records = whole(intake.TRACES, plan), whole(intake.LOGS, plan)
    steps = normalize.steps(own=own, source=spans)
    return [
        _table(traces.table, traces.columns),
        _table(logs.table, logs.columns),
        *(_table(name, columns) for name, columns in landing.BETWEEN.items()),
        *(_table(name, columns) for name, columns in {step.name: step.columns for step in steps}.items()),
        _table(events.STEP, events.STEP_COLUMNS),
        _table(evaluations.STEP, evaluations.STEP_COLUMNS),
        _table(evaluations.CARRIERS, evaluations.CARRIER_COLUMNS),
        *(_view(f"{name}_mv", name, select) for name, select in landing.between_selects().items()),
        *_raw(intake.TRACES, landing.spans_select, plan, own),
        *_raw(intake.LOGS, landing.logs_select, plan, own),
        _view("otel_traces_trace_id_ts_mv", "otel_traces_trace_id_ts", _trace_times("otel_traces")),
        *(_view(step.view, step.name, step.select()) for step in steps),
        _view("llm_spans_mv", "llm_spans", _spans(plan)),
        _view(f"{events.STEP}_mv", events.STEP, events.texts_select(records)),
        *_contents(plan),
        _view(
            f"{span_facts.TABLE}_mv", span_facts.TABLE, span_facts.select(records, dropped=_dropped(plan, "Project"))
        ),
        _view(f"{evaluations.STEP}_logs_mv", evaluations.STEP, evaluations.from_logs(records)),
        _view(f"{evaluations.CARRIERS}_mv", evaluations.CARRIERS, evaluations.carriers(spans)),
        _view(f"{evaluations.STEP}_mv", evaluations.STEP, evaluations.from_spans()),
        _view("scores_evaluations_mv", "scores", evaluations.scores_select(_dropped(plan, "Project"))),
        *_metrics(plan),
        _view("batches_traces_mv", "batches", landing.ledger_select("traces")),
        _view("batches_logs_mv", "batches", landing.ledger_select("logs")),
        SqlObject(
            "span_content", f"CREATE VIEW span_content AS {events.read_view()}", "DROP VIEW IF EXISTS span_content"
        ),
    ]


def _metrics(plan: Plan) -> list[SqlObject]:
    return [
        _table(_LANDINGS["metrics"].table, _LANDINGS["metrics"].columns),
        _table(metrics.GROUPS, metrics.group_columns(plan.redacts)),
        _view(f"{metrics.GROUPS}_mv", metrics.GROUPS, metrics.groups_select(plan.redacts)),
        *(item for kind in metrics.KINDS for item in _points(kind, plan)),
        _view("batches_metrics_mv", "batches", metrics.ledger_select()),
        *(
            SqlObject(name, f"CREATE VIEW {name} AS {select()}", f"DROP VIEW IF EXISTS {name}")
            for name, select in metric_views.VIEWS.items()
        ),
    ]


def _points(kind: str, plan: Plan) -> list[SqlObject]:
    select = partial(metrics.points_select, kind)
    return _raw(intake.metrics(kind), lambda more: select(KEY if more else ""), plan.keeping())


def whole(raw: intake.Raw, plan: Plan) -> str:
    """Table whose rows normalization reads: the raw table, or that before it where the content of some rows is dropped."""
    if not plan.drops:
        return raw.table
    return f"{raw.table}_whole" if plan.redacts else raw.intake


def _raw(raw: intake.Raw, select: Callable[[str], str], plan: Plan, own: OwnKeys = NO_KEYS) -> list[SqlObject]:
    """How rows reach a raw table: straight from the landing, or by the intake where they are redacted, and lose their content."""
    if not plan.redacts and not plan.drops:
        return [_view(f"{raw.table}_mv", raw.table, select(""))]
    before = whole(raw, plan)
    found = [
        _table(raw.intake, intake.columns(raw)),
        _view(f"{raw.intake}_mv", raw.intake, select(f", redaction_key AS {KEY}")),
    ]
    if plan.drops and plan.redacts:
        found.append(_table(before, intake.columns(raw)))
    if plan.redacts:
        found.append(_view(f"{raw.table}_redacted_mv", before, intake.select(raw, plan)))
    if plan.drops:
        found.append(_view(f"{raw.table}_dropped_mv", raw.table, content.select(raw, plan, before, own)))
    return found


def _dropped(plan: Plan, project: str) -> str:
    """SQL: whether the content of the project in this column is dropped; '' when none is."""
    return plan.dropped(project) if plan.drops else ""


def _contents(plan: Plan) -> list[SqlObject]:
    """Views that fill llm_content; content that is dropped waits in memory for the analyzers instead."""
    spans, records = _content(), events.content_select()
    if not plan.drops:
        return [
            _view("llm_content_mv", "llm_content", spans),
            _view("llm_content_logs_mv", "llm_content", records),
        ]
    by_span, by_record = plan.dropped("llm_records.project"), f" WHERE {plan.dropped('Project')}"
    return [
        waiting.table(plan.waiting_mb),
        _view("llm_content_mv", "llm_content", f"{spans} AND NOT ({by_span})"),
        _view("llm_content_logs_mv", "llm_content", f"{records} WHERE NOT ({plan.dropped('Project')})"),
        _view(f"{waiting.TABLE}_mv", waiting.TABLE, f"{spans} AND {by_span}"),
        _view(f"{waiting.TABLE}_logs_mv", waiting.TABLE, f"{records}{by_record}"),
        waiting.view(),
    ]


def repair_statement(table: str, ranged: bool = False, own: OwnKeys = NO_KEYS) -> str:
    """INSERT that adds to `table` what the batch {batch:String} should have brought and did not.

    table: one of REPAIRED. Reads otel_traces (otel_logs); run it only when those are complete. Running it again adds no row to
    llm_spans, and rows that merge away to the others. Needs no deduplication token.
    ranged: of those items alone whose cityHash64(TraceId, SpanId) lies from {low:UInt64} to {high:UInt64}.
    """
    batch = "Batch = {batch:String}"
    if ranged:
        batch += " AND cityHash64(TraceId, SpanId) BETWEEN {low:UInt64} AND {high:UInt64}"
    missing = "(TraceId, SpanId) NOT IN (SELECT trace_id, span_id FROM llm_spans WHERE batch = {batch:String})"
    spans, content = normalize.steps(normalize.SPANS_ONLY, own)[0], normalize.steps(normalize.CONTENT_ONLY, own)[0]
    target, select = {
        "otel_traces_trace_id_ts": ("otel_traces_trace_id_ts", _trace_times("otel_traces", batch)),
        "llm_spans": (spans.name, spans.select(f"{batch} AND {missing}")),
        "llm_content": (content.name, content.select(batch)),
        "llm_content_from_logs": (events.STEP, events.texts_select("otel_logs", batch)),
        "llm_span_facts_from_logs": (
            f"{span_facts.TABLE} ({span_facts.COLUMNS})",
            span_facts.select("otel_logs", batch),
        ),
        "scores": (evaluations.CARRIERS, evaluations.carriers("otel_traces", batch)),
        "scores_from_logs": (evaluations.STEP, evaluations.from_logs("otel_logs", batch)),
    }[table]
    return f"INSERT INTO {target} {select}"


def _table(name: str, columns: str) -> SqlObject:
    return SqlObject(name, f"CREATE TABLE {name} ({columns}) ENGINE = Null", f"DROP TABLE IF EXISTS {name}")


def _view(name: str, target: str, select: str) -> SqlObject:
    return SqlObject(name, f"CREATE MATERIALIZED VIEW {name} TO {target} AS {select}", f"DROP VIEW IF EXISTS {name}")


def _trace_times(source: str, where: str = "") -> str:
    condition = f" AND {where}" if where else ""
    return (
        "SELECT TraceId, toDateTime(min(Timestamp)) AS Start, toDateTime(max(Timestamp)) AS End, toDateTime(max(ReceivedAt)) AS ReceivedAt "
        f"FROM (SELECT TraceId, Timestamp, ReceivedAt FROM {source} WHERE TraceId != ''{condition}) GROUP BY TraceId"
    )


def _spans(plan: Plan) -> str:
    names = [column.name for column in COLUMNS if column.table in ("spans", "both")]
    shown = dict.fromkeys(names, "")
    if plan.drops:
        dropped = plan.dropped("llm_records.project")
        gone = (
            "prompt_preview",
            "response_preview",
            *(() if content.keeps(plan.keep, content.STATUS) else ("error_message",)),
        )
        shown |= {name: f"if({dropped}, '', llm_records.{name}) AS " for name in gone}
        shown["content_dropped"] = f"{dropped} AS "
    columns = ", ".join(f"{sql}{name}" for name, sql in shown.items())
    return f"SELECT {columns} FROM llm_records WHERE part != {normalize.CONTENT_ONLY}"


def _content() -> str:
    """A span without any content has no row."""
    names = [column.name for column in COLUMNS if column.table in ("content", "both")]
    texts = [column.name for column in COLUMNS if column.table == "content"]
    return f"SELECT {', '.join(names)} FROM llm_records WHERE part != {normalize.SPANS_ONLY} AND NOT ({' AND '.join(f'isNull({name})' for name in texts)})"
