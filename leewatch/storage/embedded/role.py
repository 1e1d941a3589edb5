"""The role `store`: owns the data directory and serves it until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from leewatch.config import Settings
from leewatch.errors import InputError, MissingExtraError, PortInUseError
from leewatch.storage import migrate
from leewatch.storage.client import EMBEDDED_USER, ensure_token
from leewatch.storage.embedded import confine, engine_config
from leewatch.storage.embedded.access import Access
from leewatch.storage.embedded.direct import DirectDatabase
from leewatch.storage.embedded.engine import Engine, scratch_directory
from leewatch.storage.embedded.http import QueryEndpoint, application
from leewatch.storage.embedded.lock import locked

log = logging.getLogger(__name__)

DIRECTORY = "store"
_DRAIN_SECONDS = 6
"""Time that running queries and slow readers get at shutdown; then they are stopped."""


def run(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT, then lets running queries end and closes the engine.

    Raises DataDirectoryLockedError, PortInUseError, MissingExtraError, MigrationError.
    """
    # The engine reads TZ once: rows and headers are UTC wherever the machine stands.
    os.environ["TZ"] = "UTC"
    settings.data.mkdir(parents=True, exist_ok=True)
    with locked(settings.data), _listener(settings.store.host, settings.store.port) as listener:
        _serve(settings, listener)


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortInUseError(host, port, "store.port") from error
    return listener


def _open(settings: Settings, scratch: Path) -> Engine:
    directory = settings.data / DIRECTORY
    directory.mkdir(mode=0o700, exist_ok=True)
    # The engine keeps the format schemas it was sent as files in `__cache__` under the current directory.
    os.chdir(settings.data)
    for left in directory.glob("body-*"):
        left.unlink()
    config = engine_config.write(settings.data / DIRECTORY, settings.store.max_memory_mb)
    try:
        return Engine(directory, config, scratch, settings.store.threads)
    except ModuleNotFoundError as error:
        raise MissingExtraError("the embedded store", "store", "chdb") from error
    except ImportError as error:
        raise InputError(
            f"the embedded store's package chdb is installed but cannot be loaded: {error}. Where that is a refused file, set "
            "store.confine to off and report it; else reinstall it: pip install --force-reinstall 'leewatch[store]'"
        ) from error


def _fence(settings: Settings, scratch: Path) -> None:
    """Comes before the engine is loaded, whose threads would stay outside otherwise.

    Raises InputError where `store.confine: require` cannot be met.
    """
    if settings.store.confine == "off":
        return
    # Where the engine, when it is loaded, tries itself out.
    os.environ["TMPDIR"] = str(scratch)
    fence = confine.confine([settings.data, scratch])
    if fence.files and fence.network:
        log.info("the kernel keeps the store to %s and from connecting anywhere", settings.data)
    elif settings.store.confine == "require":
        raise InputError(
            "store.confine is require, but this system has no Landlock for files and TCP (Linux 6.7). "
            "Set it to auto, or run on a newer kernel."
        )
    else:
        log.warning("Landlock is not available (%s): files and hosts are refused by grants and checks only", fence)


def _serve(settings: Settings, listener: socket.socket) -> None:
    scratch = scratch_directory(settings.data)
    # Removing it from its parent is outside the fence: a thread that starts before does it.
    stopped = threading.Event()
    cleaner = threading.Thread(target=_remove_after, args=(stopped, scratch), name="scratch-cleaner")
    cleaner.start()
    try:
        _fence(settings, scratch)
        _serve_engine(settings, listener, _open(settings, scratch))
    finally:
        stopped.set()
        cleaner.join()


def _remove_after(stopped: threading.Event, scratch: Path) -> None:
    stopped.wait()
    shutil.rmtree(scratch, ignore_errors=True)


def _serve_engine(settings: Settings, listener: socket.socket, engine: Engine) -> None:
    access = Access(EMBEDDED_USER, ensure_token(settings.data), settings.store.host)
    endpoint = QueryEndpoint(
        engine, access, settings.storage.database, settings.data / DIRECTORY, settings.store.threads
    )
    try:
        migrate.apply(DirectDatabase(engine, settings.storage.database), settings, exclusive=True)
        server = _Server(_uvicorn(endpoint, access))
        log.info(
            "store listens on %s:%d, engine %s, data in %s",
            settings.store.host,
            settings.store.port,
            engine.version,
            settings.data,
        )
        asyncio.run(server.serve(sockets=[listener]))
    finally:
        endpoint.close()
        engine.close()


class _Server(uvicorn.Server):
    """Returns after SIGTERM and SIGINT; uvicorn's own would raise the signal again, past the closing of the engine."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _uvicorn(endpoint: QueryEndpoint, access: Access) -> uvicorn.Config:
    return uvicorn.Config(
        application(endpoint, access),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
