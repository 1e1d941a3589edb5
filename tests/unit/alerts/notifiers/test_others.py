from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest
from pydantic import SecretStr

from alerts.notifiers.apprise import AppriseNotifier
from alerts.notifiers.console import ConsoleNotifier
from alerts.notifiers.webhook import WebhookNotifier
from leewatch.schema import Notification

AT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
FIRING = Notification(
    "f1", "r", "firing", "critical", "Title", "what", "where", "bad", AT, AT, "http://d", "example", {"a": "b"}
)


def test_the_console_prints_one_block_per_message() -> None:
    stream = io.StringIO()
    notifier = ConsoleNotifier(stream)
    assert notifier.send(FIRING, "").ok
    assert notifier.send(replace(FIRING, state="resolved"), "console").ok
    assert stream.getvalue().splitlines()[0] == "ALERT [critical] Title"
    assert "\nRESOLVED [critical] Title\n" in stream.getvalue()
    assert stream.getvalue().count("look:    http://d") == 2


def test_a_closed_console_is_worth_a_retry() -> None:
    stream = io.StringIO()
    stream.close()
    assert ConsoleNotifier(stream).send(FIRING, "").retryable


def webhook(answer: Callable[[httpx.Request], httpx.Response]) -> WebhookNotifier:
    return WebhookNotifier(SecretStr("https://example.org/s3cr3t"), 1, httpx.MockTransport(answer))


def test_a_webhook_is_sent_the_notification_as_json_with_a_key_that_stays_on_retries() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(204)

    notifier = webhook(answer)
    assert notifier.send(FIRING, "").ok
    notifier.send(FIRING, "")
    body = seen[0].read()
    assert b'"title":"Title"' in body
    assert b'"since":"2026-01-01T12:00:00+00:00"' in body
    assert len({request.headers["Idempotency-Key"] for request in seen}) == 1


@pytest.mark.parametrize(("status", "retryable"), [(500, True), (429, True), (400, False), (302, False)])
def test_a_webhook_that_refuses_says_whether_a_retry_helps(status: int, retryable: bool) -> None:
    result = webhook(lambda request: httpx.Response(status, headers={"Retry-After": "9"})).send(FIRING, "")
    assert (result.ok, result.retryable, result.retry_after_seconds) == (False, retryable, 9)


def test_an_unreachable_webhook_does_not_show_its_address() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(f"cannot reach {request.url}")

    result = webhook(fail).send(FIRING, "")
    assert result.retryable
    assert "s3cr3t" not in result.error


class Service:
    """Stands for one Apprise service: answers as it is told, and counts."""

    def __init__(self, *answers: bool) -> None:
        self.answers = list(answers)
        self.kinds: list[str] = []

    def notify(self, body: str, title: str, notify_type: str) -> bool:
        self.kinds.append(notify_type)
        return self.answers.pop(0)


def test_apprise_sends_again_only_to_the_services_that_failed() -> None:
    good, bad = Service(True, True), Service(False, True, True)
    notifier = AppriseNotifier([good, bad])
    first = notifier.send(FIRING, "")
    assert (first.ok, first.retryable) == (False, True)
    assert "1 of 2" in first.error
    assert notifier.send(FIRING, "").ok
    assert (good.kinds, bad.kinds) == (["failure"], ["failure", "failure"])
    assert notifier.send(replace(FIRING, state="resolved"), "").ok
    assert good.kinds[-1] == "success"
