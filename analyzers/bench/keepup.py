"""More chats than can be scored in time, through a real installation: is the lag bounded, and do the estimates hold the truth?"""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from analyzers.bench.texts import Shape, Writer
from leewatch import config, reach
from leewatch.config import Settings
from leewatch.demo.installation import free_ports
from leewatch.errors import LeewatchError
from leewatch.estimation import share_interval
from leewatch.otlp import RowDefaults, request_of, send, span_from_row
from leewatch.schema import SpanTexts
from leewatch.storage import queries
from leewatch.storage.client import connect

ROLES = ("store", "collector", "analyzers")
LEEWATCH = str(Path(sys.executable).with_name("leewatch"))
SERVICES: Mapping[str, tuple[float, Shape]] = {
    "support": (0.5, Shape()),
    "knowledge": (0.3, Shape(40, 80, 300)),
    "chat": (0.2, Shape(15, 25)),
}
"""Service -> share of the traffic, and its texts."""
RUDE = "You are a stupid idiot."
RUDE_SHARES = (0.05, 0.3)
"""Share of rude answers at the least and at the most traffic: it goes worst when the smallest part is scored, so that
estimates that ignore weights are wrong."""
STOP_SECONDS = 20.0
READY_SECONDS = 180.0

Tell = Callable[[str, float], None]


class KeepUpError(LeewatchError):
    """The installation that was started for the measurement did not do its part."""


@dataclass(frozen=True)
class Options:
    """seconds of traffic at `rate` chats a second on average, between half and one and a half times that."""

    seconds: float = 600.0
    rate: float = 50.0
    max_lag_seconds: float = 120.0
    interval_seconds: float = 10.0
    seed: int = 0


@dataclass(frozen=True)
class Estimate:
    """A share of calls at or above 0.5, from the sample, with its 95 % interval, and from all calls."""

    service: str
    score: str
    sampled: float
    estimate: float
    low: float
    high: float
    truth: float
    unweighted: float

    @property
    def held(self) -> bool:
        return self.low - 1e-9 <= self.truth <= self.high + 1e-9


@dataclass(frozen=True)
class Result:
    """lag_seconds: from the commit of a call to its score, of calls in a sample. sampling: every declared time.

    truth: whether all calls were scored afterwards. held: intervals of figures from samples that hold the truth.
    """

    sent: int
    seconds: float
    rate: float
    lag_seconds: dict[str, float]
    max_lag_seconds: float
    bounded: bool
    sampling: list[dict[str, Any]]
    estimates: list[dict[str, Any]]
    truth: bool
    held: int
    intervals: int
    cores: int
    load_average_before: float

    @property
    def passed(self) -> bool:
        """Bounded, and no more intervals missed than chance explains: 5 % and three standard deviations."""
        allowed = 0.05 * self.intervals + 3 * math.sqrt(0.05 * 0.95 * self.intervals)
        return self.bounded and (not self.truth or self.intervals - self.held <= allowed)

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "passed": self.passed}


def measure(options: Options, truth: bool, tell: Tell) -> Result:
    """Starts store, collector and analyzers on free ports, sends the traffic, then scores all that was left out."""
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="leewatch-bench-") as name, ExitStack() as stack:
        data, environment = Path(name) / "data", _environment(options)
        settings = config.load(data=data, environment=environment)
        running = {role: stack.enter_context(_role(role, data, environment)) for role in ROLES}
        client = _ready(settings)
        began = datetime.now(UTC)
        sent = _traffic(settings, options, tell)
        _drain(client, sent, options, tell)
        window = (began - timedelta(minutes=1), datetime.now(UTC))
        lags, sampling, estimates = _lags(client), _sampling(client), _estimates(client, window)
        _stop(running["analyzers"])
        if truth:
            _score_all(data, environment, began, tell)
            whole = {(row.service, row.score): row.estimate for row in _estimates(client, window)}
            estimates = [Estimate(**{**asdict(row), "truth": whole[row.service, row.score]}) for row in estimates]
        client.close()
    partial = [row for row in estimates if row.sampled < 1]
    return Result(
        sent=sent,
        seconds=options.seconds,
        rate=options.rate,
        lag_seconds=lags,
        max_lag_seconds=options.max_lag_seconds,
        bounded=lags["max"] <= options.max_lag_seconds + options.interval_seconds,
        sampling=sampling,
        estimates=[{key: _rounded(value) for key, value in asdict(row).items()} for row in estimates],
        truth=truth,
        held=sum(row.held for row in partial) if truth else 0,
        intervals=len(partial),
        cores=len(os.sched_getaffinity(0)),
        load_average_before=round(load_before, 2),
    )


def _environment(options: Options) -> dict[str, str]:
    """The long wait for texts, which all of these spans bring with them, keeps what was left out as it is until the end."""
    store, grpc, http = free_ports(3)
    keys = {
        "STORE__PORT": store, "COLLECTOR__GRPC_PORT": grpc, "COLLECTOR__HTTP_PORT": http,
        "ANALYZERS__MAX_LAG_SECONDS": options.max_lag_seconds, "ANALYZERS__INTERVAL_SECONDS": options.interval_seconds,
        "ANALYZERS__CONTENT_WAIT_SECONDS": 3600,
    }  # fmt: skip
    return {f"LEEWATCH_{name}": str(value) for name, value in keys.items()}


@contextmanager
def _role(role: str, data: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    command = [LEEWATCH, "run", role, "--data", str(data)]
    with (data.parent / f"{role}.log").open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log)
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _ready(settings: Settings) -> Client:
    """A client once the collector takes spans and the analyzers have looked for some."""
    deadline = time.monotonic() + READY_SECONDS
    url, ping = reach.pages(settings.collector).url, f"http://127.0.0.1:{settings.store.port}/ping"
    while time.monotonic() < deadline:
        try:
            httpx.get(ping, timeout=5)
            client = connect(settings)
            looked = client.query("SELECT count() FROM progress WHERE name = 'score'").result_rows[0][0]
            if looked and httpx.get(f"{url}/readyz", timeout=5).status_code == httpx.codes.OK:
                return client
        except (LeewatchError, ClickHouseError, httpx.HTTPError):
            pass
        time.sleep(0.5)
    raise KeepUpError(f"store, collector and analyzers were not ready within {READY_SECONDS:.0f} s")


def _traffic(settings: Settings, options: Options, tell: Tell) -> int:
    """Sends for `seconds`; how many chats."""
    writer, rng = Writer(options.seed), random.Random(options.seed)
    began, sent, due = time.monotonic(), 0, 0.0
    url = reach.otlp(settings.collector).url
    with httpx.Client(timeout=60) as client:
        while (passed := time.monotonic() - began) < options.seconds:
            busy = math.sin(2 * math.pi * 3 * passed / options.seconds)  # three waves, from -1 to 1
            due += options.rate * (1 + busy / 2)
            rows = [_row(writer, rng, (busy + 1) / 2) for _ in range(round(due - sent))]
            sent += len(rows)
            spans = [span_from_row(row, time.time_ns(), RowDefaults("bench", "made-up"), rng) for row in rows]
            send(client, url, request_of(spans))
            tell("sending", passed / options.seconds)
            time.sleep(max(0.0, 1 - (time.monotonic() - began - passed)))
    return sent


def _row(writer: Writer, rng: random.Random, busy: float) -> dict[str, Any]:
    service = rng.choices(list(SERVICES), [share for share, _ in SERVICES.values()])[0]
    texts: SpanTexts = writer.chat(SERVICES[service][1])
    rude = rng.random() < RUDE_SHARES[0] + busy * (RUDE_SHARES[1] - RUDE_SHARES[0])
    response = f"{texts.response} {RUDE}" if rude else texts.response
    return {"service": service, "prompt": texts.prompt, "response": response, "context": texts.context or ""}


def _drain(client: Client, sent: int, options: Options, tell: Tell) -> None:
    """Returns once every call that is in a sample was scored, or the longest lag has passed three times."""
    deadline = time.monotonic() + 3 * options.max_lag_seconds + 60
    query = (
        "SELECT (SELECT count() FROM llm_spans) >= {sent:UInt64} AND (SELECT max(received_at) FROM llm_spans) < "
        "(SELECT min(done_until) FROM progress FINAL WHERE name = 'embeddings' OR startsWith(name, 'scorer:'))"
    )
    while time.monotonic() < deadline and not client.query(query, parameters={"sent": sent}).result_rows[0][0]:
        tell("waiting for the last score", 1.0)
        time.sleep(0.5)


def _lags(client: Client) -> dict[str, float]:
    found = client.query(
        "SELECT quantiles(0.5, 0.95, 1)(dateDiff('millisecond', s.ingested_at, r.at) / 1000) FROM "
        "(SELECT trace_id, span_id, max(scored_at) AS at FROM scores WHERE weight > 0 GROUP BY trace_id, span_id) AS r "
        "INNER JOIN (SELECT trace_id, span_id, ingested_at FROM llm_spans) AS s USING (trace_id, span_id)"
    ).result_rows[0][0]
    return {name: round(float(lag), 1) for name, lag in zip(("p50", "p95", "max"), found, strict=True)}


def _sampling(client: Client) -> list[dict[str, Any]]:
    rows = client.query("SELECT since, until, rates, calls FROM sampling FINAL WHERE notEmpty(rates) ORDER BY since")
    return [
        {
            "seconds": round((until - since).total_seconds(), 1),
            "calls": calls,
            "rates": {name: round(rate, 3) for name, rate in sorted(rates.items())},
        }
        for since, until, rates, calls in rows.result_rows
    ]


def _estimates(client: Client, window: tuple[datetime, datetime]) -> list[Estimate]:
    """What the dashboard shows, by service."""
    sql, found = queries.load("scores"), []
    start, end = (int(moment.timestamp() * 1000) for moment in window)
    for service in SERVICES:
        shown = {"start": start, "end": end, "project": "", "service": service, "model": "", "threshold": 0.5}
        errors = {row["name"]: row for row in client.query(sql["score_errors"], parameters=shown).named_results()}
        for row in client.query(sql["score_names"], parameters=shown).named_results():
            if not row["given"] or row["name"].startswith("span."):
                continue
            sampled, error = min(row["sampled"], 1.0), errors[row["name"]]
            interval = share_interval(row["rate"], error["rate_error"], error["effective"])
            plain = client.query(
                "SELECT avg(value >= 0.5) FROM scores FINAL WHERE service = {s:String} AND name = {n:String} AND weight > 0",
                parameters={"s": service, "n": row["name"]},
            ).result_rows[0][0]
            found.append(
                Estimate(service, row["name"], sampled, row["rate"], interval.low, interval.high, math.nan, plain)
            )
    return found


def _score_all(data: Path, environment: Mapping[str, str], since: datetime, tell: Tell) -> None:
    """Scores what was left out, by the command that users have for it."""
    first = (since - timedelta(minutes=1)).isoformat()
    command = [LEEWATCH, "backfill", "--data", str(data), "--since", first]
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    while process.poll() is None:
        tell("scoring what was left out", 1.0)
        time.sleep(0.5)
    if process.returncode:
        output = process.stdout.read().decode(errors="replace") if process.stdout else ""
        raise KeepUpError(f"leewatch backfill ended with {process.returncode}: {output[-400:]}")


def _rounded(value: Any) -> Any:
    return (None if math.isnan(value) else round(value, 4)) if isinstance(value, float) else value
