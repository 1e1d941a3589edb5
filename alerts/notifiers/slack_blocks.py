"""A notification as Slack Block Kit, within Slack's limits (pure)."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from leewatch.schema import Notification

log = logging.getLogger(__name__)

HEADER_CHARACTERS = 150
"""https://docs.slack.dev/reference/block-kit/blocks/header-block"""
SECTION_CHARACTERS = 3000
"""https://docs.slack.dev/reference/block-kit/blocks/section-block"""
FIELD_CHARACTERS = 2000
"""https://docs.slack.dev/reference/block-kit/blocks/section-block"""
BUTTON_CHARACTERS = 75
"""https://docs.slack.dev/reference/block-kit/block-elements/button-element"""
BUTTON_URL_CHARACTERS = 3000
"""https://docs.slack.dev/reference/block-kit/block-elements/button-element"""
TEXT_CHARACTERS = 4000
"""https://docs.slack.dev/reference/methods/chat.postMessage: recommended length of `text`"""

_ICONS = {"critical": "🔴", "warning": "🟠", "info": "🔵"}
_RESOLVED_ICON = "✅"


def headline(notification: Notification) -> str:
    """One line: icon, state, title."""
    if notification.state == "resolved":
        return f"{_RESOLVED_ICON} Resolved: {notification.title}"
    return f"{_ICONS[notification.severity]} {notification.title}"


def fallback(notification: Notification) -> str:
    """The message without blocks, for notifications and screen readers."""
    n = notification
    return _cut(escape(f"{headline(n)}. {n.what} {n.how_bad} {n.url}"), TEXT_CHARACTERS, "text")


def blocks(notification: Notification) -> list[dict[str, Any]]:
    """The message: headline, what, where and since when, how bad and how sure, example, button to the dashboard."""
    n = notification
    parts: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(_cut(headline(n), HEADER_CHARACTERS, "header"))},
        _section(n.what),
        {
            "type": "section",
            "fields": [
                _mrkdwn(f"*Where*\n{_cut(escape(n.where), FIELD_CHARACTERS - 20, 'field')}"),
                _mrkdwn(f"*Since*\n{_since(n)}"),
            ],
        },
        _section(n.how_bad, "*How bad*\n"),
    ]
    if n.example:
        parts.append(_section(n.example, "*Example*\n>"))
    if n.url and len(n.url) <= BUTTON_URL_CHARACTERS:
        label = _plain(_cut("Open dashboard", BUTTON_CHARACTERS, "button"))
        parts.append({"type": "actions", "elements": [{"type": "button", "text": label, "url": n.url}]})
    parts.append(
        {"type": "context", "elements": [_mrkdwn(f"{escape(n.rule)} · {n.severity} · `{escape(n.fingerprint)}`")]}
    )
    return parts


def reply(notification: Notification) -> str:
    """The line that follows in the thread when the alert changes."""
    n = notification
    if n.state == "resolved":
        return _cut(
            escape(f"{_RESOLVED_ICON} Resolved {_clock(n.at)} UTC, {_lasted(n)}. {n.how_bad}"), TEXT_CHARACTERS, "text"
        )
    return _cut(
        escape(f"{_ICONS[n.severity]} Still firing {_clock(n.at)} UTC. {n.what} {n.how_bad}"), TEXT_CHARACTERS, "text"
    )


def escape(text: str) -> str:
    """Slack's three control characters as entities (https://docs.slack.dev/messaging/formatting-message-text)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _section(text: str, prefix: str = "") -> dict[str, Any]:
    return {
        "type": "section",
        "text": _mrkdwn(prefix + _cut(escape(text), SECTION_CHARACTERS - len(prefix), "section")),
    }


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": True}


def _mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text}


def _since(n: Notification) -> str:
    return f"{n.since:%Y-%m-%d %H:%M:%S} UTC" + (f", {_lasted(n)}" if n.state == "resolved" else "")


def _lasted(n: Notification) -> str:
    length = max(n.at - n.since, timedelta())
    minutes, seconds = divmod(int(length.total_seconds()), 60)
    return f"it lasted {minutes} min {seconds} s"


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M:%S}"


def _cut(text: str, limit: int, what: str) -> str:
    if len(text) <= limit:
        return text or "-"
    log.warning("Slack %s cut from %d to %d characters", what, len(text), limit)
    return text[: limit - 1] + "…"
