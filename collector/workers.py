"""Several collectors on one port: this process starts them, restarts one that ends, and ends them all."""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import signal
import threading
import time
from multiprocessing.process import BaseProcess

from collector.listening import bound_socket
from leewatch import stopping
from leewatch.config import Settings

log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1
LOOK_SECONDS = 0.2
RESTART_SECONDS = 1.0
END_SECONDS = 8.5
MUST_BE_MENDED = 2


def run(settings: Settings) -> int:
    """Runs `collector.processes` collectors until SIGTERM or SIGINT; the exit code.

    The kernel shares connections out among those that listen (SO_REUSEPORT). Raises PortInUseError before it starts one.
    """
    section = settings.collector
    for port, key in ((section.http_port, "http_port"), (section.grpc_port, "grpc_port")):
        bound_socket(section.host, port, f"collector.{key}").close()
    stop = threading.Event()
    workers: dict[int, BaseProcess] = {}
    with stopping.on_signals(stop.set):
        for number in range(section.processes):
            workers[number] = _started(settings, number)
        while not stop.wait(LOOK_SECONDS):
            for number, worker in workers.items():
                if worker.is_alive():
                    continue
                if worker.exitcode == MUST_BE_MENDED:
                    _end(workers)
                    return MUST_BE_MENDED
                log.warning(
                    "collector %d of %d ended with %s, started again", number + 1, len(workers), worker.exitcode
                )
                stop.wait(RESTART_SECONDS)
                workers[number] = _started(settings, number)
        _end(workers)
    return 0


def _started(settings: Settings, number: int) -> BaseProcess:
    process = multiprocessing.get_context("spawn").Process(
        target=_work, args=(settings, number), name=f"collector-{number}"
    )
    process.start()
    return process


def _work(settings: Settings, number: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s %(levelname)s %(name)s[{number}]: %(message)s")
    from collector.server import serve

    serve(settings, number)


def _end(workers: dict[int, BaseProcess]) -> None:
    deadline = time.monotonic() + END_SECONDS
    for worker in workers.values():
        worker.terminate()
    for worker in workers.values():
        worker.join(max(0.0, deadline - time.monotonic()))
        if worker.is_alive():
            worker.kill()
            worker.join()
