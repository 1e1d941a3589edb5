"""Cases through the collector's own request path, without a network: the HTTP application, the intake, a spool with fsync.

In place of the writer a thread takes sealed segments and checks what stands in them before it settles them.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from collector import metrics as m
from collector.accounting import Totals
from collector.auth import Gate
from collector.bench.fuzz import oracle
from collector.bench.fuzz.mutate import Case, Mutator
from collector.bench.fuzz.result import Part, resident_mb
from collector.http import application
from collector.intake import Intake
from collector.keyring import Keyring
from collector.segment import SIGNALS, Outcome, Segment, Signal
from collector.spool import Spool
from leewatch.config import CollectorSection
from leewatch.projects import DEFAULT_PROJECT
from leewatch.semconv import wire

TOGETHER = 32
"""Cases under way at once: they share fsyncs, as senders do."""
LONGEST_SECONDS = 120.0
"""A request that takes longer hangs, however busy the machine is."""
LONGEST_CPU_SECONDS = 10.0
"""CPU time of the cases under way at once."""
GROWTH_MB = 300.0
"""Memory may end so far above where it was after a fifth of the cases: crowds and what the allocator keeps of them."""
FLUSH_BYTES = 4 << 20
ACCEPTED, MALFORMED, TOO_LARGE, WRONG_TYPE = 200, 400, 413, 415

Progress = Callable[[int], None]


class NoKeys:
    """No request needs a key."""

    current: Keyring | None = None

    async def renewed(self) -> bool:
        return True


class NoPages:
    """No operator asks."""

    def ready(self) -> tuple[bool, dict[str, object]]:
        return True, {}

    def accounting(self, project: str | None) -> dict[str, object]:
        return {}

    def metrics(self) -> str:
        return ""


class Direct:
    """The part of a collector that takes requests, in this process, on a directory of its own."""

    def __init__(self, directory: Path, part: Part) -> None:
        self.part = part
        self.spools = {signal: Spool(directory / signal, signal, FLUSH_BYTES) for signal in SIGNALS}
        self._intake = Intake(CollectorSection(), self.spools, m.Metrics())
        self._app = application(self._intake, Gate(False, NoKeys()), NoPages())
        self._gone: list[tuple[Signal, list[bytes]]] = []
        self._stopping = threading.Event()
        self._drains = [threading.Thread(target=self._drain, args=(spool,)) for spool in self.spools.values()]

    def run(self, mutator: Mutator, numbers: Sequence[int], progress: Progress) -> None:
        """Sends the cases; afterwards the account must say what the answers said."""
        for drain in self._drains:
            drain.start()
        try:
            asyncio.run(self._send_all(mutator, numbers, progress))
        finally:
            self._intake.close()
            for spool in self.spools.values():
                spool.close()
            self._stopping.set()
            for drain in self._drains:
                drain.join()
        self._compare()

    async def _send_all(self, mutator: Mutator, numbers: Sequence[int], progress: Progress) -> None:
        early = 0.0
        for start in range(0, len(numbers), TOGETHER):
            cases = [mutator.case(number) for number in numbers[start : start + TOGETHER]]
            began = time.process_time()
            await asyncio.gather(*map(self._send, cases))
            if (took := time.process_time() - began) > LONGEST_CPU_SECONDS:
                self.part.find(
                    f"{len(cases)} cases together took {took:.1f} s of CPU", max(cases, key=lambda c: len(c.body))
                )
            while self._gone:
                self._intake.forget(*self._gone.pop())
            now = resident_mb(os.getpid())
            if start <= len(numbers) // 5:
                early = max(early, now)
            progress(start + len(cases))
        self.part.checks["resident_mb"] = {"early": round(early, 1), "end": round(now, 1)}
        if now > early + GROWTH_MB:
            self.part.find(f"memory grew from {early:.0f} to {now:.0f} MB")

    async def _send(self, case: Case) -> None:
        began = time.perf_counter()
        try:
            code, answer = await asyncio.wait_for(self._ask(case), LONGEST_SECONDS)
        except TimeoutError:
            self.part.find(f"no answer within {LONGEST_SECONDS:.0f} s", case)
            return
        except Exception as error:  # noqa: BLE001  that none escapes is what is being tested
            self.part.find(f"{type(error).__name__}: {str(error)[:300]}", case)
            return
        self.part.sent += 1
        self.part.took(time.perf_counter() - began, case)
        self.part.answers[f"http {code}"] += 1
        judge(self.part, case, code, answer)

    async def _ask(self, case: Case) -> tuple[int, bytes]:
        headers = [(b"content-type", case.content_type.encode()), (b"content-encoding", case.encoding.encode())]
        path = f"/v1/{case.signal}"
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "scheme": "http",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 4318),
        }
        middle = len(case.body) // 2 if case.number % 3 == 0 else len(case.body)
        chunks = [case.body[:middle], case.body[middle:]]

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": chunks.pop(0) if chunks else b"", "more_body": bool(chunks)}

        found: list[Any] = []

        async def send(message: MutableMapping[str, Any]) -> None:
            found.append(message.get("status") or message.get("body", b""))

        await self._app(scope, receive, send)
        return int(found[0]), b"".join(found[1:])

    # -- what was stored ----------------------------------------------------------------------------------------------

    def _drain(self, spool: Spool) -> None:
        while True:
            segment = spool.take(1.0, 0.2)
            if segment is None:
                if self._stopping.is_set() and not spool.waiting_segments:
                    return
                continue
            self._examine(spool, segment)
            spool.settle(segment, {DEFAULT_PROJECT: Outcome(sum(record.accepted for record in segment.requests))})
            self._gone.append((spool.signal, spool.expire(0.0, 0)))

    def _examine(self, spool: Spool, segment: Segment) -> None:
        """Every payload is a request that holds what was accepted, and so are all of them together."""
        for record, payload in zip(segment.requests, spool.payloads(segment), strict=True):
            if (found := oracle.items(spool.signal, wire.parse(spool.signal, payload))) != record.accepted:
                self.part.find(f"{spool.signal}: a payload holds {found}, {record.accepted} were accepted")
        whole = oracle.items(spool.signal, wire.parse(spool.signal, b"".join(spool.payloads(segment))))
        if whole != sum(record.accepted for record in segment.requests):
            self.part.find(f"{spool.signal}: a segment holds {whole} items in all")

    def _compare(self) -> None:
        for signal, spool in self.spools.items():
            account = spool.totals()
            compare(self.part, signal, account)


def judge(part: Part, case: Case, code: int, answer: bytes) -> None:
    """Whether an answer over HTTP is right, and what it says was accepted."""
    body = oracle.sent(case)
    valid = body is not None and oracle.is_valid(case.signal, body)
    content_type = case.content_type.partition(";")[0]
    if code == ACCEPTED:
        refused = oracle.rejected(case.signal, content_type, answer)
        received = oracle.seen(case.signal, body) if body is not None else None
        # Values inside of what holds no items, or was refused for its ids, are not looked at: they need not be valid.
        if received is None or not (valid or refused or not received):
            part.find("accepted, though OTLP's own class cannot read it", case)
            return
        part.items.update({f"{case.signal} received": received, f"{case.signal} rejected": refused})
        return
    if code not in {MALFORMED, TOO_LARGE, WRONG_TYPE}:
        part.find(f"answered {code}", case)
    elif not oracle.told(content_type, answer):
        part.find(f"answered {code} without a google.rpc.Status", case)
    elif valid and code != TOO_LARGE:
        part.find(f"refused with {code}, though OTLP's own class reads it: {answer[:200]!r}", case)


def compare(part: Part, signal: Signal, account: Totals) -> None:
    """The account of a signal against the answers."""
    ours = {name: part.items[f"{signal} {name}"] for name in ("received", "rejected")}
    theirs = {"received": account.received, "rejected": account.rejected}
    part.checks[f"{signal} account"] = account.as_dict()
    if ours != theirs:
        part.find(f"{signal}: the answers say {ours}, the account {theirs}")
    if (
        account.received
        != account.stored + account.duplicate + account.rejected + account.dead_lettered + account.spooled
    ):
        part.find(f"{signal}: the account does not balance: {account}")
