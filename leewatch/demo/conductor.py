"""Leads a demonstration from the baseline to the verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from leewatch.demo.applications import Application
from leewatch.demo.installation import REFERENCE_HOURS
from leewatch.demo.scenario import AlertState, Incident, Phase, Timing, next_phase, unresolved, unseen, verdict
from leewatch.demo.traffic import LiveTraffic, send_baseline
from leewatch.storage import queries

BASELINE_TURNS = 500
RATE_PER_SECOND = 5.0
SCORED_LIMIT_SECONDS = 180.0
Say = Callable[[str], None]


@dataclass
class Conductor:
    """One demonstration on a running installation. `run` yields often and ends with the verdict in `reason`."""

    client: Client
    applications: tuple[Application, ...]
    incidents: tuple[Incident, ...]
    say: Say
    timing: Timing = field(default_factory=Timing)
    reason: str = "the demonstration did not finish"

    def __post_init__(self) -> None:
        self._sql = queries.load("demo")
        self._told: dict[str, str] = {}
        self._live = LiveTraffic(self.applications, RATE_PER_SECOND)
        self._fired: set[tuple[str, str]] = set()
        self._unprovoked: set[tuple[str, str]] = set()
        self._states: list[AlertState] = []

    def run(self) -> Iterator[None]:
        """Conducts; the caller looks after the installation between the steps. Traffic goes on until `close`."""
        sent = send_baseline(self.applications, BASELINE_TURNS, REFERENCE_HOURS)
        self.say(
            f"{sent:,} healthy turns of {len(self.applications)} services sent, "
            f"dated over the last {REFERENCE_HOURS} hours"
        )
        self._live.start()
        yield from self._until_scored(sent)
        phase, began = Phase.HEALTHY, time.monotonic()
        self.say("every baseline span is scored; healthy live traffic is running")
        while phase is not Phase.DONE:
            yield
            self._look()
            missing, open_ = unseen(self.incidents, self._fired), unresolved(self.incidents, self._states)
            following = next_phase(phase, time.monotonic() - began, self.timing, missing, open_, bool(self.incidents))
            if phase is Phase.HEALTHY:
                self._unprovoked = set(self._fired)
            if following is not phase:
                phase, began = following, time.monotonic()
                self._enter(phase)
        self.reason = verdict(
            unseen(self.incidents, self._fired), unresolved(self.incidents, self._states), len(self._unprovoked)
        )

    def watch(self) -> None:
        """Tells of new alerts once; for the time after the verdict."""
        self._look()

    def close(self) -> None:
        """Ends the traffic and flushes the applications."""
        self._live.stop()
        for application in self.applications:
            application.close()

    def _enter(self, phase: Phase) -> None:
        if phase is Phase.INCIDENT:
            for incident in self.incidents:
                self.say(f"injecting [{incident.name}] into {incident.service}: {incident.story}")
            self._live.afflict({incident.service for incident in self.incidents})
        elif phase is Phase.RECOVERY:
            self.say("the incident is over; waiting for the alerts to resolve")
            self._live.afflict(())

    def _until_scored(self, sent: int) -> Iterator[None]:
        deadline = time.monotonic() + SCORED_LIMIT_SECONDS
        while time.monotonic() < deadline:
            yield
            try:
                [(spans, scored)] = self.client.query(self._sql["scored"]).result_rows
            except ClickHouseError:
                continue  # the store is being restarted
            if scored >= sent and spans >= sent:
                return
        self.say("the analyzers have not caught up with the baseline; going on all the same")

    def _look(self) -> None:
        try:
            rows = list(self.client.query(self._sql["alert_states"]).named_results())
            self._fired = {(row[0], row[1]) for row in self.client.query(self._sql["fired"]).result_rows}
        except ClickHouseError:
            return  # the store is being restarted; the next look tells
        self._states = [
            AlertState(
                row["fingerprint"],
                row["rule"],
                row["service"],
                row["state"],
                bool(row["delivered"]),
                row["title"],
                row["at"],
            )
            for row in rows
        ]
        for row in rows:
            if (
                row["delivered"]
                and row["state"] in {"firing", "resolved"}
                and self._told.get(row["fingerprint"]) != row["state"]
            ):
                self._told[row["fingerprint"]] = row["state"]
                self.say(
                    f"ALERT {row['state'].upper()}: {row['title']}\n"
                    f"    {row['what']} {row['how_bad']}\n    {row['url']}"
                )
