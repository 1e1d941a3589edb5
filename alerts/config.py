"""The configuration section `alerts`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field as Key
from pydantic import SecretStr, field_validator, model_validator

from alerts.rules import Rule, Severity, parse
from leewatch.config import HEALTH_HOST, HEALTH_PORT, Port, Section


class SlackSection(Section):
    """How to reach Slack: a bot token and a channel, or an incoming webhook."""

    token: SecretStr | None = Key(None, description="bot token, xoxb-...; better in a file")
    token_file: Path | None = Key(None, description="file that holds the bot token")
    channel: str = Key("", max_length=100, description="channel id (C...) or #name that the bot was invited to")
    webhook_url: SecretStr | None = Key(None, description="incoming webhook; posts only, cannot update a message")
    webhook_url_file: Path | None = Key(None, description="file that holds the webhook's URL")
    api_url: str = Key("https://slack.com/api/", pattern=r"^https?://\S+$", description="Slack Web API")
    timeout_seconds: float = Key(10.0, gt=0, le=120, description="how long to wait for Slack, seconds")

    @property
    def configured(self) -> bool:
        """Whether there is a way to reach Slack."""
        return any((self.token, self.token_file, self.webhook_url, self.webhook_url_file))

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [
            key for key in ("token", "token_file", "webhook_url", "webhook_url_file") if getattr(self, key) is not None
        ]
        if len(ways) > 1:
            raise ValueError(f"expected one of token, token_file, webhook_url, webhook_url_file; got {', '.join(ways)}")
        if ways and ways[0].startswith("token") and not self.channel:
            raise ValueError("a bot token needs `channel`: the id (C...) or #name of the channel to post to")
        return self


class WebhookSection(Section):
    """An HTTP endpoint of your own that is sent every alert as JSON."""

    url: SecretStr | None = Key(None, description="URL that is sent a POST")
    url_file: Path | None = Key(None, description="file that holds the URL")
    timeout_seconds: float = Key(10.0, gt=0, le=120, description="how long to wait for an answer, seconds")


class AppriseSection(Section):
    """E-mail, Teams, PagerDuty, Opsgenie and others by their Apprise URLs."""

    urls: tuple[SecretStr, ...] = Key((), description="Apprise URLs")
    urls_file: Path | None = Key(None, description="file with one Apprise URL a line")


class ChannelSection(Section):
    """Where alerts go: a notifier and which alerts it is sent."""

    name: str = Key("", max_length=100, description="name of the channel in the delivery log; default: the notifier")
    notifier: str = Key(description="slack, console, webhook, apprise or an installed plugin")
    severities: tuple[Severity, ...] = Key((), description="only alerts of these severities; empty: all")
    where: Mapping[str, str] = Key(default_factory=dict, description="only alerts with these labels; `rule` is one too")
    options: Mapping[str, Any] = Key(
        default_factory=dict, repr=False, description="options of the notifier; they win over its own section"
    )

    @property
    def label(self) -> str:
        """Name in the delivery log."""
        return self.name or self.notifier


class AlertsSection(Section):
    """Rules and where their alerts go (role `alerts`)."""

    evaluate_seconds: float = Key(30.0, gt=0, le=3600, description="how often rules are evaluated, seconds")
    lateness_seconds: float = Key(300.0, ge=0, le=86_400, description="how long a window waits for late spans, seconds")
    late_arrival_seconds: int = Key(
        3600, ge=1, description="rows that arrive later than this after their event never page, seconds"
    )
    rules: tuple[Rule, ...] | None = Key(None, description="your rules; absent: the shipped ones; []: none")
    channels: tuple[ChannelSection, ...] = Key((), description="default: slack when it is configured, else console")
    group_by: tuple[str, ...] = Key(("rule", "service"), description="labels whose alerts share one message")
    group_wait_seconds: float = Key(
        0.0, ge=0, le=3600, description="how long a first message waits for others, seconds"
    )
    repeat_seconds: float = Key(14_400.0, ge=1, description="how often an alert that goes on is told again, seconds")
    slack: SlackSection = Key(default_factory=SlackSection, description="Slack")
    webhook: WebhookSection = Key(default_factory=WebhookSection, description="your own HTTP endpoint")
    apprise: AppriseSection = Key(default_factory=AppriseSection, description="e-mail, Teams, PagerDuty and others")
    health_host: str = HEALTH_HOST
    health_port: Port | None = HEALTH_PORT

    @field_validator("rules", mode="before")
    @classmethod
    def _rules_with_all_faults(cls, value: Any) -> Any:
        return None if value is None else parse(value)

    @field_validator("channels", mode="before")
    @classmethod
    def _names_are_notifiers(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise ValueError("expected a list of notifiers, e.g. [slack, console]")
        return [{"notifier": item} if isinstance(item, str) else item for item in value]

    @model_validator(mode="after")
    def _channel_names_are_unique(self) -> Self:
        labels = [channel.label for channel in self.channels]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f"channels named {', '.join(twice)} stand there twice; give each a `name` of its own")
        return self

    @property
    def routes(self) -> tuple[ChannelSection, ...]:
        """The channels as configured, else the default one."""
        return self.channels or (ChannelSection(notifier="slack" if self.slack.configured else "console"),)
