"""Payloads of every attribute family, sent as real OTLP, arrive as the normalized span they are expected to be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from leewatch.testing import otlp

EXAMPLES = json.loads((Path(__file__).parents[3] / "data/semconv/examples.json").read_text(encoding="utf-8"))


def subset(expected: Any, actual: Any) -> bool:
    """Whether everything that is expected is there; members that are not spoken of may be more."""
    if isinstance(expected, dict):
        return isinstance(actual, dict) and all(subset(value, actual.get(key)) for key, value in expected.items())
    if isinstance(expected, list):
        return isinstance(actual, list) and len(actual) == len(expected) and all(map(subset, expected, actual))
    if isinstance(expected, float) and isinstance(actual, float):
        return expected == pytest.approx(actual)
    return bool(expected == actual)


def normalized(found: dict[str, Any]) -> dict[str, Any]:
    """The row with the names that the examples use; finish reasons that came by log records stand in the messages."""
    reasons = [message["finish_reason"] for message in found["output_messages"] if "finish_reason" in message]
    return {**found, "service_name": found.get("service"), "finish_reason": found.get("finish_reason") or reasons}


def test_every_example_payload_is_normalized_as_expected(ingest: Any) -> None:
    spans, records = [], []
    for number, example in enumerate(EXAMPLES, 0xABC0):
        resource = example.get("resource", otlp.DEFAULT_RESOURCE)
        span = {**example, "span_id": f"{number:016x}"}
        if "log" in example:
            records.append(otlp.logs([{**example["log"], "span_id": span["span_id"]}], resource))
            span |= {"trace_id": example["log"]["trace_id"], "attributes": {"gen_ai.operation.name": "chat"}}
        spans.append(otlp.traces([span], resource))
    ingest.send(*spans)
    ingest.send(*records, signal="logs")
    faults = []
    for number, example in enumerate(EXAMPLES, 0xABC0):
        found = normalized(ingest.span(f"{number:016x}"))
        if evaluation := example["expect"].get("evaluation"):
            (row,) = ingest.rows("SELECT * FROM scores FINAL WHERE name = {name:String}", name=evaluation["name"])
            faults += [] if subset(evaluation, row) else [f"{example['id']}: expected {evaluation!r}, got {row!r}"]
        if example["expect"].get("kind") == "other":
            faults += [] if found["kind"] == "other" else [f"{example['id']}: stored although not an LLM span"]
            continue
        faults += [
            f"{example['id']}: {field}: expected {expected!r}, got {found.get(field)!r}"
            for field, expected in example["expect"].items()
            if field != "evaluation" and not subset(expected, found.get(field))
        ]
    assert not faults, "\n".join(faults)
