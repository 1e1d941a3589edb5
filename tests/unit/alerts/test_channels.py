from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alerts import channels
from alerts.channels import Channel, wait_seconds
from alerts.config import AlertsSection
from alerts.notifiers.console import ConsoleNotifier
from alerts.route import Route
from alerts.runner import only_one
from leewatch.contracts import Delivered, Notifier
from leewatch.errors import ConfigError, DataDirectoryLockedError

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_waits_grow_with_failures_and_respect_what_the_channel_asks_for() -> None:
    failed = Delivered(False, retryable=True)
    assert [wait_seconds(failed, attempt) for attempt in (1, 2, 3, 20)] == [2, 4, 8, 300]
    assert wait_seconds(Delivered(False, True, retry_after_seconds=60), 1) == 60
    assert wait_seconds(Delivered(False, retryable=False), 1) == 300


def test_a_success_ends_the_wait() -> None:
    channel = Channel("c", ConsoleNotifier(), Route("c"))
    assert channel.record(Delivered(False, True), NOW) == 1
    assert channel.waits(NOW + timedelta(seconds=1))
    assert not channel.waits(NOW + timedelta(seconds=2))
    assert channel.record(Delivered(True), NOW) == 2
    assert not channel.waits(NOW)


def test_every_faulty_channel_is_told_at_once(tmp_path: Path) -> None:
    section = AlertsSection.model_validate(
        {
            "channels": ["pigeon", "slack", "webhook", "apprise"],
            "slack": {"token_file": str(tmp_path / "missing"), "channel": "C1"},
            "apprise": {"urls": ["nonsense"]},
        }
    )
    with pytest.raises(ConfigError) as caught:
        channels.build(section)
    text = str(caught.value)
    assert "alerts.channels.pigeon: no leewatch.notifiers plugin is named 'pigeon'" in text
    assert f"alerts.slack.token_file: cannot read {tmp_path / 'missing'}" in text
    assert "alerts.webhook: expected url or url_file" in text
    assert "alerts.apprise.urls: number 1 is no Apprise URL" in text


def test_every_shipped_notifier_follows_the_contract_and_hides_its_secrets(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("xoxb-very-secret\n")
    section = AlertsSection.model_validate(
        {
            "channels": ["slack", "console", "webhook", "apprise"],
            "slack": {"token_file": str(secret), "channel": "C1"},
            "webhook": {"url": "https://example.org/very-secret"},
            "apprise": {"urls": ["json://user:very-secret@localhost"]},
        }
    )
    built = channels.build(section)
    assert [channel.name for channel in built] == ["slack", "console", "webhook", "apprise"]
    for channel in built:
        notifier: Notifier = channel.notifier
        assert notifier.name == channel.name
        assert "secret" not in repr(notifier)
    assert "very-secret" not in repr(section) + section.model_dump_json()


def test_a_second_alert_process_is_refused_and_may_start_after_the_first(tmp_path: Path) -> None:
    with only_one(tmp_path), pytest.raises(DataDirectoryLockedError, match=r"alerts\.lock"), only_one(tmp_path):
        pass
    with only_one(tmp_path):
        pass
