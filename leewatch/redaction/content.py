"""`content: drop`: the step before the raw tables where prompts, answers and whatever else may be a text of theirs is taken out.

    ... -> otel_traces_intake or otel_traces_whole (store nothing) -> otel_traces    without content
                                                                   -> llm_step_*     with it: lengths, tokens, kinds

What stays of the attributes is listed, not what goes: keys that fill a field of a span that is no content, general conventions of
OpenTelemetry, metadata, numbers, and what `redaction.keep_attributes` names. A text under a key that nobody knows does not stay.
"""

# ruff: noqa: E501, S608 - SQL is generated here from constants, and reads better unbroken

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from leewatch.redaction.expressions import quoted
from leewatch.redaction.intake import Raw
from leewatch.redaction.plan import Plan
from leewatch.semconv.lookup import NO_KEYS, OwnKeys, kind_of, placed
from leewatch.semconv.mapping import FIELDS
from leewatch.semconv.vocabulary import METADATA_PREFIXES, REFERENCES

CONTENT_FIELDS = frozenset((
    "input_structured", "output_structured", "input_other", "output_other", "output_tool_calls", "message_events", "system_instructions",
    "prompt_template", "prompt_variables", "tool_arguments", "tool_result", "tool_definitions", "query_text", "context_documents",
    "error_message", "provider_metadata",
))  # fmt: skip
"""Fields whose values are texts of people, models, tools or documents, or may quote them."""
STATUS, BODY = "StatusMessage", "Body"
"""Names in `keep_attributes` for what is no attribute: the status message of spans, the body of log records."""
DROPPED = "leewatch.dropped"
"""Attribute of a span or log record of which something was dropped: JSON object, key -> bytes as sent."""
_GENERAL = (
    "app", "aws", "azure", "browser", "client", "cloud", "code", "container", "db", "deployment", "device", "error", "event", "faas",
    "feature_flag", "gcp", "host", "http", "k8s", "leewatch", "messaging", "net", "network", "os", "otel", "peer", "process", "rpc", "server",
    "service", "session", "telemetry", "thread", "url", "user", "user_agent", "vcs",
)  # fmt: skip
"""Namespaces of OpenTelemetry's general conventions that hold no texts of the exchange."""
_SINGLE = (
    "exception.type",
    "exception.escaped",
    "gen_ai.evaluation.name",
    "gen_ai.evaluation.score.label",
    "gen_ai.output.type",
    *REFERENCES,
)
_NUMBER = "^(?:-?[0-9]{1,19}(?:[.][0-9]{1,20})?(?:[eE][-+]?[0-9]{1,3})?|true|false)$"
_MAP = "Map(LowCardinality(String), String)"


def select(raw: Raw, plan: Plan, source: str, own: OwnKeys = NO_KEYS) -> str:
    """Rows of a raw table from `source`, those of dropping projects without content. own: attribute keys of the user's."""
    changed = {name: _thin(name, plan.keep, own) for name in raw.maps if name in ("SpanAttributes", "LogAttributes")}
    changed |= {name: f"arrayMap(m -> {_kept('m', plan.keep, own)}, `{name}`)" for name in raw.lists}
    changed |= {name: "''" for name in (STATUS, BODY) if name in raw.texts and not keeps(plan.keep, name)}
    names = ", ".join(
        f"if({plan.dropped('t.Project')}, {sql.replace(f'`{name}`', f't.`{name}`')}, t.`{name}`) AS `{name}`"
        if (sql := changed.get(name))
        else f"t.`{name}` AS `{name}`"
        for name, _ in raw.columns
    )
    return f"SELECT {names} FROM {source} AS t"


def _thin(name: str, keep: Sequence[str], own: OwnKeys) -> str:
    """SQL: the map without content; what is gone is named, with its length."""
    less = _kept(f"`{name}`", keep, own)
    gone = f"arrayFilter((k, v) -> NOT mapContains(less, k), mapKeys(`{name}`), mapValues(`{name}`))"
    sizes = f"arrayFilter((v, k) -> NOT mapContains(less, k), mapValues(`{name}`), mapKeys(`{name}`))"
    told = f"concat('{{', arrayStringConcat(arrayMap((k, v) -> concat(toJSONString(toString(k)), ':', toString(length(v))), {gone}, {sizes}), ','), '}}')"
    marked = f"if(length(less) = length(`{name}`), less, mapConcat(less, CAST(map('{DROPPED}', {told}), '{_MAP}')))"
    return f"arrayMap(less -> {marked}, [{less}])[1]"


def _kept(attributes: str, keep: Sequence[str], own: OwnKeys) -> str:
    """SQL: the map with what stays; of JSON objects that hold settings, the members that are known."""
    fields = {key for field in FIELDS if field.name not in CONTENT_FIELDS for _, key in placed(field, own)}
    content = {key for field in FIELDS if field.name in CONTENT_FIELDS for _, key in placed(field, own)}
    members = {key for key in fields - content if kind_of(key) == "member"}
    plain = {key for key in fields if kind_of(key) == "attribute"} | {
        key.split("/")[1] for key in fields if kind_of(key) == "event"
    }
    texts = {key for key in content if kind_of(key) == "attribute"} | {
        key.split("/")[1] for key in content if kind_of(key) == "event"
    }
    documents = {key.split(":")[0] for key in members} - plain
    stays = (
        f"k IN ({_list(plain | documents | set(_SINGLE))}) OR match(k, {quoted(_prefixes(METADATA_PREFIXES, _GENERAL))}) "
        f"OR match(v, {quoted(_NUMBER)})"
    )
    condition = f"(NOT k IN ({_list(texts)}) AND ({stays}))"
    if keep:
        condition = f"(match(k, {quoted(_patterns(keep))}) OR {condition})"
    inside = (
        "concat('{', arrayStringConcat(arrayMap(m -> concat(toJSONString(m.1), ':', m.2), arrayFilter(m -> "
        f"concat(toString(k), ':', m.1) IN ({_list(members)}), JSONExtractKeysAndValuesRaw(v))), ','), '}}')"
    )
    rebuilt = f"if(k IN ({_list(documents)}), {inside}, v)"
    return f"mapApply((k, v) -> (k, {rebuilt}), mapFilter((k, v) -> {condition}, {attributes}))"


def _list(keys: Iterable[str]) -> str:
    return ", ".join(quoted(key) for key in sorted(keys))


def _prefixes(*names: Sequence[str]) -> str:
    return f"^(?:{'|'.join(re.escape(name) for group in names for name in group)})[.]"


def _patterns(keep: Sequence[str]) -> str:
    return f"^(?:{'|'.join(re.escape(key.removesuffix('*')) + ('' if key.endswith('*') else '$') for key in keep)})"


def keeps(keep: Sequence[str], name: str) -> bool:
    """Whether `keep_attributes` names it."""
    return any(re.match(_patterns([key]), name) for key in keep)
