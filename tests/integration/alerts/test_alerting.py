from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import OperationalError

from alerts.journal import Journal
from leewatch.testing.slack import Fault

TOXICITY = {
    "name": "response-toxicity",
    "title": "Toxic responses",
    "metric": "score_rate",
    "score": "response.toxicity",
    "above": 0.5,
    "threshold": 0.05,
    "window_seconds": 60,
    "resolve_seconds": 10,
    "severity": "critical",
}


def breach(world: Any, **columns: Any) -> None:
    """100 spans, 30 of which are toxic; the worst says who to call."""
    world.spans(
        100,
        {"response.toxicity": lambda i: 0.99 if i == 7 else 0.9 if i < 30 else 0.01},
        texts=lambda i: ("hello", f"answer {i}, call +44 20 7946 0958"),
        **columns,
    )


def test_a_breach_is_told_and_resolved_in_the_same_message_and_its_thread(world: Any) -> None:
    world.start(rules=[TOXICITY])
    breach(world)
    world.tick()
    (message,) = world.slack.messages
    assert message.text.startswith("🔴 Toxic responses: support-bot.")
    assert "30 %" in message.shown
    assert "99 % sure that it is at least 19.8 %" in message.shown
    assert "answer 7, call [PHONE]" in message.shown
    assert "service support-bot" in message.shown
    button = next(block for block in message.blocks if block["type"] == "actions")["elements"][0]["url"]
    assert button.startswith(
        "http://dash/quality?service=support-bot&score=response.toxicity&from=2026-11-20T11%3A58%3A55Z"
    )
    world.clock.advance(70)
    world.spans(100, {"response.toxicity": lambda i: 0.01})
    world.tick()
    world.tick(10)
    assert world.slack.messages == [message]
    assert message.text.startswith("✅ Resolved: Toxic responses: support-bot")
    assert [reply.text.split(",")[0] for reply in message.replies] == ["✅ Resolved 12:01:20 UTC"]
    assert world.events() == [("response-toxicity", "firing"), ("response-toxicity", "resolved")]
    assert world.deliveries() == [("firing", True), ("resolved", True)]


def test_a_healthy_service_pages_nobody_with_the_shipped_rules(world: Any) -> None:
    world.start()
    world.spans(200, {"response.toxicity": lambda i: 0.9 if i < 3 else 0.01, "response.refusal": lambda i: 0.1})
    world.tick()
    assert world.events() == []
    assert world.slack.calls == []


def test_a_restart_continues_the_alert_and_does_not_tell_it_twice(world: Any) -> None:
    world.start(rules=[TOXICITY])
    breach(world)
    world.tick()
    world.start()
    world.tick(5)
    assert len(world.slack.messages) == 1
    world.start()
    world.clock.advance(70)
    world.spans(50, {"response.toxicity": lambda i: 0.01})
    world.tick()
    world.tick(10)
    assert [len(message.replies) for message in world.slack.messages] == [1]
    assert world.deliveries() == [("firing", True), ("resolved", True)]


def test_an_alert_that_ended_long_ago_does_not_come_back_after_a_restart(world: Any) -> None:
    world.start(rules=[TOXICITY])
    breach(world)
    world.tick()
    world.clock.advance(70)
    world.spans(50, {"response.toxicity": lambda i: 0.01})
    world.tick()
    world.tick(10)
    world.clock.advance(8 * 86_400)
    world.start()
    world.tick()
    world.tick(60)
    assert world.events() == [("response-toxicity", "firing"), ("response-toxicity", "resolved")]
    assert world.deliveries() == [("firing", True), ("resolved", True)]


def test_the_end_of_an_alert_that_was_told_long_ago_is_told_after_a_restart(world: Any) -> None:
    world.start(rules=[TOXICITY], repeat_seconds=30 * 86_400)
    breach(world)
    world.tick()
    world.clock.advance(8 * 86_400)
    world.start()
    world.spans(50, {"response.toxicity": lambda i: 0.01})
    world.tick()
    world.tick(10)
    assert world.deliveries() == [("firing", True), ("resolved", True)]
    assert [len(message.replies) for message in world.slack.messages] == [1]


def test_what_was_decided_but_not_told_before_a_crash_is_told_after_it(world: Any) -> None:
    engine = world.start(rules=[TOXICITY])
    breach(world)
    engine.evaluate()
    world.start()
    world.tick(1)
    assert len(world.slack.messages) == 1


def test_rows_that_arrive_late_never_page(world: Any) -> None:
    world.start(rules=[TOXICITY, {"name": "errors", "metric": "error_rate", "threshold": 0.05}])
    breach(world, error_type="timeout", received_at=world.clock() + timedelta(hours=2))
    world.tick()
    assert world.events() == []


def test_an_old_drift_window_that_is_tested_late_never_pages(world: Any) -> None:
    world.start(rules=[{"name": "prompt-drift", "drift": "prompt"}])
    drift(world, age_seconds=7200)
    world.tick()
    assert world.events() == []


def drift(world: Any, drifted: bool = True, age_seconds: float = 10) -> None:
    end = world.clock() - timedelta(seconds=age_seconds)
    clusters = [
        {"label": "refund", "reference_share": 0.02, "current_share": 0.3, "examples": ["refund to a@b.co please"]},
        {"label": "billing", "reference_share": 0.4, "current_share": 0.3, "examples": ["my bill"]},
    ]
    row = {
        "service": "shop", "field": "prompt", "kind": "embedding", "method": "mmd", "version": "1",
        "window_start": end - timedelta(seconds=60), "window_end": end, "reference_start": end - timedelta(days=1),
        "reference_end": end - timedelta(seconds=60), "n_reference": 500, "n_current": 120, "statistic": 0.1,
        "p_value": 0.0004, "threshold": 0.001, "drifted": drifted, "effect": 0.28, "effect_text": "",
        "clusters": json.dumps(clusters), "details": "{}", "created_at": world.clock(),
    }  # fmt: skip
    world.client.insert("drift_results", [list(row.values())], column_names=list(row))


def test_a_drift_result_alerts_with_the_topics_that_moved_and_ends_with_a_calm_window(world: Any) -> None:
    world.start(rules=[{"name": "prompt-drift", "drift": "prompt", "resolve_seconds": 0}])
    drift(world)
    world.tick()
    (message,) = world.slack.messages
    assert "“refund” 2 % → 30 %" in message.shown
    assert "p = 0.0004 (threshold 0.001), 120 against 500" in message.shown
    assert "refund to [EMAIL] please" in message.shown
    assert "a@b.co" not in message.shown + message.text
    world.clock.advance(60)
    drift(world, drifted=False)
    world.tick()
    assert world.events() == [("prompt-drift", "firing"), ("prompt-drift", "resolved")]
    assert len(message.replies) == 1


def test_drift_without_a_new_window_ends_when_its_result_no_longer_stands(world: Any) -> None:
    world.start(rules=[{"name": "prompt-drift", "drift": "prompt", "resolve_seconds": 0, "window_seconds": 60}])
    drift(world)
    world.tick()
    world.tick(180)
    world.tick(60)
    assert world.events() == [("prompt-drift", "firing"), ("prompt-drift", "resolved")]


def test_a_silenced_alert_is_recorded_and_not_told_until_the_silence_ends(world: Any) -> None:
    world.start(rules=[TOXICITY])
    Journal(world.client).silence({"service": "support-bot"}, world.clock(), 40, "ann", "deploy")
    breach(world)
    world.tick()
    assert world.events() == [("response-toxicity", "firing")]
    assert world.slack.calls == []
    world.tick(41)
    assert world.slack.calls == ["chat.postMessage"]


def test_an_acknowledged_alert_is_not_repeated_but_its_end_is_told(world: Any) -> None:
    world.start(rules=[TOXICITY], repeat_seconds=10)
    breach(world)
    world.tick()
    fingerprint = world.client.query("SELECT fingerprint FROM alert_events").first_row[0]
    Journal(world.client).acknowledge(fingerprint, world.clock(), "ann", "")
    world.tick(15)
    assert world.slack.calls == ["chat.postMessage"]
    world.clock.advance(70)
    world.spans(50, {"response.toxicity": lambda i: 0.01})
    world.tick()
    world.tick(10)
    assert world.slack.calls == ["chat.postMessage", "chat.update", "chat.postMessage"]


def test_slack_down_rate_limiting_and_silent_is_retried_until_told_exactly_once(world: Any) -> None:
    world.start(rules=[TOXICITY])
    breach(world)
    world.slack.fail_next(Fault(500), Fault(429, retry_after=7), Fault(hang_seconds=1.5))
    world.tick()
    assert world.deliveries() == [("firing", False)]
    world.tick(1)
    assert len(world.deliveries()) == 1, "it waits before it tries again"
    world.tick(1)
    assert len(world.deliveries()) == 2
    world.tick(6)
    assert len(world.deliveries()) == 2, "Retry-After is respected"
    world.tick(1)
    world.tick(8)
    assert world.deliveries() == [("firing", False)] * 3 + [("firing", True)]
    assert len(world.slack.messages) == 1
    attempts = world.client.query("SELECT attempt FROM deliveries ORDER BY at").result_rows
    assert [row[0] for row in attempts] == [1, 2, 3, 4]


def test_a_failed_message_that_was_silenced_meanwhile_wakes_nobody(world: Any) -> None:
    engine = world.start(rules=[TOXICITY])
    breach(world)
    world.slack.fail_next(Fault(500))
    world.tick()
    assert engine.next_retry == world.clock() + timedelta(seconds=2)
    Journal(world.client).silence({"service": "support-bot"}, world.clock(), 600, "me", "")
    world.tick(3)
    assert world.deliveries() == [("firing", False)]
    assert engine.next_retry is None


def test_a_database_that_is_away_after_the_message_was_sent_does_not_make_it_come_twice(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.start(rules=[TOXICITY])
    breach(world)
    insert = world.client.insert

    def away(table: str, *arguments: Any, **options: Any) -> Any:
        if table == "deliveries":
            raise OperationalError("connection refused")
        return insert(table, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(world.client, "insert", away)
        with pytest.raises(OperationalError):
            world.tick()
    world.tick(1)
    assert len(world.slack.messages) == 1
    assert world.deliveries() == [("firing", True)]


def test_alerts_of_one_group_share_a_message_that_follows_them(world: Any) -> None:
    world.start(rules=[{**TOXICITY, "by": ["service", "model"]}])
    breach(world, model="m1")
    world.tick()
    breach(world, model="m2")
    world.tick(5)
    (message,) = world.slack.messages
    assert message.text.startswith("🔴 Toxic responses: support-bot, m1 (and 1 more)")
    assert len(message.replies) == 1
    assert world.deliveries() == [("firing", True)] * 3


def test_since_is_when_the_breach_began_not_when_the_window_did(world: Any) -> None:
    world.start(rules=[{**TOXICITY, "window_seconds": 600}])
    world.spans(100, {"response.toxicity": lambda i: 0.01}, age_seconds=300)
    breach(world)
    world.tick()
    since = world.client.query("SELECT toUnixTimestamp(min(since)) FROM alert_events").first_row[0]
    began = (world.clock() - timedelta(seconds=26)).timestamp()
    assert abs(since - began) <= 21
