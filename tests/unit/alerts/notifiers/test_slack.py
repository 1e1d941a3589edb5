from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from alerts.notifiers import slack_blocks
from alerts.notifiers.slack import create
from leewatch.contracts import PluginOptions
from leewatch.schema import Notification
from leewatch.testing.slack import CHANNEL, TOKEN, FakeSlack, Fault, content_error

SINCE = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
FIRING = Notification(
    fingerprint="f1",
    rule="response-toxicity",
    state="firing",
    severity="critical",
    title="Toxic responses: bot",
    what="30 % is <toxic> & rude",
    where="service bot",
    how_bad="30 % over 100",
    since=SINCE,
    at=SINCE + timedelta(seconds=90),
    url="http://dash/quality?service=bot&from=x",
    example="you *fool*",
)
RESOLVED = replace(FIRING, state="resolved", at=SINCE + timedelta(minutes=12, seconds=5))


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    with FakeSlack() as running:
        yield running


def bot(slack: FakeSlack, **options: Any) -> Any:
    values = {"token": TOKEN, "channel": CHANNEL, "api_url": slack.api_url, "timeout_seconds": 1, **options}
    return create(PluginOptions(values))


def test_an_alert_is_posted_once_then_updated_with_a_reply_in_its_thread(slack: FakeSlack) -> None:
    notifier = bot(slack)
    first = notifier.send(FIRING, "")
    assert first.ok
    second = notifier.send(RESOLVED, first.handle)
    assert (second.ok, second.handle) == (True, first.handle)
    (message,) = slack.messages
    assert message.versions[0].startswith("🔴 Toxic responses: bot")
    assert message.text.startswith("✅ Resolved: Toxic responses: bot")
    assert "it lasted 12 min 5 s" in message.shown
    assert [reply.text for reply in message.replies] == [
        "✅ Resolved 12:12:05 UTC, it lasted 12 min 5 s. 30 % over 100"
    ]
    assert slack.calls == ["chat.postMessage", "chat.update", "chat.postMessage"]


def test_control_characters_of_slack_are_escaped(slack: FakeSlack) -> None:
    bot(slack).send(replace(FIRING, example="<!channel> <http://evil|x>"), "")
    shown = slack.messages[0].shown + slack.messages[0].text
    assert "30 % is &lt;toxic&gt; &amp; rude" in shown
    assert "<!channel>" not in shown
    assert "&lt;!channel&gt;" in shown


def test_very_long_texts_stay_within_the_limits_and_the_cut_is_logged(
    slack: FakeSlack, caplog: pytest.LogCaptureFixture
) -> None:
    for filler in ("x" * 20_000, "<&>" * 9_000, "🦊" * 9_000):
        long = replace(FIRING, title=filler, what=filler, where=filler, how_bad=filler, example=filler)
        assert content_error({"text": slack_blocks.fallback(long), "blocks": slack_blocks.blocks(long)}) == ""
        assert len(slack_blocks.reply(long)) <= slack_blocks.TEXT_CHARACTERS
    assert bot(slack).send(long, "").ok
    assert "cut from" in caplog.text


def test_empty_texts_and_an_overlong_link_are_still_accepted(slack: FakeSlack) -> None:
    empty = replace(FIRING, what="", where="", how_bad="", example="", url="http://x/" + "y" * 4000)
    assert bot(slack).send(empty, "").ok
    assert not [block for block in slack.messages[0].blocks if block["type"] == "actions"]


def test_every_message_has_a_text_beside_its_blocks(slack: FakeSlack) -> None:
    handle = bot(slack).send(FIRING, "").handle
    bot(slack).send(RESOLVED, handle)
    everything = [*slack.messages, *slack.messages[0].replies]
    assert all(message.text for message in everything)


def test_a_message_that_was_deleted_is_posted_anew(slack: FakeSlack) -> None:
    gone = json.dumps({"channel": CHANNEL, "ts": "1.1"})
    result = bot(slack).send(RESOLVED, gone)
    assert result.ok
    assert json.loads(result.handle)["ts"] == slack.messages[0].ts


@pytest.mark.parametrize(
    ("options", "error", "hint"),
    [
        ({"token": "xoxb-wrong-secret"}, "invalid_auth", "token_file"),
        ({"channel": "#unknown"}, "channel_not_found", "alerts.slack.channel"),
    ],
)
def test_a_refusal_says_what_to_do_and_is_not_worth_a_retry(
    slack: FakeSlack, options: dict[str, str], error: str, hint: str
) -> None:
    result = bot(slack, **options).send(FIRING, "")
    assert (result.ok, result.retryable) == (False, False)
    assert error in result.error
    assert hint in result.error
    assert "wrong-secret" not in result.error


@pytest.mark.parametrize(
    ("fault", "wait"), [(Fault(429, retry_after=17), 17), (Fault(429), 30), (Fault(500), 0), (Fault(503), 0)]
)
def test_rate_limits_and_outages_are_worth_a_retry(slack: FakeSlack, fault: Fault, wait: float) -> None:
    slack.fail_next(fault)
    result = bot(slack).send(FIRING, "")
    assert (result.ok, result.retryable, result.retry_after_seconds) == (False, True, wait)


def test_silence_and_a_closed_port_are_worth_a_retry(slack: FakeSlack) -> None:
    slack.fail_next(Fault(hang_seconds=1.3))
    assert bot(slack).send(FIRING, "").retryable
    result = create(PluginOptions({"token": TOKEN, "channel": "C", "api_url": "http://127.0.0.1:9/api/"})).send(
        FIRING, ""
    )
    assert (result.ok, result.retryable) == (False, True)


def hook(slack: FakeSlack, **options: Any) -> Any:
    return create(PluginOptions({"webhook_url": slack.webhook_url, "timeout_seconds": 1, **options}))


def test_a_webhook_posts_every_change_as_a_message_of_its_own(slack: FakeSlack) -> None:
    notifier = hook(slack)
    handle = notifier.send(FIRING, "").handle
    assert notifier.send(RESOLVED, handle).ok
    assert [message.text[:1] for message in slack.messages] == ["🔴", "✅"]


@pytest.mark.parametrize(
    ("fault", "retryable"), [(Fault(429, retry_after=5), True), (Fault(500), True), (Fault(403), False)]
)
def test_a_failing_webhook_says_whether_a_retry_helps_and_hides_its_address(
    slack: FakeSlack, fault: Fault, retryable: bool
) -> None:
    slack.fail_next(fault)
    result = hook(slack).send(FIRING, "")
    assert (result.ok, result.retryable) == (False, retryable)
    assert "s3cr3tHook" not in result.error


def test_secrets_show_neither_in_errors_nor_in_logs_nor_in_repr(
    slack: FakeSlack, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    notifiers = [bot(slack), hook(slack), hook(slack, webhook_url="http://127.0.0.1:9/services/s3cr3tHook")]
    notifiers.append(hook(slack, webhook_url="not a url s3cr3tHook"))
    told = [notifier.send(FIRING, "").error + repr(notifier) for notifier in notifiers]
    slack.fail_next(Fault(500), Fault(500))
    told += [notifier.send(FIRING, "").error for notifier in notifiers[:2]]
    for text in (*told, caplog.text):
        assert TOKEN not in text
        assert "s3cr3tHook" not in text


def test_the_token_may_come_from_a_file(slack: FakeSlack, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    assert bot(slack, token=None, token_file=file).send(FIRING, "").ok
