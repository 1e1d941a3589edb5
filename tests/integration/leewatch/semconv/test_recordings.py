"""Payloads recorded from real instrumentation packages become the spans they are expected to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leewatch.testing import dialects

RECORDINGS = dialects.recordings()


@pytest.mark.parametrize("logs_first", [False, True], ids=["spans first", "logs first"])
def test_every_recorded_span_has_the_expected_values(ingest: Any, logs_first: bool) -> None:
    for signal in ("logs", "traces") if logs_first else ("traces", "logs"):
        ingest.send(*(request for recording in RECORDINGS for request in recording.requests[signal]), signal=signal)
    sender = {span_id: recording.name for recording in RECORDINGS for span_id in recording.span_ids()}
    content = {row["span_id"]: row for row in ingest.rows("SELECT * FROM span_content")}
    rows = ingest.rows(
        "SELECT * FROM llm_spans FINAL WHERE kind IN {kinds:Array(String)} ORDER BY ts, span_id",
        kinds=list(dialects.KINDS),
    )
    found: dict[str, list[dict[str, Any]]] = {recording.name: [] for recording in RECORDINGS}
    for row in rows:
        merged = {**content.get(row["span_id"], {}), **row}
        found[sender[row["span_id"]]].append({"name": row["name"], "expect": dialects.seen(merged)})
    faults = [
        f"{name}, span {number} ({wanted['name']}), {field}: {wanted['expect'].get(field)!r}, got {got['expect'].get(field)!r}"
        for name, spans in dialects.expected().items()
        for number, (wanted, got) in enumerate(zip(spans, found[name], strict=False))
        for field in dialects.FIELDS
        if wanted["expect"].get(field) != got["expect"].get(field)
    ]
    assert not faults, "\n".join(faults)
    assert {name: len(spans) for name, spans in found.items()} == {k: len(v) for k, v in dialects.expected().items()}


def test_the_reference_page_is_the_generated_one() -> None:
    page = (Path(__file__).parents[4] / "docs/reference/dialects.md").read_text(encoding="utf-8")
    assert page == dialects.page(), "run: python -m leewatch.testing.dialects > docs/reference/dialects.md"
