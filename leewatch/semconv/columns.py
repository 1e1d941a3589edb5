"""The columns of a normalized span: name, type and the SQL that computes it from the steps of `normalize`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from leewatch.semconv import compact, indexed
from leewatch.semconv import expressions as sql
from leewatch.semconv.kinds import AGGREGATE_KINDS
from leewatch.semconv.landing import LONGEST_NS
from leewatch.semconv.lookup import value
from leewatch.semconv.messages import first_of, quoted

PREVIEW = 200
"""Characters of a preview."""
REDACTED = "__REDACTED__"
"""What OpenInference writes instead of masked content."""
_DURATION = f"if(Duration < {LONGEST_NS}, Duration, 0)"
"""Other writers of otel_traces send negative durations as huge ones."""
_EARLY = (
    (
        *(
            "provider_sent",
            "usage_buckets",
            "cache_read_tokens",
            "cache_write_tokens",
            "output_tokens",
            "documents",
            "metadata",
            "status",
        ),
        *("last_user", "tool_arguments", "query_text", "response_text", "input_marker", "output_marker"),
    ),
    ("input_tokens", "prompt_text", "context_text"),
)
"""Columns that others are made of. In one step, their SQL would be analyzed wherever they are named, at each insert."""
STAGES = len(_EARLY) + 1
_LOW = "LowCardinality(String)"
_COUNT = "Nullable(UInt64)"
_NUMBER = "Nullable(Float64)"
_TIME = "DateTime64(9, 'UTC')"
_MILLISECONDS = "DateTime64(3, 'UTC')"


@dataclass(frozen=True, slots=True)
class Column:
    """One column. table: which of llm_spans and llm_content has it; `step` columns are for the others to use."""

    name: str
    type: str
    sql: str
    table: Literal["spans", "content", "both", "step"] = "spans"
    late: bool = False

    @property
    def stage(self) -> int:
        """Number of the step that computes it, from 0; it stands ready for the columns of later ones. `late`: the last."""
        if self.late:
            return len(_EARLY)
        return next((number for number, names in enumerate(_EARLY) if self.name in names), len(_EARLY))


def _plain(type_: str, names: Iterable[str]) -> list[Column]:
    """Columns that are their field as sent."""
    read = {_LOW: value, "String": value, _COUNT: sql.uint, _NUMBER: sql.number}[type_]
    return [Column(name, type_, read(name)) for name in names]


def _identity() -> list[Column]:
    return [
        Column("project", _LOW, "Project", "both"),
        Column("service", _LOW, sql.service()),
        Column("ts", _TIME, "Timestamp", "both"),
        Column("end_ts", _TIME, f"addNanoseconds(Timestamp, {_DURATION})"),
        Column("duration_ms", "Float64", f"{_DURATION} / 1e6"),
        Column("clock_skewed", "Bool", "ClockSkewed"),
        Column("trace_id", "String", "TraceId", "both"),
        Column("span_id", "String", "SpanId", "both"),
        Column("parent_span_id", "String", "ParentSpanId"),
        Column("name", "String", "SpanName"),
        Column("kind", _LOW, "kind"),
        Column("environment", _LOW, first_of(value("environment"), quoted("default"))),
        *_plain(_LOW, ("service_version", "release")),
        Column("batch", "String", "Batch"),
        Column("received_at", _MILLISECONDS, "ReceivedAt"),
        Column("ingested_at", _MILLISECONDS, "now64(3, 'UTC')", "both"),
    ]


def _request() -> list[Column]:
    operations = ("genai_operation", "aisdk_operation", "request_type", "traceloop_kind")
    request, response = value("request_model"), value("response_model")
    return [
        Column("operation", _LOW, first_of(*map(value, operations))),
        Column("provider_sent", "String", sql.provider_sent(), "step"),
        Column("provider", _LOW, sql.provider()),
        Column("request_model", _LOW, first_of(request, response)),
        Column("response_model", _LOW, first_of(response, request)),
        Column("model", _LOW, first_of(response, request)),
        Column("response_id", "String", value("response_id")),
        *_plain(_NUMBER, ("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty")),
        Column("max_tokens", _COUNT, sql.uint("max_tokens")),
        Column("seed", "Nullable(Int64)", f"toInt64OrNull({value('seed')})"),
        Column("stop", "Array(String)", sql.listed("stop")),
        Column("choice_count", "Nullable(UInt32)", f"accurateCastOrNull({sql.uint('choice_count')}, 'UInt32')"),
        Column("finish_reason", f"Array({_LOW})", sql.finish_reasons()),
        Column("is_stream", "Nullable(Bool)", sql.is_stream()),
        Column("ttft_ms", _NUMBER, sql.ttft_ms()),
    ]


def _usage() -> list[Column]:
    return [
        Column("usage_buckets", sql.BUCKETS_TYPE, sql.usage_buckets(), "step"),
        *[
            Column(name, _COUNT, sql.tokens(name))
            for name in ("cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
        ],
        Column("output_tokens", _COUNT, sql.output_tokens()),
        Column("input_tokens", _COUNT, sql.input_tokens()),
        Column("total_tokens", _COUNT, sql.total_tokens()),
        Column("usage_is_aggregate", "Bool", sql.kind_is(*AGGREGATE_KINDS)),
        *_plain(_NUMBER, ("cost_input", "cost_output", "cost_total")),
    ]


def _context() -> list[Column]:
    """Who asked, with which prompt, in which feature or experiment, with which tool, and how it ended."""
    exception = sql.EXCEPTION
    failed = f"endsWith(upper(StatusCode), 'ERROR') OR upper({value('level')}) = 'ERROR'"
    return [
        *[Column(name, "String", f"trim(BOTH '\"' FROM {value(name)})") for name in ("session_id", "user_id")],
        Column("tool_call_id", "String", value("tool_call_id")),
        *_plain(_LOW, ("prompt_name", "prompt_version", "agent_name", "workflow_name", "tool_name")),
        Column("tags", f"Array({_LOW})", sql.listed("tags")),
        Column("metadata", "Map(LowCardinality(String), String)", sql.metadata()),
        *[
            Column(name, _LOW, first_of(value(name), f"metadata['{name}']"))
            for name in ("feature", "experiment_id", "variant")
        ],
        Column("status", _LOW, f"multiIf({failed}, 'ERROR', endsWith(upper(StatusCode), 'OK'), 'OK', 'UNSET')"),
        Column(
            "error_type",
            _LOW,
            first_of(value("error_type"), f"{exception}['exception.type']", "if(status = 'ERROR', '_OTHER', '')"),
        ),
        Column(
            "error_message",
            "String",
            first_of("StatusMessage", f"{exception}['exception.message']", value("error_message")),
        ),
        Column("content_redacted", "Bool", f"has(mapValues(SpanAttributes), '{REDACTED}')"),
        Column("dialect", _LOW, sql.dialect()),
    ]


def _content() -> list[Column]:
    texts = {
        "query_text": sql.else_for("query_text", ("retriever", "reranker"), sql.LAST_USER),
        "tool_arguments": sql.else_for("tool_arguments", ("tool",), value("input_other")),
        "tool_result": sql.else_for("tool_result", ("tool",), sql.tool_output()),
        "prompt_text": sql.prompt_text(),
        "response_text": "outputs[1].2",
        "system_instructions": sql.system_instructions(),
        "context_text": "arrayStringConcat(arrayFilter(x -> x != '', arrayMap(d -> d.2, documents)), '\\n\\n')",
        "tool_definitions": first_of(value("tool_definitions"), indexed.tools("item_groups")),
        "prompt_template": value("prompt_template"),
        "prompt_variables": value("prompt_variables"),
    }
    lists = {f"{name}_messages": compact.stored(f"{name}s") for name in ("input", "output")}
    return [
        Column("documents", sql.DOCUMENTS_TYPE, sql.documents(), "step"),
        Column("last_user", "String", sql.LAST_USER, "step"),
        Column("input_marker", "String", compact.input_marker(), "step"),
        Column("output_marker", "String", compact.output_marker(), "step"),
        *[Column(name, "Nullable(String)", f"nullIf({text}, '')", "content") for name, text in texts.items()],
        *[Column(name, "Nullable(String)", text, "content") for name, text in lists.items()],
        Column("context_documents", "Nullable(String)", sql.documents_json(), "content"),
    ]


def _lengths() -> list[Column]:
    previews = [
        Column(f"{name}_preview", "String", f"ifNull(substringUTF8({name}_text, 1, {PREVIEW}), '')")
        for name in ("prompt", "response")
    ]
    lengths = [
        Column(f"{name}_length", "UInt32", f"ifNull(lengthUTF8({name}_text), 0)")
        for name in ("prompt", "response", "context")
    ]
    return previews + lengths


COLUMNS = (*_identity(), *_request(), *_usage(), *_context(), *_content(), *_lengths())
"""All columns, in the order of the table between the steps and llm_spans and llm_content."""
