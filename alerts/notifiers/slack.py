"""Sends alerts to Slack: one message per alert, updated in place, with a reply in its thread on every change.

With an incoming webhook there is nothing to update: every change is a message of its own.
"""

from __future__ import annotations

import json
import logging
from typing import Any
from urllib.error import URLError

from pydantic import SecretStr
from slack_sdk import WebClient, WebhookClient
from slack_sdk.errors import SlackApiError, SlackClientError

from alerts import secret
from alerts.notifiers import slack_blocks
from leewatch.contracts import Delivered, PluginOptions
from leewatch.errors import ConfigError
from leewatch.schema import Notification

RETRYABLE = frozenset(
    {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
)
GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
"""Answers of chat.update after which only a new message helps."""
DEFAULT_RETRY_AFTER_SECONDS = 30.0
"""A 429 comes with Retry-After (https://docs.slack.dev/apis/web-api/rate-limits); this is for one without."""

# slack-sdk logs URLs and bodies at DEBUG; a webhook's URL is a secret.
_quiet = logging.getLogger("alerts.notifiers.slack.sdk")
_quiet.setLevel(logging.CRITICAL)


class SlackBot:
    """Posts with a bot token. Not to be shared between threads."""

    name = "slack"

    def __init__(self, token: SecretStr, channel: str, api_url: str, timeout_seconds: float) -> None:
        self._token = token
        self._channel = channel
        url = api_url if api_url.endswith("/") else api_url + "/"
        self._client = WebClient(
            token=token.get_secret_value(),
            base_url=url,
            timeout=max(1, round(timeout_seconds)),
            retry_handlers=[],
            logger=_quiet,
        )

    def __repr__(self) -> str:
        return f"SlackBot(channel={self._channel!r})"

    def send(self, notification: Notification, handle: str) -> Delivered:
        try:
            return Delivered(True, handle=self._post_or_update(notification, handle))
        except SlackApiError as error:
            return self._refused(error)
        except (SlackClientError, URLError, OSError, ValueError) as error:
            reason = secret.without(f"{type(error).__name__}: {error}", self._token)
            return Delivered(False, retryable=True, error=f"Slack does not answer: {reason}")

    def _post_or_update(self, notification: Notification, handle: str) -> str:
        content: dict[str, Any] = {
            "text": slack_blocks.fallback(notification),
            "blocks": slack_blocks.blocks(notification),
            "unfurl_links": False,
        }
        known = _parsed(handle)
        if known is not None:
            channel, ts = known
            try:
                self._client.chat_update(channel=channel, ts=ts, text=content["text"], blocks=content["blocks"])
            except SlackApiError as error:
                if _code(error) not in GONE:
                    raise
            else:
                self._client.chat_postMessage(
                    channel=channel, thread_ts=ts, text=slack_blocks.reply(notification), unfurl_links=False
                )
                return handle
        answer = self._client.chat_postMessage(channel=self._channel, **content)
        return json.dumps({"channel": answer["channel"], "ts": answer["ts"]})

    def _refused(self, error: SlackApiError) -> Delivered:
        status, code = error.response.status_code, _code(error)
        if status == 429 or code in {"ratelimited", "rate_limited"}:
            return Delivered(
                False, True, "Slack asks to slow down (429)", retry_after_seconds=_retry_after(error.response)
            )
        retryable = status >= 500 or code in RETRYABLE
        hint = HINTS.get(code, "")
        return Delivered(False, retryable, secret.without(f"Slack refused: {code or status}{hint}", self._token))


class SlackWebhook:
    """Posts through an incoming webhook. Not to be shared between threads."""

    name = "slack"

    def __init__(self, url: SecretStr, timeout_seconds: float) -> None:
        self._url = url
        self._client = WebhookClient(
            url.get_secret_value(), timeout=max(1, round(timeout_seconds)), retry_handlers=[], logger=_quiet
        )

    def __repr__(self) -> str:
        return "SlackWebhook()"

    def send(self, notification: Notification, handle: str) -> Delivered:
        try:
            answer = self._client.send(
                text=slack_blocks.fallback(notification),
                blocks=slack_blocks.blocks(notification),
                unfurl_links=False,
            )
        except (SlackClientError, URLError, OSError, ValueError) as error:
            reason = secret.without(f"{type(error).__name__}: {error}", self._url)
            return Delivered(False, retryable=True, error=f"Slack does not answer: {reason}")
        if answer.status_code == 200:
            return Delivered(True)
        if answer.status_code == 429:
            return Delivered(False, True, "Slack asks to slow down (429)", retry_after_seconds=_retry_after(answer))
        reason = secret.without(f"Slack refused: {answer.status_code} {answer.body[:200]}", self._url)
        return Delivered(False, answer.status_code >= 500, reason)


HINTS = {
    "invalid_auth": ". The token is wrong: put the bot token (xoxb-...) into the file of alerts.slack.token_file",
    "not_authed": ". No token was sent: set alerts.slack.token_file",
    "account_inactive": ". The app was removed from the workspace: install it again",
    "token_revoked": ". The token was revoked: install the app again and replace the token",
    "channel_not_found": ". Set alerts.slack.channel to the id of a channel that the bot can see",
    "not_in_channel": ". Invite the bot: /invite @app in the channel",
    "missing_scope": ". Add the scope chat:write to the app and install it again",
    "is_archived": ". The channel is archived: choose another in alerts.slack.channel",
}


def create(options: PluginOptions) -> SlackBot | SlackWebhook:
    """The notifier for the configured way: bot token or incoming webhook.

    Raises ConfigError when there is none, or a secret file cannot be read.
    """
    values = options.values
    timeout = float(values.get("timeout_seconds") or 10.0)
    webhook = secret.read(values.get("webhook_url"), values.get("webhook_url_file"), "alerts.slack.webhook_url")
    if webhook is not None:
        return SlackWebhook(webhook, timeout)
    token = secret.read(values.get("token"), values.get("token_file"), "alerts.slack.token")
    if token is None:
        raise ConfigError(["alerts.slack: expected token_file and channel, or webhook_url_file, got neither"])
    if not values.get("channel"):
        raise ConfigError(["alerts.slack.channel: missing; give the id (C...) or #name of the channel to post to"])
    return SlackBot(token, str(values["channel"]), str(values.get("api_url") or "https://slack.com/api/"), timeout)


def _code(error: SlackApiError) -> str:
    """Slack's error code; empty when the answer was no JSON of Slack's."""
    data = error.response.data
    return str(data.get("error", "")) if isinstance(data, dict) else ""


def _retry_after(response: Any) -> float:
    for key, value in response.headers.items():
        if key.lower() == "retry-after":
            try:
                return max(0.0, float(value[0] if isinstance(value, list) else value))
            except ValueError:
                break
    return DEFAULT_RETRY_AFTER_SECONDS


def _parsed(handle: str) -> tuple[str, str] | None:
    try:
        parsed = json.loads(handle)
        return str(parsed["channel"]), str(parsed["ts"])
    except (ValueError, TypeError, KeyError):
        return None
