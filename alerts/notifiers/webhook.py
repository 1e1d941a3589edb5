"""Sends every alert as JSON to an HTTP endpoint of the user's own."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import httpx
from pydantic import SecretStr

from alerts import secret
from leewatch.contracts import Delivered, PluginOptions
from leewatch.errors import ConfigError
from leewatch.schema import Notification


class WebhookNotifier:
    """POSTs a notification; the header Idempotency-Key is the same when the same change is sent again."""

    name = "webhook"

    def __init__(self, url: SecretStr, timeout_seconds: float, transport: httpx.BaseTransport | None = None) -> None:
        self._url = url
        self._client = httpx.Client(timeout=timeout_seconds, transport=transport)

    def __repr__(self) -> str:
        return "WebhookNotifier()"

    def send(self, notification: Notification, handle: str) -> Delivered:
        key = f"{notification.fingerprint}:{notification.state}:{notification.at.isoformat()}"
        try:
            answer = self._client.post(
                self._url.get_secret_value(), json=payload(notification), headers={"Idempotency-Key": key}
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = secret.without(f"{type(error).__name__}: {error}", self._url)
            return Delivered(False, retryable=True, error=f"the webhook does not answer: {reason}")
        if answer.is_success:
            return Delivered(True, handle=notification.fingerprint)
        retryable = answer.status_code in {408, 425, 429} or answer.is_server_error
        return Delivered(
            False,
            retryable,
            f"the webhook answered {answer.status_code}",
            retry_after_seconds=_seconds(answer.headers.get("Retry-After", "")),
        )


def payload(notification: Notification) -> dict[str, Any]:
    """The notification as JSON: the keys of `leewatch.schema.Notification`, times as ISO 8601 UTC."""
    values = asdict(notification)
    return {**values, "since": notification.since.isoformat(), "at": notification.at.isoformat()}


def create(options: PluginOptions) -> WebhookNotifier:
    """The notifier. Raises ConfigError when there is no URL or it is none."""
    url = secret.read(options.values.get("url"), options.values.get("url_file"), "alerts.webhook.url")
    if url is None:
        raise ConfigError(["alerts.webhook: expected url or url_file, got neither"])
    if not url.get_secret_value().startswith(("http://", "https://")):
        raise ConfigError(["alerts.webhook.url: expected an address that begins with https:// or http://"])
    return WebhookNotifier(url, float(options.values.get("timeout_seconds") or 10.0))


def _seconds(text: str) -> float:
    return float(text) if text.isdecimal() else 0.0
