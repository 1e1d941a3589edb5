"""What the drift page tells of an alarm's cause."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from dashboard import layout, reader
from dashboard.views import why

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = datetime(2026, 3, 1, 9, tzinfo=UTC).timestamp() / 3600


def shown(monkeypatch: pytest.MonkeyPatch, details: str) -> str:
    parts: list[str] = []
    monkeypatch.setattr(reader, "now", lambda: NOW)
    monkeypatch.setattr(layout, "show", lambda *nodes: parts.extend(map(str, nodes)))
    why.show({"details": details})
    return " ".join(parts)


@pytest.mark.parametrize("details", ["", "{}", "[]", "not json", '{"strongest": "novel"}', '{"segments": null}'])
def test_a_test_without_a_story_shows_nothing(monkeypatch: pytest.MonkeyPatch, details: str) -> None:
    assert shown(monkeypatch, details) == ""


def test_when_it_began_is_told_with_its_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    began: dict[str, Any] = {
        "hour": HOUR, "first": HOUR - 1, "last": HOUR, "shape": "gradual", "before": 0.02, "after": 0.14,
    }  # fmt: skip
    text = shown(monkeypatch, f'{{"origin": "output", "began": {str(began).replace(chr(39), chr(34))}}}')
    for part in (
        "Answers to comparable prompts",
        "09:00:00 UTC, gradually",
        "08:00:00 and 09:00:00 UTC",
        "2.0 % → 14 %",
    ):
        assert part in text
    assert "No model, version, language or other segment stands out" in text


def test_a_segment_says_whether_it_changed_or_grew(monkeypatch: pytest.MonkeyPatch) -> None:
    segments = (
        '[{"key": "model", "value": "<b>x", "how": "within", "contribution": 1.2, "before": 0.1, "after": 0.4}, '
        '{"key": "language", "value": "de", "how": "mix", "contribution": 0.5, "before": 0.1, "after": 0.3}]'
    )
    text = shown(monkeypatch, f'{{"segments": {segments}}}')
    assert "model = &lt;b&gt;x" in text
    for part in ("these topics changed inside it", "its share of the traffic changed", "100 %", "50 %"):
        assert part in text
