"""`leewatch alerts`: states, acknowledgements, silences, and trying out rules and channels."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from pydantic import ValidationError
from rich.console import Console
from rich.progress import track
from rich.table import Table

from alerts import backtest as backtesting
from alerts import channels, when
from alerts.config import AlertsSection
from alerts.journal import Journal
from alerts.measure import observe
from alerts.rules import Rule, parse, shipped
from alerts.runner import utc_now
from leewatch import config
from leewatch.config import Settings
from leewatch.errors import ConfigError, InputError
from leewatch.schema import Notification
from leewatch.storage.client import connect

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="List, acknowledge and silence alerts; try out rules and channels."
)
ANY_AGE_SECONDS = 100 * 365 * 86_400
By = Annotated[str, typer.Option("--by", help="Who; default: the user of this machine.")]


@app.command("list")
def list_alerts(
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Also alerts that ended in the last 7 days.")] = False,
) -> None:
    """Active alerts, the newest first."""
    with _journal(config.load()) as journal:
        states = {"pending", "firing"} | ({"resolved"} if everything else set())
        alerts = [alert for alert in journal.alerts(utc_now()) if alert.state in states]
    if as_json:
        keys = ("fingerprint", "rule", "state", "severity", "title", "what", "how_bad", "url", "value", "threshold")
        rows = [
            {key: getattr(a, key) for key in keys}
            | {"labels": dict(a.labels), "since": a.since.isoformat(), "at": a.at.isoformat()}
            for a in alerts
        ]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    if not alerts:
        print("no active alerts" if not everything else "no alerts in the last 7 days")
        return
    table = Table("id", "state", "severity", "title", "since (UTC)", box=None, pad_edge=False)
    for alert in alerts:
        table.add_row(alert.fingerprint, alert.state, alert.severity, alert.title, f"{alert.since:%Y-%m-%d %H:%M:%S}")
    Console().print(table)


@app.command()
def ack(
    alert: Annotated[str, typer.Argument(help="Id of the alert, or its beginning.")],
    by: By = "",
    comment: Annotated[str, typer.Option("--comment", help="What you are doing about it.")] = "",
) -> None:
    """Say that you are on it: the alert is not repeated; that it is resolved is still told."""
    with _journal(config.load()) as journal:
        active = [a for a in journal.alerts(utc_now()) if a.state in {"pending", "firing"}]
        found = [a for a in active if a.fingerprint.startswith(alert)]
        if len(found) != 1:
            reason = "several active alerts begin so" if found else "no active alert has this id"
            raise InputError(f"{alert!r}: {reason}; `leewatch alerts list` shows the ids")
        journal.acknowledge(found[0].fingerprint, utc_now(), by or getpass.getuser(), comment)
    print(f"acknowledged {found[0].title}")


@app.command()
def silence(
    matchers: Annotated[
        list[str] | None, typer.Argument(help="label=value, e.g. service=kb-bot rule=error-rate.")
    ] = None,
    lasting: Annotated[str, typer.Option("--for", help="How long, e.g. 30m, 2h, 7d.")] = "1h",
    by: By = "",
    comment: Annotated[str, typer.Option("--comment", help="Why.")] = "",
    remove: Annotated[str, typer.Option("--remove", help="Id of a silence to end now.")] = "",
    show: Annotated[bool, typer.Option("--list", help="List the silences that have not ended.")] = False,
) -> None:
    """Mute every alert that has all these labels, for a while; or list and remove silences."""
    wanted = _matchers(matchers or [])
    lasts = when.length(lasting)
    if not (wanted or remove or show):
        raise InputError("expected label=value, e.g. `leewatch alerts silence service=kb-bot --for 2h`")
    with _journal(config.load()) as journal:
        if remove:
            if not journal.remove_silence(remove, utc_now()):
                raise InputError(f"no silence {remove!r}; `leewatch alerts silence --list` shows them")
            print(f"removed {remove}")
        if wanted:
            identity = journal.silence(wanted, utc_now(), lasts.total_seconds(), by or getpass.getuser(), comment)
            print(f"{identity} mutes {', '.join(f'{k}={v}' for k, v in wanted.items())} for {lasting}")
        if show:
            for known in journal.silences(utc_now()):
                pairs = ", ".join(f"{k}={v}" for k, v in known.matchers.items())
                told = f"{known.created_by} {known.comment}".strip()
                print(f"{known.id}  {pairs}  until {known.ends_at:%Y-%m-%d %H:%M} UTC  {told}".rstrip())


@app.command()
def check(
    file: Annotated[Path | None, typer.Argument(help="YAML with a list of rules, or a leewatch.yaml.")] = None,
) -> None:
    """Say whether the rules are valid; every fault is listed with rule and key (exit code 2)."""
    rules = _from_file(file) if file is not None else _configured(config.load())
    for rule in rules:
        target = rule.metric or f"drift of {rule.drift}"
        print(f"{rule.name}: {target}, {rule.severity}")
    print(f"{len(rules)} rule(s), valid")


@app.command()
def backtest(
    name: Annotated[str, typer.Option("--rule", help="Name of the rule.")],
    since: Annotated[str, typer.Option("--since", help="ISO 8601 time, or that long ago, e.g. 7d.")],
    until: Annotated[str, typer.Option("--until", help="As --since; default: now.")] = "",
    file: Annotated[Path | None, typer.Option("--file", help="Rules file; default: the configuration.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """When a rule would have fired. Imported history counts here, although it never pages."""
    settings = config.load()
    section = settings.section(AlertsSection)
    rule = _named(_from_file(file) if file is not None else _configured(settings), name)
    now = utc_now()
    start, end = when.moment(since, now), when.moment(until, now) if until else now
    if start >= end:
        raise InputError(f"--since {since} is not before {until or 'now'}")
    client = connect(settings)
    moments = backtesting.times(start, end, section.evaluate_seconds)
    shown = track(moments, f"{rule.name}", console=Console(stderr=True), disable=not sys.stderr.isatty())
    episodes = backtesting.replay(rule, lambda at: observe(client, rule, at, 0, ANY_AGE_SECONDS), shown)
    if as_json:
        print(json.dumps([_episode(episode) for episode in episodes], indent=2, ensure_ascii=False))
        return
    for episode in episodes:
        over = f"{episode.resolved_at:%Y-%m-%d %H:%M:%S}" if episode.resolved_at else "still firing"
        where = ", ".join(f"{key} {value}" for key, value in episode.labels.items())
        print(f"{episode.fired_at:%Y-%m-%d %H:%M:%S}  to  {over}  {where}  {episode.how_bad}")
    print(
        f"{rule.name} would have fired {len(episodes)} time(s) from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
    )


@app.command("test-notification")
def try_channels(
    channel: Annotated[str, typer.Option("--channel", help="Only this channel.")] = "",
) -> None:
    """Send a test alert and its resolution to every channel; exit code 1 when one fails."""
    settings = config.load()
    built = [c for c in channels.build(settings.section(AlertsSection)) if not channel or c.name == channel]
    if not built:
        raise InputError(f"no channel is named {channel!r}; see alerts.channels")
    failed = False
    for target in built:
        handle = ""
        for state in ("firing", "resolved"):
            result = target.notifier.send(_test_message(state, utc_now(), settings.dashboard_url), handle)
            handle = result.handle
            failed = failed or not result.ok
            print(f"{target.name}: {state} {'sent' if result.ok else f'NOT sent: {result.error}'}")
            if not result.ok:
                break
    if failed:
        raise typer.Exit(1)


@contextmanager
def _journal(settings: Settings) -> Iterator[Journal]:
    client = connect(settings)
    try:
        yield Journal(client)
    finally:
        client.close()


def _matchers(pairs: list[str]) -> dict[str, str]:
    matchers: dict[str, str] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key or not value:
            raise InputError(f"{pair!r}: expected label=value, e.g. service=kb-bot")
        matchers[key] = value
    return matchers


def _configured(settings: Settings) -> tuple[Rule, ...]:
    rules = settings.section(AlertsSection).rules
    return shipped() if rules is None else rules


def _from_file(file: Path) -> tuple[Rule, ...]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {file}: {error}") from error
    except yaml.YAMLError as error:
        raise InputError(f"{file} is not valid YAML: {' '.join(str(error).split())}") from error
    if isinstance(content, Mapping):
        alerts = content.get("alerts", content)
        content = alerts.get("rules") if isinstance(alerts, Mapping) else None
    try:
        return parse(content)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise ConfigError(faults, str(file)) from None
    except ValueError as error:
        raise ConfigError([f"rules: {error}"], str(file)) from None


def _named(rules: tuple[Rule, ...], name: str) -> Rule:
    found = next((rule for rule in rules if rule.name == name), None)
    if found is None:
        raise InputError(f"no rule is named {name!r}; known: {', '.join(rule.name for rule in rules) or 'none'}")
    return found


def _episode(episode: backtesting.Episode) -> dict[str, Any]:
    return {
        "labels": dict(episode.labels),
        "fired_at": episode.fired_at.isoformat(),
        "resolved_at": episode.resolved_at.isoformat() if episode.resolved_at else None,
        "how_bad": episode.how_bad,
    }


def _test_message(state: Any, now: datetime, url: str) -> Notification:
    return Notification(
        fingerprint="test",
        rule="test-notification",
        state=state,
        severity="info",
        title="Test of this channel",
        what="Leewatch can reach you here. Nothing is wrong.",
        where="everywhere",
        how_bad="Not at all.",
        since=now - timedelta(seconds=1),
        at=now,
        url=f"{url}/alerts",
    )
