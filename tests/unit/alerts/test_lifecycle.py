from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts.lifecycle import Phase, advance
from alerts.rules import Rule
from alerts.verdict import Outcome

START = datetime(2026, 1, 1, tzinfo=UTC)
B: Outcome = "breached"
U: Outcome = "uncertain"
C: Outcome = "clear"
N: Outcome = "no_data"


def timeline(outcomes: list[tuple[int, Outcome]], **keys: Any) -> list[tuple[int, str, str]]:
    """(second, new state, reason) of every change, given the outcome at each second."""
    target = {"drift": keys.pop("drift")} if "drift" in keys else {"metric": "error_rate", "threshold": 0.05}
    rule = Rule.model_validate({"name": "r", **target, "window_seconds": 60, "resolve_seconds": 20, **keys})
    phase: Phase | None = None
    changes = []
    for second, outcome in outcomes:
        step = advance(rule, phase, outcome, START + timedelta(seconds=second))
        phase = step.phase
        if step.reason is not None:
            changes.append((second, phase.state, step.reason))
    return changes


@pytest.mark.parametrize(
    ("outcomes", "keys", "expected"),
    [
        ([(0, C), (10, N), (20, U)], {}, []),
        ([(0, B), (10, B)], {}, [(0, "firing", "breached")]),
        (
            [(0, B), (10, B), (20, B), (30, B)],
            {"for_seconds": 20},
            [(0, "pending", "breached, waits for for_seconds"), (20, "firing", "breach held for for_seconds")],
        ),
        (
            [(0, B), (10, C), (20, B)],
            {"for_seconds": 20},
            [
                (0, "pending", "breached, waits for for_seconds"),
                (10, "inactive", "recovered before for_seconds"),
                (20, "pending", "breached, waits for for_seconds"),
            ],
        ),
        (
            [(0, B), (10, N)],
            {"for_seconds": 20},
            [(0, "pending", "breached, waits for for_seconds"), (10, "inactive", "no data before for_seconds")],
        ),
        ([(0, B), (10, C), (20, C), (30, C)], {}, [(0, "firing", "breached"), (30, "resolved", "recovered")]),
        ([(0, B), (10, C), (20, U), (30, C), (40, C)], {}, [(0, "firing", "breached")]),
        ([(0, B), (10, C), (20, B), (30, C), (40, C)], {}, [(0, "firing", "breached")]),
        (
            [(0, B), (10, N), (40, N), (69, N), (70, N)],
            {},
            [(0, "firing", "breached"), (70, "resolved", "no data")],
        ),
        ([(0, B), (10, N), (30, N)], {"drift": "prompt"}, [(0, "firing", "breached"), (30, "resolved", "no data")]),
        (
            [(0, B), (10, C), (20, B)],
            {"resolve_seconds": 0},
            [(0, "firing", "breached"), (10, "resolved", "recovered"), (20, "firing", "breached")],
        ),
    ],
)
def test_an_alert_moves_through_its_states(
    outcomes: list[tuple[int, Outcome]], keys: dict[str, Any], expected: list[tuple[int, str, str]]
) -> None:
    assert timeline(outcomes, **keys) == expected


def test_after_a_restart_the_time_to_resolve_counts_anew() -> None:
    rule = Rule.model_validate({"name": "r", "metric": "error_rate", "threshold": 0.05, "resolve_seconds": 20})
    restored = Phase("firing", START)
    step = advance(rule, restored, C, START + timedelta(hours=1))
    assert (step.phase.state, step.reason) == ("firing", None)
