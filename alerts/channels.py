"""The configured channels: their notifiers, which alerts they take, and how long they wait after a failure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts.config import AlertsSection, ChannelSection
from alerts.route import Route
from leewatch import plugins
from leewatch.contracts import Delivered, Notifier, PluginOptions
from leewatch.errors import ConfigError, PluginError

GROUP = "leewatch.notifiers"
FIRST_WAIT_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 300.0
"""A failing channel is tried again after 2, 4, 8 ... 300 s, or when it says."""
REFUSED_WAIT_SECONDS = 300.0
"""Wait after a refusal that a retry by itself cannot mend (bad token, unknown channel): a person may mend it
meanwhile."""


@dataclass
class Channel:
    """One channel and its failures in a row. `blocked_until`: not to be used before."""

    name: str
    notifier: Notifier
    route: Route
    failures: int = 0
    blocked_until: datetime | None = field(default=None)

    def free(self, now: datetime) -> bool:
        """Whether the channel may be used now. A wait that is over is forgotten, also when nothing is due any more."""
        if self.waits(now):
            return False
        self.blocked_until = None
        return True

    def waits(self, now: datetime) -> bool:
        """Whether the channel is to be left alone now."""
        return self.blocked_until is not None and now < self.blocked_until

    def record(self, result: Delivered, now: datetime) -> int:
        """Takes note of an attempt; returns its number, 1 for the first."""
        attempt = self.failures + 1
        if result.ok:
            self.failures, self.blocked_until = 0, None
            return attempt
        self.failures = attempt
        self.blocked_until = now + timedelta(seconds=wait_seconds(result, attempt))
        return attempt


def wait_seconds(result: Delivered, attempt: int) -> float:
    """How long to wait after the given failed attempt: what the channel asked for, at least the growing wait of our
    own."""
    if not result.retryable:
        return REFUSED_WAIT_SECONDS
    return max(result.retry_after_seconds, min(FIRST_WAIT_SECONDS * 2.0 ** min(attempt - 1, 16), LONGEST_WAIT_SECONDS))


def build(section: AlertsSection) -> list[Channel]:
    """Every configured channel with its notifier.

    Raises ConfigError with every channel whose notifier is unknown or refuses its options.
    """
    channels: list[Channel] = []
    faults: list[str] = []
    for wanted in section.routes:
        try:
            notifier = _notifier(section, wanted)
        except (PluginError, ConfigError) as error:
            faults.extend(
                error.faults if isinstance(error, ConfigError) else [f"alerts.channels.{wanted.label}: {error}"]
            )
            continue
        channels.append(Channel(wanted.label, notifier, Route(wanted.label, tuple(wanted.severities), wanted.where)))
    if faults:
        raise ConfigError(faults)
    return channels


def _notifier(section: AlertsSection, wanted: ChannelSection) -> Notifier:
    own: Sequence[str] = ("slack", "webhook", "apprise")
    options = dict(getattr(section, wanted.notifier)) if wanted.notifier in own else {}
    notifier: Notifier = plugins.load_one(GROUP, wanted.notifier)(PluginOptions({**options, **wanted.options}))
    return notifier
