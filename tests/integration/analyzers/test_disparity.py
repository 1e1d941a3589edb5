"""`leewatch disparity` against a real store."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from analyzers.cli import disparity as command
from leewatch.config import Settings
from leewatch.errors import InputError

AddSpans = Callable[..., list[str]]


@pytest.fixture(autouse=True)
def settings(database: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.config, "load", lambda: database)


def score(
    client: Client, traces: Sequence[str], name: str, values: Sequence[float], label: str = "", weight: float = 1.0
) -> None:
    """Scores of the span of each trace."""
    spans = dict(client.query("SELECT trace_id, span_id FROM llm_spans").result_rows)
    rows = [
        ["default", "bot", datetime.now(UTC), trace, spans[trace], name, value, label, weight]
        for trace, value in zip(traces, values, strict=True)
    ]
    names = ["project", "service", "ts", "trace_id", "span_id", "name", "value", "label", "weight"]
    client.insert("scores", rows, column_names=names)


def compared(capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, dict[str, Any]]:
    command.disparity("response.toxicity", as_json=True, **options)
    return {one["segment"]: one for one in json.loads(capsys.readouterr().out)["segments"]}


def test_languages_are_compared_by_the_label_of_their_score(
    client: Client, add_spans: AddSpans, capsys: pytest.CaptureFixture[str]
) -> None:
    english, german = add_spans([("a", "b")] * 80), add_spans([("a", "b")] * 40)
    score(client, english, "response.toxicity", [0.9, 0.1, 0.1, 0.1] * 20)
    score(client, german, "response.toxicity", [0.9, 0.9, 0.9, 0.1] * 10)
    score(client, english, "span.prompt_language", [1.0] * 80, "en")
    score(client, german, "span.prompt_language", [1.0] * 40, "de")
    found = compared(capsys, by="language", above=0.5)
    assert (found["de"]["mean"], found["de"]["others"], found["de"]["difference"]) == (0.75, 0.25, 0.5)
    assert found["de"]["significant"]
    assert 0.3 < found["de"]["low"] < 0.5 < found["de"]["high"] < 0.7
    means = compared(capsys, by="language", reference="en")
    assert list(means) == ["de"]
    assert means["de"]["difference"] == pytest.approx(0.7 - 0.3)


def test_a_sample_counts_by_its_weights(
    client: Client, add_spans: AddSpans, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = add_spans([("a", "b")] * 60, service="one"), add_spans([("a", "b")] * 60, service="two")
    score(client, one[:30], "response.toxicity", [1.0] * 30)
    score(client, one[30:], "response.toxicity", [0.0] * 30, weight=3.0)
    score(client, other, "response.toxicity", [0.0] * 60, weight=0.0)
    score(client, other, "response.other", [0.0] * 60)
    with pytest.raises(InputError, match="fewer than two segments by service: one"):
        compared(capsys, by="service")
    score(client, other[:40], "response.toxicity", [1.0] * 40)
    assert compared(capsys, by="service")["one"]["mean"] == 0.25


def test_segments_come_from_metadata_and_span_attributes(
    client: Client, add_spans: AddSpans, capsys: pytest.CaptureFixture[str]
) -> None:
    traces = add_spans([("a", "b")] * 80)
    score(client, traces, "response.toxicity", [0.0] * 40 + [1.0] * 40)
    spans = dict(client.query("SELECT trace_id, span_id FROM llm_spans").result_rows)
    rows = [
        [datetime.now(UTC), trace, spans[trace], {"app.plan": "free" if number < 40 else "paid"}]
        for number, trace in enumerate(traces)
    ]
    client.insert("otel_traces", rows, column_names=["Timestamp", "TraceId", "SpanId", "SpanAttributes"])
    found = compared(capsys, by="attributes.app.plan")
    assert {name: one["mean"] for name, one in found.items()} == {"free": 0.0, "paid": 1.0}
    with pytest.raises(InputError, match=r"fewer than two segments by metadata\.tier: none"):
        compared(capsys, by="metadata.tier")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"by": "colour"}, "--by must be one of language, model"),
        ({"by": "metadata."}, "--by must be one of"),
        ({"by": "model", "alpha": 2.0}, "--alpha must lie between"),
    ],
)
def test_useless_options_are_named(options: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match=said):
        compared(capsys, **options)
