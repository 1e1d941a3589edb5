"""Reads and writes what the alert process knows: states, deliveries, silences, saved rules."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from clickhouse_connect.driver.client import Client
from pydantic import ValidationError

from alerts.alert import Alert
from alerts.measure import milliseconds, moment
from alerts.route import ACK_MATCHER, Sent, Silence
from alerts.rules import Rule, parse
from leewatch.storage import queries

log = logging.getLogger(__name__)
MEMORY = timedelta(days=7)
"""How long a resolved alert and its deliveries are looked at; older ones are history."""
ACK_DAYS = 30
DELIVERY_COLUMNS = ("fingerprint", "channel", "state", "at", "ok", "attempt", "error", "handle", "title")


class Journal:
    """The alert tables of one database. Not to be shared between threads."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._sql = queries.load("alerts")
        self._unwritten: list[list[object]] = []

    def alerts(self, now: datetime) -> list[Alert]:
        """The newest state of every alert that is active or changed lately."""
        rows = self._client.query(
            self._sql["latest_alerts"], parameters={"changed_since": milliseconds(now - MEMORY)}
        ).named_results()
        return [
            Alert(
                fingerprint=row["fingerprint"],
                rule=row["rule"],
                labels=dict(row["labels"]),
                state=row["state"],
                severity=row["severity"],
                at=moment(row["at_ms"]),
                since=moment(row["since_ms"]),
                value=row["value"],
                threshold=row["threshold"],
                title=row["title"],
                what=row["what"],
                location=row["location"],
                how_bad=row["how_bad"],
                example=row["example"],
                url=row["url"],
                reason=row["reason"],
                fired_at=moment(row["fired_ms"]) if row["fired_ms"] else None,
            )
            for row in rows
        ]

    def record(self, alerts: Sequence[Alert]) -> None:
        """Appends changed states."""
        if alerts:
            columns = (
                "fingerprint", "rule", "state", "severity", "at", "since", "labels", "value", "threshold", "title",
                "what", "location", "how_bad", "example", "url", "reason",
            )  # fmt: skip
            rows = [[getattr(alert, column) for column in columns] for alert in alerts]
            self._client.insert("alert_events", rows, column_names=columns)

    def sent(self, now: datetime, alerts: Iterable[Alert]) -> dict[str, dict[str, Sent]]:
        """What each channel was last told, by channel and fingerprint, as far back as the first of the alerts fired."""
        since = min([now - MEMORY, *(alert.fired_at for alert in alerts if alert.fired_at is not None)])
        rows = self._client.query(self._sql["sent"], parameters={"since": milliseconds(since)}).named_results()
        told: dict[str, dict[str, Sent]] = {}
        for row in rows:
            told.setdefault(row["channel"], {})[row["fingerprint"]] = Sent(
                state=row["told_state"] or None,
                at=moment(row["told_ms"]) if row["told_ms"] else None,
                handle=row["told_handle"],
                failed_at=moment(row["failed_ms"]) if row["failed_ms"] else None,
            )
        return told

    def record_delivery(
        self, alerts: Sequence[Alert], channel: str, at: datetime, ok: bool, attempt: int, error: str, handle: str
    ) -> None:
        """Appends one attempt to tell a channel of these alerts.

        Raises ClickHouseError when the database does not take it; it is kept and appended by `catch_up`.
        """
        rows = [[a.fingerprint, channel, a.told_as, at, ok, attempt, error, handle, a.title] for a in alerts]
        self._unwritten.extend(rows)
        self.catch_up()

    def catch_up(self) -> None:
        """Appends the attempts that the database did not take. Raises ClickHouseError when it still does not."""
        if self._unwritten:
            self._client.insert("deliveries", self._unwritten, column_names=DELIVERY_COLUMNS)
            self._unwritten = []

    def silences(self, now: datetime) -> list[Silence]:
        """Silences and acknowledgements that have not ended."""
        rows = self._client.query(self._sql["active_silences"], parameters={"now": milliseconds(now)}).named_results()
        return [
            Silence(
                row["id"],
                dict(row["matchers"]),
                moment(row["starts_ms"]),
                moment(row["ends_ms"]),
                moment(row["created_ms"]),
                row["created_by"],
                row["comment"],
            )
            for row in rows
        ]

    def silence(self, matchers: Mapping[str, str], now: datetime, seconds: float, by: str, comment: str) -> str:
        """Stores a silence from now on; returns its id."""
        identity = uuid.uuid4().hex[:12]
        columns = ("id", "created_at", "created_by", "comment", "matchers", "starts_at", "ends_at")
        row = [identity, now, by, comment, dict(matchers), now, now + timedelta(seconds=seconds)]
        self._client.insert("silences", [row], column_names=columns)
        return identity

    def remove_silence(self, identity: str, now: datetime) -> bool:
        """Ends a silence now; False when there is none of that id."""
        known = next((silence for silence in self.silences(now) if silence.id == identity), None)
        if known is None:
            return False
        columns = ("id", "created_at", "created_by", "comment", "matchers", "starts_at", "ends_at", "deleted")
        row = [identity, now, known.created_by, known.comment, dict(known.matchers), known.starts_at, now, True]
        self._client.insert("silences", [row], column_names=columns)
        return True

    def acknowledge(self, fingerprint: str, now: datetime, by: str, comment: str) -> str:
        """Stores that someone works on the alert: it is not repeated until it fires anew; returns the id."""
        return self.silence({ACK_MATCHER: fingerprint}, now, timedelta(days=ACK_DAYS).total_seconds(), by, comment)

    def saved_rules(self) -> list[Rule]:
        """Rules saved from the dashboard. A faulty one is logged and left out: the others must still watch."""
        rules: list[Rule] = []
        for name, definition in self._client.query(self._sql["saved_rules"]).result_rows:
            try:
                rules.extend(parse([{**json.loads(definition), "name": name}]))
            except (ValidationError, ValueError, TypeError) as error:
                log.warning("saved rule %s left out: %s", name, " ".join(str(error).split()))
        return rules

    def progress(self, now: datetime, done_until: datetime, rows: int, error: str = "") -> None:
        """Records that the rules were evaluated."""
        columns = ("name", "at", "done_until", "rows", "backlog", "error")
        self._client.insert("progress", [["role:alerts", now, done_until, rows, 0, error]], column_names=columns)
