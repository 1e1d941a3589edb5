"""Decides how many calls each analyzer looks at, writes it down before any of them is, and makes samples whole again."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from analyzers.sampling import Costs, Decision, fair_rates, sampled_time
from analyzers.store import BEGINNING, EMBEDDINGS, END, LATE_SECONDS, AnalyzerStore, utc

log = logging.getLogger(__name__)

CLOCK_AHEAD_SECONDS = 60
"""How far the clocks of the collectors may be ahead of ours."""
WORK = 0.35
"""Part of the longest lag that the work on one stretch may take. As much again passes before it, while its calls come in;
the rest is for queries, and for texts that are longer than those before."""
EVERYTHING = Decision(BEGINNING, END, {}, 0)


class Sampler:
    """Rates by receipt time. Used by one thread.

    What is received while one stretch of calls is worked on makes the next one, and each may take less than half of the
    longest lag: no call then waits longer than `max_lag_seconds`, however much traffic there is.
    """

    def __init__(self, analyzers: Sequence[str], max_lag_seconds: float, interval_seconds: float, first: int) -> None:
        """max_lag_seconds: 0 = every call is looked at, whatever the lag. first: calls to measure costs by, at a start."""
        self._analyzers = tuple(analyzers)
        self._max_lag = max(max_lag_seconds, 2 * interval_seconds) if max_lag_seconds else 0.0
        self._first = first
        self._decided: datetime | None = None
        self.costs = Costs()
        self.together = {EMBEDDINGS}
        """Analyzers that were seen to ask the encoder."""

    def decide(self, store: AnalyzerStore, now: datetime) -> Decision:
        """The rates of what was received since the last decision, written down. Nothing of it was looked at before."""
        if not self._max_lag:
            return EVERYTHING
        horizon = BEGINNING
        if self._decided is None:
            found = store.rows("decided")
            self._decided = utc(found[0]["until"]) if found else None
            horizon = now - timedelta(seconds=self._max_lag)
        since, _ = sampled_time(self._decided, now, None, horizon)
        arrived = store.rows("arrived", since=since, now=now, ahead=CLOCK_AHEAD_SECONDS, late=LATE_SECONDS)[0]
        calls = int(arrived["calls"])
        since, until = sampled_time(self._decided, now, utc(arrived["newest"]) if calls else None, horizon)
        costs = {name: cost for name in self._analyzers if (cost := self.costs.of(name)) is not None}
        if not costs:
            until, calls = self._first_part(store, since, until, calls)
        decision = Decision(since, until, fair_rates(costs, calls, self._max_lag * WORK, self.together), calls)
        if calls:
            record(store, decision)
        if decision.rates:
            shares = ", ".join(f"{name} {rate:.0%}" for name, rate in sorted(decision.rates.items()))
            log.info("more calls than can be looked at in time: %d in %.0f s; sampled: %s", calls,
                     (until - since).total_seconds(), shares)  # fmt: skip
        self._decided = until
        return decision

    def _first_part(self, store: AnalyzerStore, since: datetime, until: datetime, calls: int) -> tuple[datetime, int]:
        """The end of a part that holds as many calls as are needed to measure costs, and how many it holds."""
        if calls <= self._first:
            return until, calls
        found = store.rows("first_received", since=since, until=until, late=LATE_SECONDS, count=self._first)[0]
        return utc(found["last"]) + timedelta(milliseconds=1), self._first


def record(store: AnalyzerStore, decision: Decision) -> None:
    """Writes the rates down, if any, and until when they are decided."""
    rows: list[list[Any]] = [[BEGINNING, decision.until, {}, 0]]
    if decision.rates:
        rows.append([decision.since, decision.until, dict(decision.rates), decision.calls])
    store.insert("sampling", ("since", "until", "rates", "calls"), rows)


def sampled_times(
    store: AnalyzerStore, analyzers: Sequence[str], since: datetime = BEGINNING, until: datetime = END, limit: int = 1
) -> list[Decision]:
    """Times of which one of the analyzers has looked at a sample only, newest first."""
    found = store.rows("sampled_times", analyzers=list(analyzers), since=since, until=until, limit=limit)
    return [Decision(utc(row["since"]), utc(row["until"]), dict(row["rates"]), int(row["calls"])) for row in found]


def make_whole(store: AnalyzerStore, time: Decision, analyzers: Sequence[str], model: str) -> None:
    """Every call of the time was looked at by these analyzers: their rows get the weight they have among all calls.

    Killed at any moment, it is done again without harm.
    """
    bounds: Mapping[str, Any] = {"since": time.since, "until": time.until, "late": LATE_SECONDS}
    whole = [name for name in analyzers if name in time.rates]
    for name in whole:
        if name == EMBEDDINGS:
            store.run("whole_embeddings", model=model, **bounds)
        else:
            store.run("whole_scores", analyzer=name, rate=time.rates[name], **bounds)
    left = {name: rate for name, rate in time.rates.items() if name not in whole}
    store.insert("sampling", ("since", "until", "rates", "calls"), [[time.since, time.until, left, time.calls]])


def whole_after(now: datetime, content_wait_seconds: float) -> datetime:
    """What was received before this may be made whole: inserts are committed, and texts that were to come have come."""
    return now - timedelta(seconds=max(content_wait_seconds, CLOCK_AHEAD_SECONDS))
