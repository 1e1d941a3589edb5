"""Sends alerts by Apprise: e-mail, Teams, PagerDuty, Opsgenie and others, one URL each (https://appriseit.com)."""

from __future__ import annotations

from collections.abc import Sequence

from apprise import Apprise
from pydantic import SecretStr

from alerts import secret
from alerts.notifiers.console import render
from leewatch.contracts import Delivered, PluginOptions
from leewatch.errors import ConfigError
from leewatch.schema import Notification

TYPES = {"critical": "failure", "warning": "warning", "info": "info"}
"""Severity as Apprise's kind of message; a resolution is a `success`."""


class AppriseNotifier:
    """One service per URL. What a service has got already is not sent to it again when another one failed."""

    name = "apprise"

    def __init__(self, services: Sequence[Apprise]) -> None:
        self._services = services
        self._told: tuple[object, set[int]] = (None, set())

    def __repr__(self) -> str:
        return f"AppriseNotifier({len(self._services)} services)"

    def send(self, notification: Notification, handle: str) -> Delivered:
        change = (notification.fingerprint, notification.state, notification.at)
        told = self._told[1] if self._told[0] == change else set()
        self._told = (change, told)
        resolved = notification.state == "resolved"
        kind = "success" if resolved else TYPES[notification.severity]
        title = f"{'Resolved: ' if resolved else ''}{notification.title}"
        for position, service in enumerate(self._services):
            if position not in told and service.notify(body=render(notification), title=title, notify_type=kind):
                told.add(position)
        missing = len(self._services) - len(told)
        if missing:
            return Delivered(False, retryable=True, error=f"{missing} of {len(self._services)} Apprise services failed")
        self._told = (None, set())
        return Delivered(True, handle=notification.fingerprint)


def create(options: PluginOptions) -> AppriseNotifier:
    """The notifier. Raises ConfigError with the position of every URL that Apprise does not understand."""
    configured = options.values.get("urls") or ()
    listed = [item if isinstance(item, SecretStr) else SecretStr(str(item)) for item in configured]
    filed = secret.read(None, options.values.get("urls_file"), "alerts.apprise.urls")
    if filed is not None:
        lines = (line.strip() for line in filed.get_secret_value().splitlines())
        listed += [SecretStr(line) for line in lines if line and not line.startswith("#")]
    if not listed:
        raise ConfigError(["alerts.apprise: expected urls or urls_file, got neither"])
    services: list[Apprise] = []
    faults: list[str] = []
    for position, url in enumerate(listed, start=1):
        service = Apprise()
        if service.add(url.get_secret_value()):
            services.append(service)
        else:
            faults.append(
                f"alerts.apprise.urls: number {position} is no Apprise URL; see https://appriseit.com/services"
            )
    if faults:
        raise ConfigError(faults)
    return AppriseNotifier(services)
