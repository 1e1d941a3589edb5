"""The role `collector`: starts the parts, listens, drains on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import signal
import socket
import ssl
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette

from collector import metrics as m
from collector import workers
from collector.accounting import Accounts, Totals, merged, total
from collector.auth import Gate
from collector.database import Database
from collector.delivery import Delivery
from collector.disk import Free
from collector.durable import lock_directory
from collector.grpc import Port
from collector.http import Pages, application, health_application
from collector.intake import Intake
from collector.keyring import KeyringFile
from collector.limits import Limiter
from collector.listening import LOOPBACK, bound_socket
from collector.patience import Patient
from collector.segment import SIGNALS, Signal
from collector.siblings import Figures, Siblings
from collector.spool import Spool
from collector.statements import statements
from collector.tls import Certificates
from collector.writer import Writer
from leewatch.config import CollectorSection, Settings
from leewatch.errors import DataDirectoryNotWritableError
from leewatch.instruments import READY, rendered
from leewatch.projects import Limits
from leewatch.redaction.key import key_of
from leewatch.redaction.section import RedactionSection
from leewatch.semconv.own_keys import MappingSection
from leewatch.stopping import Ending

log = logging.getLogger(__name__)

SPOOL_DIRECTORY = "spool"
GRACE_SECONDS = 2.0
"""Time that requests under way get at shutdown; an ack takes milliseconds."""
DRAIN_SECONDS = 4.0
"""Time that spooled segments get at shutdown; what is left waits durably for the next start."""
FULL_SEGMENTS_ONLY = (float("inf"),)
"""Writers that join in under load, one each: an insert keeps about one core of the database busy."""
PATIENCE: dict[Signal, int] = {"metrics": 10}
"""Segments of a signal become so many times older: SDKs export metrics once a minute, and an insert has a fixed cost."""
INSERT_TIMEOUT = httpx.Timeout(120.0, connect=2.0)
RENEW_SECONDS = 10.0
"""How often certificate files are looked at."""
KEYS_TIMEOUT = httpx.Timeout(5.0, connect=1.0)


def run(settings: Settings) -> None:
    """Takes OTLP until SIGTERM or SIGINT, then drains within 10 s; a second signal ends it at once.

    Raises PortInUseError, DataDirectoryLockedError.
    """
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs every insert with its whole query
    if settings.collector.processes > 1:
        code = workers.run(settings)
        if code:
            sys.exit(code)
        return
    serve(settings)


def serve(settings: Settings, number: int = 0) -> None:
    """One collector, the only one or one of several on a port."""
    collector = Collector(settings, number)
    try:
        asyncio.run(collector.serve())
    finally:
        collector.close()


class Collector(Pages):
    """All parts of one collector on one data directory."""

    def __init__(self, settings: Settings, number: int = 0) -> None:
        """number: which of `collector.processes`; the first takes over the spools of those that are no more."""
        count = settings.collector.processes
        self._section = share(settings.collector, count)
        directory = spool_directory(settings.data, number)
        with _writable(settings.data):
            self._lock = lock_directory(directory, settings.data)
        self.metrics_registry = m.Metrics()
        self._store_up = False
        self._client = httpx.Client(timeout=INSERT_TIMEOUT, trust_env=False)
        database = Database(settings, self._client, self._watch_store)
        with _writable(settings.data):
            self.spools: dict[Signal, Spool] = {
                name: Spool(directory / name, name, self._section.flush_mb << 20) for name in SIGNALS
            }
            self._adopted = adopted(settings.data, self._section, count) if number == 0 else []
        self._free = Free(directory)
        self._siblings = Siblings(settings.data / "run", number, count, self._figures)
        keys_client = httpx.Client(timeout=KEYS_TIMEOUT, trust_env=False)
        self.keyrings = KeyringFile(
            settings.data if number == 0 else directory, Database(settings, keys_client, self._watch_store)
        )
        limits = Limits(self._section.limits.spans_per_second, self._section.limits.bytes_per_second)
        limiter = Limiter(limits, lambda: self.keyrings.current)
        self.intake = Intake(self._section, self.spools, self.metrics_registry, self._free, limiter=limiter)
        self.gate = Gate(self._section.require_api_key, self.keyrings)
        drops = settings.section(RedactionSection).plan().drops_for
        sql = statements(key_of(settings), settings.section(MappingSection).own_keys(), drops)
        self._writers = [
            Writer(
                spool,
                Delivery(name, spool, database, sql, self.metrics_registry),
                self.metrics_registry,
                flush_seconds,
                partial(self._expire, spool),
                random.Random(),
                self._section.max_flush_seconds,
            )
            for name, spool in [*self.spools.items(), *((spool.signal, spool) for spool in self._adopted)]
            for flush_seconds in (self._section.flush_seconds * PATIENCE.get(name, 1), *FULL_SEGMENTS_ONLY)
        ]
        self._listening = False
        self.metrics_registry.before(self._refresh)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()

    def _watch_store(self, answered: bool) -> None:
        if answered != self._store_up:
            log.info("the database %s", "answers" if answered else "does not answer")
        self._store_up = answered

    def _expire(self, spool: Spool) -> None:
        try:
            # What is stored already must not take the space that requests or the store need.
            needed = 2 * self._section.min_free_mb + self._section.max_request_mb
            scarce = spool.starved or self._free.bytes < needed << 20
            gone = spool.expire(self._section.keep_seconds, 0 if scarce else self._section.max_spool_mb << 20)
        except OSError as error:
            log.error("old segments could not be deleted: %s", error)
            return
        if gone and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended: the set ends with it
                self._loop.call_soon_threadsafe(self.intake.forget, spool.signal, gone)

    # -- life ---------------------------------------------------------------------------------------------------------

    async def serve(self) -> None:
        """Listens until told to stop."""
        self._loop = asyncio.get_running_loop()
        ending = Ending(self._stop.set)
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, ending)
        certificates = None if self._section.tls.cert_file is None else Certificates(self._section.tls)
        async with contextlib.AsyncExitStack() as listening:
            serving = await self._listen(listening, certificates)
            self._siblings.start()
            self.keyrings.start()
            for writer in self._writers:
                writer.start()
            self._listening = True
            warn_of_open_doors(self._section)
            renewing = asyncio.create_task(_renew(certificates))
            waiting = [*serving, renewing, asyncio.create_task(self._stop.wait())]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            renewing.cancel()
            self._listening = False
            log.info("draining")

    async def _listen(
        self, listening: contextlib.AsyncExitStack, certificates: Certificates | None
    ) -> list[asyncio.Task[None]]:
        """Opens every port; they are closed in order when `listening` ends, answering what was begun."""
        section, shared = self._section, self._section.processes > 1
        sock = bound_socket(section.host, section.http_port, "collector.http_port", shared)
        listening.callback(sock.close)
        health = None
        if section.health_port is not None:
            health = bound_socket(section.host, section.health_port, "collector.health_port", shared)
            listening.callback(health.close)
        credentials = certificates.grpc_credentials() if certificates is not None else None
        server = Port(self.intake, self.gate, section.host, section.grpc_port, credentials, shared)
        await server.start()
        context = certificates.context if certificates is not None else None
        served = [_served(listening, application(self.intake, self.gate, self, section.cors_origins), sock, context)]
        if health is not None:
            served.append(_served(listening, health_application(self.gate, self), health, None))
        listening.push_async_callback(server.stop, GRACE_SECONDS)
        for http_server, _ in served:
            listening.callback(setattr, http_server, "should_exit", True)
        log.info(
            "OTLP/gRPC on %s:%d, OTLP/HTTP on %s:%d%s",
            *(section.host, section.grpc_port, section.host, section.http_port),
            ", TLS" + (" with client certificates" if section.tls.client_ca_file else "") if certificates else "",
        )
        return [task for _, task in served]

    def close(self) -> None:
        """Ends what the constructor started; requests that were acked are durable, whatever is left undelivered."""
        self.keyrings.stop()
        self.intake.close()
        self._siblings.stop()
        for spool in (*self.spools.values(), *self._adopted):
            spool.close()
        deadline = time.monotonic() + DRAIN_SECONDS
        for writer in self._writers:
            writer.stop(max(0.0, deadline - time.monotonic()))
        self._client.close()
        left = sum(spool.totals().spooled for spool in self.spools.values())
        log.info("stopped, %d item(s) wait in the spool", left)

    # -- pages --------------------------------------------------------------------------------------------------------

    def ready(self) -> tuple[bool, dict[str, object]]:
        writable = all(spool.writable for spool in self.spools.values())
        details: dict[str, object] = {"spool": "ok" if writable else "cannot be written"}
        details["store"] = "up" if self._store_up else "down or not needed yet; requests are spooled"
        return self._listening and writable, details

    def accounting(self, project: str | None) -> dict[str, object]:
        accounts = self._siblings.all(self.metrics_registry.metrics).accounts
        if project is not None:
            return _account({name: of_signal.get(project, Totals()) for name, of_signal in accounts.items()})
        projects = sorted({known for of_signal in accounts.values() for known in of_signal})
        return {
            **_account({name: total(of_signal) for name, of_signal in accounts.items()}),
            "projects": {
                known: _account({name: of_signal.get(known, Totals()) for name, of_signal in accounts.items()})
                for known in projects
            },
        }

    def metrics(self) -> str:
        metrics = self.metrics_registry.metrics
        return rendered(metrics, self._siblings.all(metrics).snapshot)

    def _figures(self) -> Figures:
        return Figures(self._accounts(), self.metrics_registry.snapshot())

    def _accounts(self) -> dict[Signal, Accounts]:
        """The account of each signal by project, adopted spools included."""
        return {
            name: merged([of, *(spool.accounts() for spool in self._adopted if spool.signal == name)])
            for name, of in self.intake.accounts().items()
        }

    def _refresh(self) -> None:
        registry = self.metrics_registry
        accounts = self._accounts()
        for name, spool in self.spools.items():
            totals = total(accounts[name])
            for outcome, count in _outcomes(totals):
                registry.set(m.ITEMS, count, signal=name, outcome=outcome)
            registry.set(m.SPOOLED, totals.spooled, signal=name)
            registry.set(m.SPOOL_BYTES, spool.unsettled_bytes, signal=name)
            registry.set(m.SPOOL_DISK_BYTES, spool.disk_bytes, signal=name)
            registry.set(m.QUARANTINE_BYTES, spool.quarantine.bytes, signal=name)
            registry.set(m.SET_ASIDE, spool.segments_set_aside, signal=name)
        registry.set(m.SPOOL_LIMIT_BYTES, self._section.max_spool_mb << 20)
        registry.set(m.INFLIGHT_BYTES, self.intake.in_flight.bytes)
        registry.set(m.DISK_FREE_BYTES, self._free.bytes)
        registry.set(m.STORE_UP, self._store_up)
        registry.set(READY, self.ready()[0])


def spool_directory(data: Path, number: int) -> Path:
    """The first collector's is `spool`, as that of the only one; those of others `spool.1`, `spool.2` ..."""
    return data / (f"{SPOOL_DIRECTORY}.{number}" if number else SPOOL_DIRECTORY)


def adopted(data: Path, section: CollectorSection, count: int) -> list[Spool]:
    """Spools of collectors that there are no longer since `processes` was lowered; what waits there is delivered."""
    left = [
        path
        for path in data.glob(f"{SPOOL_DIRECTORY}.*")
        if path.suffix[1:].isdigit() and int(path.suffix[1:]) >= count
    ]
    return [Spool(path / name, name, section.flush_mb << 20) for path in sorted(left) for name in SIGNALS]


def share(section: CollectorSection, count: int) -> CollectorSection:
    """What one of so many collectors may take of the bounds of all."""
    if count == 1:
        return section
    per_second = {
        name: rate / count if rate is not None else None for name, rate in section.limits.model_dump().items()
    }
    bounds = {
        "max_spool_mb": max(16, section.max_spool_mb // count),
        "max_inflight_mb": max(1, section.max_inflight_mb // count),
        "limits": section.limits.model_copy(update=per_second),
    }
    return section.model_copy(update=bounds)


def _served(
    listening: contextlib.AsyncExitStack, app: Starlette, sock: socket.socket, context: ssl.SSLContext | None
) -> tuple[_Uvicorn, asyncio.Task[None]]:
    """Serves HTTP on the socket; `listening` waits at its end until it is told to exit and has."""
    config = uvicorn.Config(
        app,
        http=Patient,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=int(GRACE_SECONDS),
    )
    config.load()
    config.ssl = context
    server = _Uvicorn(config)
    serving = asyncio.create_task(server.serve(sockets=[sock]))

    listening.push_async_callback(asyncio.wait, [serving])
    return server, serving


async def _renew(certificates: Certificates | None) -> None:
    """Looks for changed certificate files, for as long as it is not cancelled."""
    while True:
        await asyncio.sleep(RENEW_SECONDS)
        if certificates is not None:
            await asyncio.to_thread(certificates.renew)


def warn_of_open_doors(section: CollectorSection) -> None:
    """Says so when others than this machine may send without saying who they are."""
    if section.host in LOOPBACK or section.require_api_key or section.tls.client_ca_file is not None:
        return
    log.warning(
        "the collector listens on %s and takes data from anyone who reaches it: no API key is required. Set "
        "collector.require_api_key: true (LEEWATCH_COLLECTOR__REQUIRE_API_KEY=true) and make keys with "
        "`leewatch projects create NAME`",
        section.host,
    )


def _account(totals: Mapping[Signal, Totals]) -> dict[str, object]:
    """Spans, and log records and data points apart."""
    return {**totals["traces"].as_dict(), "logs": totals["logs"].as_dict(), "metrics": totals["metrics"].as_dict()}


def _outcomes(totals: Totals) -> Sequence[tuple[str, int]]:
    return [(name, count) for name, count in totals.as_dict().items() if name != "spooled"]


@contextlib.contextmanager
def _writable(data: Path) -> Iterator[None]:
    """Turns a fault of the disk at the start into one sentence."""
    try:
        yield
    except OSError as error:
        raise DataDirectoryNotWritableError(data, error) from None


class _Uvicorn(uvicorn.Server):
    """Leaves the signals to us: the drain has an order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
