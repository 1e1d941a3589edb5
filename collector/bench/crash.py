"""Collector and store are killed again and again under load; afterwards every acked span must be stored exactly once."""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from collector.bench.processes import Installation
from collector.bench.retrying import Ids, RetryingSender
from collector.segment import Kind, scan
from leewatch.storage.client import connect

TRANSPORTS = ("grpc", "http", "gzip", "grpc")
SPANS = 8
PACE_SECONDS = 0.08
REST_SECONDS = 120.0
SETTINGS = {"COLLECTOR__FLUSH_SECONDS": 0.15, "COLLECTOR__KEEP_SECONDS": 45, "STORE__MAX_MEMORY_MB": 1024}
"""Segments are kept so short that the checkpoint is written under fire too, and longer than any sender repeats itself."""
TABLES = {
    "otel_traces": "SELECT TraceId, SpanId FROM otel_traces",
    "llm_spans": "SELECT trace_id, span_id FROM llm_spans",
}

AIMS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("collector",): ("random", "between insert and bookkeeping", "while starting", "while the store is stopped"),
    ("store",): ("random", "in the middle of an insert"),
    ("collector", "store"): ("random",),
}


@dataclass(frozen=True, slots=True)
class Kill:
    """One planned kill -9. wait: seconds before it. aim: the instant to wait for."""

    victims: tuple[str, ...]
    aim: str
    wait: float


@dataclass
class Result:
    """What was done and found. lost, duplicated: spans by table; both must be empty, and faults too.

    hits: aimed kills whose instant was seen; the others fell at random.
    """

    seed: int
    kills: int = 0
    by_aim: dict[str, int] = field(default_factory=dict)
    hits: dict[str, int] = field(default_factory=dict)
    acked: int = 0
    repeated: int = 0
    account: dict[str, Any] = field(default_factory=dict)
    repaired_batches: int = 0
    lost: dict[str, int] = field(default_factory=dict)
    duplicated: dict[str, int] = field(default_factory=dict)
    never_acked: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    restart_seconds: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    data: str = ""

    @property
    def passed(self) -> bool:
        return not self.faults and not any([*self.lost.values(), *self.duplicated.values(), *self.never_acked.values()])

    def as_dict(self) -> dict[str, Any]:
        return {"passed": self.passed, **asdict(self)}


def plan(kills: int, seed: int) -> list[Kill]:
    """The same kills for the same seed: half of them the collector, a third the store, the rest both at once."""
    rng = random.Random(seed)
    planned = []
    for _ in range(kills):
        (victims,) = rng.choices(list(AIMS), [50, 35, 15])
        planned.append(Kill(victims, rng.choice(AIMS[victims]), round(rng.uniform(0.05, 0.8), 3)))
    return planned


def measure(kills: int, seed: int, check_every: int, progress: Callable[[int, int], None]) -> Result:
    """Runs the plan on an installation of its own. The data directory is left behind, and named, when something failed.

    check_every: kills after which the senders rest and every span is compared. progress: called with (kills, spans acked).
    """
    directory = tempfile.mkdtemp(prefix="leewatch-crash-")
    running = Installation(Path(directory) / "data", SETTINGS)
    run = _Run(running, Result(seed), random.Random(seed + 1))
    try:
        run.execute(plan(kills, seed), check_every, progress)
    finally:
        running.close()
    if run.result.passed:
        shutil.rmtree(directory)
    else:
        run.result.data = str(running.data)
    return run.result


class _Run:
    def __init__(self, running: Installation, result: Result, rng: random.Random) -> None:
        self.result = result
        self._running = running
        self._rng = rng
        self._senders: list[RetryingSender] = []
        self._restarts: list[float] = []

    def execute(self, planned: Sequence[Kill], check_every: int, progress: Callable[[int, int], None]) -> None:
        began = time.monotonic()
        self._running.start("store")
        self._running.start("collector")
        self._senders = [
            RetryingSender(
                name,
                self._running.grpc_target if name == "grpc" else self._running.http_url,
                number,
                SPANS,
                PACE_SECONDS,
            )
            for number, name in enumerate(TRANSPORTS, start=self._rng.randrange(1, 1 << 20))
        ]
        for sender in self._senders:
            sender.start()
        for number, kill in enumerate(planned, start=1):
            time.sleep(kill.wait)
            self._kill(kill)
            self._check_balance(number)
            if number % check_every == 0 or number == len(planned):
                self._check_spans(number)
            progress(number, sum(len(sender.acked) for sender in self._senders))
            if self.result.faults:
                break
        for sender in self._senders:
            sender.stop()
        restarts = sorted(self._restarts)
        self.result.restart_seconds = {"p50": restarts[len(restarts) // 2], "max": restarts[-1]} if restarts else {}
        self.result.seconds = round(time.monotonic() - began, 1)

    # -- killing ------------------------------------------------------------------------------------------------------

    def _kill(self, kill: Kill) -> None:
        running = self._running
        match kill.aim:
            case "between insert and bookkeeping":
                self._count(kill, self._paused_between_insert_and_bookkeeping())
            case "in the middle of an insert":
                self._count(kill, self._insert_seen())
            case "while the store is stopped":
                running.send("store", signal.SIGSTOP)
                time.sleep(self._rng.uniform(0.2, 1.0))
                self._count(kill, True)
            case "while starting":
                running.kill("collector")
                running.start("collector", wait=False)
                time.sleep(self._rng.uniform(0.3, 1.2))
                self._count(kill, True)
            case _:
                self._count(kill, True)
        for victim in kill.victims:
            running.kill(victim)
        began = time.monotonic()
        for victim in reversed(kill.victims):
            running.start(victim, wait=False)
        if kill.aim == "while the store is stopped":
            time.sleep(self._rng.uniform(0.0, 2.0))
            running.send("store", signal.SIGCONT)
        for victim in kill.victims:
            running.wait(victim)
        self._restarts.append(round(time.monotonic() - began, 2))

    def _count(self, kill: Kill, hit: bool) -> None:
        self.result.kills += 1
        name = " + ".join(kill.victims) + ": " + kill.aim
        self.result.by_aim[name] = self.result.by_aim.get(name, 0) + 1
        self.result.hits[name] = self.result.hits.get(name, 0) + hit

    def _paused_between_insert_and_bookkeeping(self) -> bool:
        """Stops the collector at an instant at which the database has a batch that the spool does not know to be stored."""
        deadline = time.monotonic() + 8
        while time.monotonic() < deadline:
            self._running.send("collector", signal.SIGSTOP)
            time.sleep(0.25)
            waiting = [path.stem for path in self._segments() if not _is_settled(path)]
            with contextlib.suppress(ClickHouseError):
                sql = "SELECT count() FROM batches WHERE arrayExists(t -> startsWith(batch, t), {tokens:Array(String)})"
                if waiting and self._rows(sql, tokens=waiting)[0][0]:
                    return True
            self._running.send("collector", signal.SIGCONT)
            time.sleep(self._rng.uniform(0.02, 0.3))
        return False

    def _insert_seen(self) -> bool:
        sql = "SELECT count() FROM system.processes WHERE query LIKE 'INSERT INTO otlp%'"
        deadline = time.monotonic() + 5
        with contextlib.suppress(ClickHouseError), self._client() as client:
            while time.monotonic() < deadline:
                if client.query(sql).result_rows[0][0]:
                    return True
        return False

    def _segments(self) -> list[Path]:
        return sorted((self._running.data / "spool" / "traces").glob("*.seg"))

    # -- checking -----------------------------------------------------------------------------------------------------

    def _check_balance(self, number: int) -> None:
        account = self._running.accounting()
        parts = sum(account[name] for name in ("stored", "duplicate", "rejected", "dead_lettered", "spooled"))
        if account["received"] != parts:
            self.result.faults.append(f"kill {number}: the account does not balance: {account}")

    def _check_spans(self, number: int) -> None:
        """Lets the senders rest until all is stored, then compares every span."""
        rested = [sender.pause(REST_SECONDS) for sender in self._senders]
        deadline = time.monotonic() + REST_SECONDS
        account = self._running.accounting()
        while account["spooled"] and time.monotonic() < deadline:
            time.sleep(0.1)
            account = self._running.accounting()
        acked: Ids = set().union(*(sender.acked for sender in self._senders))
        result = self.result
        result.account, result.acked = account, len(acked)
        result.repeated = sum(sender.repeated for sender in self._senders)
        result.repaired_batches = self._repaired()
        for table, sql in TABLES.items():
            rows = [(bytes.fromhex(trace), bytes.fromhex(span)) for trace, span in self._rows(sql)]
            found = set(rows)
            result.lost[table] = len(acked - found)
            result.never_acked[table] = len(found - acked)
            result.duplicated[table] = len(rows) - len(found)
        ledger = int(self._rows("SELECT sum(spans) FROM batches")[0][0])
        for wrong, what in (
            (not all(rested), "a request was not acked in time"),
            (account["spooled"], f"spooled is not empty: {account}"),
            (account["stored"] != len(acked), f"the account says {account['stored']} stored, {len(acked)} were acked"),
            (ledger != len(acked), f"the ledger says {ledger}, {len(acked)} were acked"),
            (account["duplicate"] < result.repeated, f"{result.repeated} repeated, {account['duplicate']} duplicate"),
            (account["dead_lettered"] or account["rejected"], f"spans were refused: {account}"),
            (
                not result.passed,
                f"lost {result.lost}, duplicated {result.duplicated}, never acked {result.never_acked}",
            ),
        ):
            if wrong:
                result.faults.append(f"kill {number}: {what}")
        for sender in self._senders:
            sender.resume()

    def _repaired(self) -> int:
        return self._running.log("collector").read_text(errors="replace").count(" lacks ")

    @contextlib.contextmanager
    def _client(self) -> Iterator[Client]:
        client = connect(self._running.settings)
        try:
            yield client
        finally:
            client.close()

    def _rows(self, sql: str, **parameters: Any) -> Sequence[Sequence[Any]]:
        with self._client() as client:
            rows: Sequence[Sequence[Any]] = client.query(sql, parameters=parameters).result_rows
            return rows


def _is_settled(path: Path) -> bool:
    try:
        return any(record.kind is Kind.SETTLED for record in scan(path.read_bytes()))
    except OSError:
        return True
