"""Cases through a running collector into a store of its own: what was accepted must be stored, derived and accounted for."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import httpx
from clickhouse_connect.driver.client import Client

from collector import status
from collector.bench.fuzz import connections, oracle
from collector.bench.fuzz.direct import judge
from collector.bench.fuzz.mutate import Case, Mutator
from collector.bench.fuzz.result import Part, resident_mb
from collector.bench.processes import Installation
from collector.body import decompressed
from collector.grpc import SERVICES
from collector.segment import SIGNALS
from collector.statements import DERIVED
from leewatch.semconv import sql, wire
from leewatch.storage.client import connect

SENDERS = 4
LONGEST_SECONDS = 30.0
"""A request that takes longer hangs."""
MOST_BYTES = 64 << 20
PROBE_SECONDS = 5.0
"""Others, here a probe, must be answered within so long while hostile requests are taken."""
SETTLE_SECONDS = 600.0
BODIES_A_ROUND = 5000
"""After so many bodies each kind of broken connection is tried once more."""
TRIES = 30
MEMORY_MB = {"collector": 2000.0, "store": 4000.0}
_ALLOWED = frozenset({"OK", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"})
_AGAIN = frozenset({503, 429})

Progress = Callable[[int], None]
Send = Callable[[Case], tuple[int | str, bytes]]


class Through:
    """A collector and a store as processes of their own, and threads that send."""

    def __init__(self, directory: Path, part: Part, seed: int) -> None:
        self.part = part
        self.installation = Installation(directory / "data")
        self._seed = seed
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._probed = 0.0

    def run(self, mutator: Mutator, numbers: Sequence[int], progress: Progress) -> None:
        """Sends the cases, then broken connections, then compares answers, account and tables."""
        running, part = self.installation, self.part
        try:
            for role in ("store", "collector"):
                running.start(role)
            probe = threading.Thread(target=self._probe)
            probe.start()
            turns = iter(numbers)
            senders = [threading.Thread(target=self._send_all, args=(mutator, turns, progress)) for _ in range(SENDERS)]
            for sender in senders:
                sender.start()
            for sender in senders:
                sender.join()
            self._break_connections(
                1 + len(numbers) // BODIES_A_ROUND, [mutator.case(number).body for number in range(50)]
            )
            self._done.set()
            probe.join()
            self._settle()
            self._compare()
            part.peak_rss_mb = {role: round(running.usage(role).peak_rss_mb, 1) for role in MEMORY_MB}
            for role, most in MEMORY_MB.items():
                if part.peak_rss_mb[role] > most:
                    part.find(f"{role} took {part.peak_rss_mb[role]:.0f} MB")
        finally:
            self._done.set()
            running.close()

    # -- sending ------------------------------------------------------------------------------------------------------

    def _send_all(self, mutator: Mutator, turns: Iterator[int], progress: Progress) -> None:
        over_http, over_grpc = _over_http(self.installation.settings), _over_grpc(self.installation.grpc_target)
        while not self._done.is_set():
            with self._lock:
                number = next(turns, None)
            if number is None:
                return
            case = mutator.case(number)
            way, send = ("http", over_http)
            if case.content_type == status.PROTOBUF and number % 2:
                way, send = ("grpc", over_grpc)
            began = time.monotonic()
            try:
                code, answer = send(case)
            except OSError as error:
                with self._lock:
                    self.part.find(f"{way}: {type(error).__name__}: {error}", case)
                if not self._alive():
                    self._done.set()
                continue
            with self._lock:
                self.part.sent += 1
                self.part.took(time.monotonic() - began, case)
                self.part.answers[f"{way} {code}"] += 1
                if isinstance(code, int):
                    judge(self.part, case, code, answer)
                else:
                    _judge_call(self.part, case, code, answer)
                progress(self.part.sent)

    def _alive(self) -> bool:
        try:
            return bool(self.installation.accounting())
        except httpx.HTTPError:
            self.part.find("the collector does not answer any more")
            return False

    def _break_connections(self, rounds: int, bodies: Sequence[bytes]) -> None:
        section = self.installation.settings.collector
        for port, over_grpc in ((section.http_port, False), (section.grpc_port, True)):
            count = rounds * len(connections.GRPC if over_grpc else connections.HTTP)
            connections.attack(self.part, port, self._seed, count, bodies, over_grpc)

    def _probe(self) -> None:
        """What another sender has to wait while hostile requests are taken."""
        while not self._done.wait(0.2):
            began = time.monotonic()
            try:
                httpx.get(f"{self.installation.http_url}/healthz", timeout=LONGEST_SECONDS, trust_env=False)
            except httpx.HTTPError as error:
                self.part.find(f"/healthz: {error!r}")
            self._probed = max(self._probed, time.monotonic() - began)

    # -- afterwards ---------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Waits until nothing is spooled."""
        part, running = self.part, self.installation
        part.checks["longest_probe_ms"] = round(self._probed * 1000, 1)
        if self._probed > PROBE_SECONDS:
            part.find(f"/healthz took {self._probed:.1f} s while requests were taken")
        began = time.monotonic()
        while any(account["spooled"] for account in _accounts(running).values()):
            if time.monotonic() > began + SETTLE_SECONDS:
                part.find(f"not all is stored {SETTLE_SECONDS:.0f} s after the last request")
                return
            time.sleep(0.5)
        part.checks["settle_seconds"] = round(time.monotonic() - began, 1)

    def _compare(self) -> None:
        part = self.part
        client = connect(self.installation.settings)
        try:
            for signal, account in _accounts(self.installation).items():
                self._compare_signal(client, signal, account)
            self._compare_derived(client)
        finally:
            client.close()
        for role in MEMORY_MB:
            part.checks[f"{role}_mb_at_end"] = round(resident_mb(self.installation.pid(role)), 1)

    def _compare_signal(self, client: Client, signal: str, account: dict[str, int]) -> None:
        part = self.part
        part.checks[f"{signal} account"] = account
        # Broken connections may bring whole requests too: they are in the account, not among the answers.
        for name in ("received", "rejected"):
            if account[name] < part.items[f"{signal} {name}"]:
                part.find(f"{signal}: {name} {account[name]}, the answers say {part.items[f'{signal} {name}']}")
        if account["received"] != sum(
            account[name] for name in ("stored", "duplicate", "rejected", "dead_lettered", "spooled")
        ):
            part.find(f"{signal}: the account does not balance: {account}")
        tables = [f"otel_metrics_{kind}" for kind in _KINDS] if signal == "metrics" else [f"otel_{signal}"]
        rows = sum(_number(client, f"SELECT count() FROM {table}") for table in tables)  # noqa: S608
        ledger = _number(client, "SELECT sum(spans) FROM batches WHERE signal = {signal:String}", signal)
        letters = _number(client, _REFUSED, signal)
        found = {"rows": rows, "ledger": ledger, "dead_letters": letters}
        part.checks[f"{signal} tables"] = found
        if (rows, ledger, letters) != (account["stored"], account["stored"], account["dead_lettered"]):
            part.find(f"{signal}: the tables hold {found}, the account says {account}")

    def _compare_derived(self, client: Client) -> None:
        """llm_spans holds what the raw rows bring: repairing every batch adds nothing, and nothing stands there alone."""
        part = self.part
        letters = client.query(
            "SELECT signal, kind, derived, sum(spans), any(reason) FROM dead_letters GROUP BY 1, 2, 3"
        ).result_rows
        part.checks["letters"] = [list(row) for row in letters]
        for signal, kind, derived, count, reason in letters:
            part.find(f"{count} {signal} as dead letters of kind {kind} {derived}: {reason[:300]}")
        alone = (
            "SELECT count() FROM llm_spans WHERE (trace_id, span_id) NOT IN (SELECT TraceId, SpanId FROM otel_traces)"
        )
        if lonely := _number(client, alone):
            part.find(f"{lonely} rows of llm_spans have no row in otel_traces")
        before = _number(client, _SPANS)
        batches = client.query("SELECT DISTINCT batch FROM batches WHERE signal = 'traces'").result_rows
        for (batch,) in batches if "llm_spans" in DERIVED["traces"] else ():
            client.command(sql.repair_statement("llm_spans"), parameters={"batch": batch})
        after = _number(client, _SPANS)
        part.checks["llm_spans"] = {"rows": before, "after repair": after, "batches": len(batches)}
        if after != before:
            part.find(f"llm_spans lacked {after - before} rows")


_KINDS = ("gauge", "sum", "histogram", "exponential_histogram", "summary")
_REFUSED = "SELECT sum(spans) FROM dead_letters WHERE signal = {signal:String} AND kind = 'refused'"
_SPANS = "SELECT uniqExact(trace_id, span_id) FROM llm_spans"  # a span sent twice has one row, of either batch


def _number(client: Client, query: str, signal: str = "") -> int:
    return int(client.query(query, parameters={"signal": signal}).result_rows[0][0])


def _accounts(running: Installation) -> dict[str, dict[str, int]]:
    account = running.accounting()
    names = ("received", "stored", "duplicate", "rejected", "dead_lettered", "spooled")
    of_signal = {signal: account if signal == "traces" else account[signal] for signal in SIGNALS}
    return {signal: {name: int(found[name]) for name in names} for signal, found in of_signal.items()}


def _judge_call(part: Part, case: Case, code: str, answer: bytes) -> None:
    """Whether an answer over gRPC is right, and what it says was accepted. Bodies there are plain, or compressed unannounced."""
    if code not in _ALLOWED:
        part.find(f"gRPC answered {code}: {answer[:200]!r}", case)
    if code != "OK":
        return
    refused = oracle.rejected(case.signal, status.PROTOBUF, answer)
    try:
        received = oracle.items(case.signal, wire.read(case.signal, decompressed(case.body, MOST_BYTES)))
    except ValueError:
        part.find("accepted over gRPC, though OTLP's own class cannot read it", case)
        return
    part.items.update({f"{case.signal} received": received, f"{case.signal} rejected": refused})


def _over_http(settings: Any) -> Send:
    port = settings.collector.http_port
    held = [http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST_SECONDS)]

    def send(case: Case) -> tuple[int | str, bytes]:
        headers = {"Content-Type": case.content_type, "Content-Encoding": case.encoding}
        for attempt in range(TRIES):
            try:
                held[0].request("POST", f"/v1/{case.signal}", case.body, headers)
                answer = held[0].getresponse()
                body = answer.read()
            except (http.client.HTTPException, ConnectionError):
                # A connection that was idle, or whose request was refused half way, may be closed: once is nobody's fault.
                held[0].close()
                held[0] = http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST_SECONDS)
                if attempt > 1:
                    raise ConnectionError("closed without an answer") from None
                continue
            if answer.status not in _AGAIN:
                return answer.status, body
            time.sleep(float(answer.headers.get("Retry-After", 1)))
        return answer.status, body

    return send


def _over_grpc(target: str) -> Send:
    channel = grpc.insecure_channel(
        target, options=[("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
    )
    exports = {signal: channel.unary_unary(f"/{service}/Export") for signal, service in SERVICES.items()}

    def send(case: Case) -> tuple[int | str, bytes]:
        for _ in range(TRIES):
            try:
                return "OK", exports[case.signal](case.body, timeout=LONGEST_SECONDS)
            except grpc.RpcError as error:
                code, details = error.code().name, str(error.details()).encode()
            if code != "UNAVAILABLE":
                break
            time.sleep(1.0)
        return code, details

    return send
