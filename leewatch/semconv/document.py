"""The reference page of the attribute mapping, from the mapping itself.

python -m leewatch.semconv.document > docs/reference/attributes.md
"""

# ruff: noqa: E501 - the text is Markdown

from __future__ import annotations

from leewatch.semconv.kinds import KIND_RULES
from leewatch.semconv.mapping import FAMILIES, FIELDS, Field
from leewatch.semconv.vocabulary import FINISH_REASONS, INDEXED, METADATA_PREFIXES, PROVIDERS, ROLES

_NAMES = {
    "langfuse": "Langfuse SDK",
    "genai": "OpenTelemetry GenAI",
    "openinference": "OpenInference",
    "openllmetry": "OpenLLMetry (Traceloop)",
    "aisdk": "Vercel AI SDK",
    "logfire": "Logfire, Pydantic AI",
    "openlit": "OpenLIT",
    "leewatch": "Leewatch's own keys",
}

_INTRODUCTION = """# Attributes

Which span attributes fill which field. This page is generated from `leewatch/semconv/mapping.py`.

## How a value is found

- The first key of a field that has a value wins. Empty means missing, `""`, `[]` or `{}`; `0` and `false` are values.
- A span attribute beats the same key on the instrumentation scope, which beats the resource. Fields marked *resource first*
  are the other way round.
- Values may come typed or as text: `"12"` is 12, a JSON list in a string is that list. What cannot be read is NULL; the span is kept.
- Messages are taken from the first of: the structured list, `prefix.N.` attributes, the other keys listed below, log records.
- `document:member` is a member of the JSON object in the attribute `document`. `event/attribute` is an attribute of a span event.
- `prompt_text` is the last user message that has text, `response_text` the text of the first output message.
- Messages are stored as `{role, content, tool_calls: [{id, name, arguments}], tool_call_id, name, finish_reason, parts}` without empty
  members; `parts` only when there are others than text.
- Everything a span carried stays in `otel_traces`. A span whose kind is `other` is in `otel_traces` only.
- A map, and a list that holds more than scalars, is kept as its JSON text, however deep it nests.
- A start before 2000, or more than a day after receipt, is replaced by the time of receipt, an impossible duration by 0; the span is
  flagged `clock_skewed`.
- Token counts include cached and reasoning tokens. When a sender leaves cached tokens out of the input (its sums tell), they are added.
- `usage_is_aggregate` marks agents and chains, which repeat the usage of their children.
"""


def page() -> str:
    """The whole page as Markdown."""
    sections = [_INTRODUCTION, _families(), _kinds(), _fields(), _lists(), _events(), _vocabulary()]
    return "\n".join(sections)


def _families() -> str:
    lines = [f"{number}. {_NAMES[family]}" for number, family in enumerate(FAMILIES, 1)]
    return "## Families, the winning one first\n\n" + "\n".join(lines) + "\n"


def _kinds() -> str:
    rules = [
        f"- `{_keys_of(rule.source)}`: " + ", ".join(f"{given} → {kind}" for given, kind in rule.kinds.items())
        for rule in KIND_RULES
    ]
    rest = (
        "- then the AI SDK's operation, tool keys, guardrail keys, vector database operations; a span with a model, or with a provider and "
        "messages or tokens, is `llm`"
    )
    return "## Kind, first rule that yields one\n\n" + "\n".join([*rules, rest]) + "\n"


def _keys_of(name: str) -> str:
    return ", ".join(key for field in FIELDS if field.name == name for _, key in field.ordered())


def _fields() -> str:
    rows = ["| field | type | keys, the winning one first | note |", "|---|---|---|---|"]
    rows += [f"| `{field.name}` | {field.type} | {_keys(field)} | {_note(field)} |" for field in FIELDS]
    return "## Fields\n\n" + "\n".join(rows) + "\n"


def _keys(field: Field) -> str:
    return ", ".join(f"`{key}`" for _, key in field.ordered())


def _note(field: Field) -> str:
    return ", ".join(note for note in (field.note, "resource first" if field.resource_first else "") if note)


def _lists() -> str:
    lines = [f"- `{prefix}.N.`: {what} ({_NAMES[family]})" for prefix, (what, family) in INDEXED.items()]
    prefixes = ", ".join(f"`{prefix}.`" for prefix in METADATA_PREFIXES)
    return (
        "## Lists flattened into attributes\n\n"
        + "\n".join(lines)
        + f"\n\nMetadata: every other key under {prefixes}.\n"
    )


def _events() -> str:
    return """## Log records

Records with a span context join their span, in any order of arrival. The event name is the record's, else its `event.name`.

- `gen_ai.client.inference.operation.details`: messages, system instructions and tool definitions of the whole exchange
- `gen_ai.system.message`, `gen_ai.user.message`, `gen_ai.assistant.message`, `gen_ai.tool.message`: one input message
- `gen_ai.choice`: one output message
- `gen_ai.evaluation.result`: a score, see below

## Evaluations and feedback

They become rows of `scores`: `name`, `value`, `label`, `explanation`; `source` is human, judge (an LLM) or sdk; `scorer` is the
identifier of the judge, else the source. The later result of the same target, name and scorer wins.

- `gen_ai.evaluation.result` as a log record: `gen_ai.evaluation.name`, `.score.value`, `.score.label`, `.explanation`, `error.type`. The
  target is the span of the record; the trace when it names no span; without both the span with its `gen_ai.response.id` (looked for
  among those of the last hour), else its `session.id`. `leewatch.evaluation.source` (human, llm, code) and
  `leewatch.evaluation.identifier` add what the conventions have no attribute for.
- the same event on a span: the target is that span.
- `[trace.|session.]annotations.N.annotation.*`, `[trace.|session.]evaluations.N.evaluation.*` (OpenInference): the carrying span, its
  trace or its session; with exactly one link the linked span or its trace.
- Logfire's annotation spans (`logfire.feedback.name`, `logfire.feedback.comment`): the parent span, by a human.
- `guard.name`, `.score`, `.verdict` or `.action`, `.explanation` on a span or its event `guard.evaluation`, and `gen_ai.eval.NAME`
  (OpenLIT): the carrying span.
"""


def _vocabulary() -> str:
    providers = [f"- {name}: {', '.join(aliases)}" for name, aliases in PROVIDERS.items() if aliases]
    reasons = ", ".join(f"{given} → {name}" for given, name in FINISH_REASONS.items())
    roles = ", ".join(f"{given} → {name}" for given, name in ROLES.items())
    return (
        "## Names\n\nProviders, other spellings:\n\n"
        + "\n".join(providers)
        + f"\n\nFinish reasons: {reasons}.\n\nRoles: {roles}.\n"
    )


if __name__ == "__main__":
    print(page(), end="")
