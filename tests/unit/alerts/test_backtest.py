from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from alerts.backtest import MOST_STEPS, replay, times
from alerts.observation import Observation, Window
from alerts.rules import Rule
from alerts.verdict import Verdict

START = datetime(2026, 1, 1, tzinfo=UTC)
RULE = Rule.model_validate(
    {"name": "r", "metric": "error_rate", "threshold": 0.05, "resolve_seconds": 0, "window_seconds": 60}
)


def test_episodes_run_from_firing_to_resolved() -> None:
    def observe(now: datetime) -> Sequence[Observation]:
        bad = 120 <= (now - START).total_seconds() < 300
        verdict = Verdict("breached", 0.2, 100, 0.12) if bad else Verdict("clear", 0.0, 100, 0.0)
        return [Observation({"service": "bot"}, Window(now - timedelta(seconds=60), now), verdict)]

    (episode,) = replay(RULE, observe, times(START, START + timedelta(seconds=600), 30))
    assert episode.fired_at == START + timedelta(seconds=120)
    assert episode.resolved_at == START + timedelta(seconds=300)
    assert episode.how_bad.startswith("20 % over 100")


def test_a_group_that_falls_silent_is_resolved_after_its_window() -> None:
    def observe(now: datetime) -> Sequence[Observation]:
        if now > START:
            return []
        return [Observation({"service": "bot"}, Window(now, now), Verdict("breached", 0.2, 100, 0.12))]

    (episode,) = replay(RULE, observe, times(START, START + timedelta(seconds=300), 30))
    assert episode.resolved_at == START + timedelta(seconds=90)


def test_an_alert_that_still_fires_has_no_end() -> None:
    def observe(now: datetime) -> Sequence[Observation]:
        return [Observation({}, Window(now, now), Verdict("breached", 0.2, 100, 0.12))]

    assert [e.resolved_at for e in replay(RULE, observe, times(START, START + timedelta(hours=1), 30))] == [None]


def test_long_stretches_are_looked_at_in_larger_steps() -> None:
    assert len(times(START, START + timedelta(days=365), 30)) <= MOST_STEPS + 1
    assert times(START, START - timedelta(days=1), 30) == []
