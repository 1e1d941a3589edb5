"""What the drift page asks the database for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from dashboard.address import View, Window
from dashboard.views import drift

END = datetime(2026, 3, 1, 12, tzinfo=UTC)
STATE = {
    "project": "one", "service": "bot", "field": "prompt", "kind": "embedding", "drifted": True, "p_value": 1e-6,
    "threshold": 1e-4, "effect": 0.2, "tests": 3, "drifted_tests": 1, "last_end": END,
}  # fmt: skip


def test_services_of_one_name_in_two_projects_are_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def answer(name: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        asked[name] = parameters["project"]
        return [STATE, {**STATE, "project": "two", "drifted": False}] if name == "drift_state" else []

    def empty(name: str, parameters: dict[str, Any]) -> pd.DataFrame:
        asked[name] = parameters["project"]
        return pd.DataFrame()

    monkeypatch.setattr(drift.reader, "rows", answer)
    monkeypatch.setattr(drift.reader, "frame", empty)
    drift.body(View(), Window(END.replace(hour=0), END, 300))
    assert asked == {"drift_state": "", "drift_windows": "one", "drift_timeline": "one"}
