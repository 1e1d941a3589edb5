from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from leewatch.testing.slack import CHANNEL, TOKEN, FakeSlack


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    with FakeSlack() as running:
        yield running


def call(slack: FakeSlack, method: str, token: str = TOKEN, **body: Any) -> Any:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    request = urllib.request.Request(slack.api_url + method, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)


def section(length: int) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": "x" * length}}


def button(length: int) -> dict[str, Any]:
    element = {"type": "button", "text": {"type": "plain_text", "text": "x" * length}}
    return {"type": "actions", "elements": [element]}


def header(length: int) -> dict[str, Any]:
    return {"type": "header", "text": {"type": "plain_text", "text": "x" * length}}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "no_text"),
        ({"text": ""}, "no_text"),
        ({"text": "hi"}, None),
        ({"blocks": [section(1)]}, None),
        ({"text": "hi", "blocks": [section(3000)] * 50}, None),
        ({"text": "hi", "blocks": [section(1)] * 51}, "invalid_blocks"),
        ({"text": "hi", "blocks": [section(3001)]}, "invalid_blocks"),
        ({"text": "hi", "blocks": [section(0)]}, "invalid_blocks"),
        ({"text": "hi", "blocks": [header(150)]}, None),
        ({"text": "hi", "blocks": [header(151)]}, "invalid_blocks"),
        ({"text": "hi", "blocks": [button(75)]}, None),
        ({"text": "hi", "blocks": [button(76)]}, "invalid_blocks"),
        ({"text": "hi", "blocks": [{"type": "unheard"}]}, "invalid_blocks"),
    ],
)
def test_content_is_checked_as_slack_does(slack: FakeSlack, body: dict[str, Any], error: str | None) -> None:
    answer = call(slack, "chat.postMessage", channel=CHANNEL, **body)
    assert (answer["ok"], answer.get("error")) == (error is None, error)
    assert len(slack.messages) == (error is None)


def test_tokens_channels_messages_and_methods_are_checked(slack: FakeSlack) -> None:
    assert call(slack, "auth.test")["ok"]
    assert call(slack, "auth.test", token="xoxb-other")["error"] == "invalid_auth"
    assert call(slack, "chat.postMessage", channel="C?", text="x")["error"] == "channel_not_found"
    assert call(slack, "chat.update", channel=CHANNEL, ts="9.9", text="x")["error"] == "message_not_found"
    assert call(slack, "chat.delete")["error"] == "unknown_method"


def test_the_webhook_answers_in_plain_text(slack: FakeSlack) -> None:
    def post(url: str, body: dict[str, Any]) -> tuple[int, str]:
        request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    assert post(slack.webhook_url, {"text": "hi"}) == (200, "ok")
    assert post(slack.webhook_url, {}) == (400, "no_text")
    assert post(slack.webhook_url, {"text": "x", "blocks": [section(3001)]}) == (400, "invalid_blocks")
    assert post(slack.webhook_url + "x", {"text": "hi"}) == (404, "no_service")
