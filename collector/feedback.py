"""User feedback as evaluation results: JSON items to one OTLP log request, which goes the way of all others (pure).

The record is `gen_ai.evaluation.result` of the GenAI semantic conventions (semantic-conventions-genai,
docs/gen-ai/gen-ai-events.md); the database turns it into a row of `scores`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from collector.validate import MalformedError
from leewatch.semconv.evaluations import IDENTIFIER_KEY, RESULT_EVENT, SOURCE_KEY, SOURCES

MOST_ITEMS = 1000
MOST_BYTES = 1 << 20
LONGEST_TEXT = 10_000
LONGEST_NAME = 256
SERVICE = "feedback"
"""service.name of the records; a score takes that of the span it is about."""

_HEX = {"trace_id": re.compile(r"[0-9a-fA-F]{32}"), "span_id": re.compile(r"[0-9a-fA-F]{16}")}
_TEXTS: Mapping[str, int] = {
    "session_id": LONGEST_NAME,
    "response_id": LONGEST_NAME,
    "name": LONGEST_NAME,
    "label": LONGEST_NAME,
    "user_id": LONGEST_NAME,
    "identifier": LONGEST_NAME,
    "explanation": LONGEST_TEXT,
    "comment": LONGEST_TEXT,
}
_KEYS = {*_HEX, *_TEXTS, "score", "source"}


class ItemError(ValueError):
    """An item of feedback that cannot be taken; says why."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What was made of one request. body: OTLP protobuf of the good items; rejected: (index, reason) of the others."""

    body: bytes
    accepted: int
    rejected: tuple[tuple[int, str], ...]


def read(body: bytes, now_ns: int) -> Feedback:
    """The items of a request body: a JSON object, or a list of them. Raises MalformedError for anything else.

    Keys of an item: `trace_id` and `span_id`, or `trace_id`, or `session_id`, or `response_id` say what it is about; `name`;
    `score` (a number, true or false) or `label` or both; `explanation` or `comment`; `user_id`; `identifier` (who judged;
    else user_id); `source` (human, llm or code; else human).
    """
    try:
        read = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedError(f"not JSON: {error}") from None
    items = read if isinstance(read, list) else [read]
    if not items or len(items) > MOST_ITEMS:
        raise MalformedError(f"expected a JSON object, or a list of 1 to {MOST_ITEMS}, got {len(items)} items")
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    group.resource.attributes.add(key="service.name").value.string_value = SERVICE
    records = group.scope_logs.add().log_records
    rejected = []
    for index, item in enumerate(items):
        try:
            _judge(item)
        except ItemError as error:
            rejected.append((index, str(error)))
            continue
        _write(item, records.add(), now_ns)
    return Feedback(request.SerializeToString(), len(records), tuple(rejected))


def _judge(item: Any) -> None:
    """Raises ItemError."""
    if not isinstance(item, dict):
        raise ItemError(f"expected an object, got {_kind(item)}")
    unknown = sorted(set(item) - _KEYS)
    if unknown:
        raise ItemError(f"{unknown[0][:80]}: unknown key; known are {', '.join(sorted(_KEYS))}")
    for key, value in item.items():
        _judge_value(key, value)
    if item.get("span_id") and not item.get("trace_id"):
        raise ItemError("span_id: needs the trace_id of the span")
    if not any(item.get(key) for key in ("trace_id", "session_id", "response_id")):
        raise ItemError("trace_id, session_id or response_id: expected one, to know what the feedback is about")
    if not item.get("name"):
        raise ItemError("name: expected what is judged, such as helpful")
    if item.get("score") is None and not item.get("label"):
        raise ItemError("score or label: expected one of them")
    if item.get("explanation") and item.get("comment"):
        raise ItemError("explanation and comment mean the same: expected one of them")


def _judge_value(key: str, value: Any) -> None:
    if value is None:
        return
    if key == "score":
        if not isinstance(value, bool | int | float) or not math.isfinite(float(value)):
            raise ItemError(f"score: expected a number, true or false, got {_kind(value)}")
    elif not isinstance(value, str):
        raise ItemError(f"{key}: expected a text, got {_kind(value)}")
    elif key in _HEX:
        if not _HEX[key].fullmatch(value) or not value.strip("0"):
            raise ItemError(f"{key}: expected {32 if key == 'trace_id' else 16} hex digits, not all 0")
    elif key == "source":
        if value not in SOURCES:
            raise ItemError(f"source: expected {', '.join(SOURCES)}")
    elif len(value) > _TEXTS[key]:
        raise ItemError(f"{key}: expected at most {_TEXTS[key]} characters, got {len(value)}")


def _write(item: Mapping[str, Any], record: Any, now_ns: int) -> None:
    record.time_unix_nano = record.observed_time_unix_nano = now_ns
    record.event_name = RESULT_EVENT
    record.trace_id = bytes.fromhex(item.get("trace_id") or "")
    record.span_id = bytes.fromhex(item.get("span_id") or "")
    texts = {
        "gen_ai.evaluation.name": item["name"],
        "gen_ai.evaluation.score.label": item.get("label"),
        "gen_ai.evaluation.explanation": item.get("explanation") or item.get("comment"),
        SOURCE_KEY: item.get("source") or "human",
        IDENTIFIER_KEY: item.get("identifier") or item.get("user_id"),
        "user.id": item.get("user_id"),
        "session.id": item.get("session_id"),
        "gen_ai.response.id": item.get("response_id"),
    }
    for key, text in texts.items():
        if text:
            record.attributes.add(key=key).value.string_value = text
    score = item.get("score")
    if score is not None:
        value = record.attributes.add(key="gen_ai.evaluation.score.value").value
        if isinstance(score, bool):
            value.bool_value = score
        else:
            value.double_value = float(score)


def _kind(value: Any) -> str:
    """JSON's name of what came; the value itself may be long, or private."""
    names: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "true or false"),
        ((int, float), "a number"),
        (str, "a text"),
        (list, "a list"),
        (dict, "an object"),
    )
    return next((name for kind, name in names if isinstance(value, kind)), "null")


def answer(feedback: Feedback) -> bytes:
    """The body of the answer: how many were taken, and index and reason of each that was not."""
    rejected = [{"index": index, "reason": reason} for index, reason in feedback.rejected]
    return orjson.dumps({"accepted": feedback.accepted, "rejected": rejected})
