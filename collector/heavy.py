"""Requests that are large enough to hold up others are decoded in a process of their own.

Decoding holds the interpreter's lock. A body of 64 MB made of tiny messages holds it for seconds, takes gigabytes and may bring
down protobuf's C code. In a process apart it costs its sender an answer, and no one else anything.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from collector.validate import TooManyError

log = logging.getLogger(__name__)

T = TypeVar("T")

CPU_SECONDS = 12.0
"""The densest request that senders mean, 64 MB of short attributes, takes some 5 s."""
LONGEST_SECONDS = 120.0
"""Waiting for a processor included: on a machine that is busy with other work a request takes longer, and is not to blame."""
MEMORY_PER_BYTE = 40
"""Address space that the process may take for each byte of the largest request; a request that senders mean takes under 10."""
BASE_BYTES = 1 << 30
"""Address space of the interpreter, its libraries and their allocators."""
_PARENT_SECONDS = 1.0


class Heavy:
    """One worker process, started when it is first needed, and anew when a request brought it down. Lives on one event loop."""

    def __init__(self, most_bytes: int) -> None:
        """most_bytes: of the largest request."""
        self._memory = BASE_BYTES + MEMORY_PER_BYTE * most_bytes
        self._pool: ProcessPoolExecutor | None = None
        self._turn = asyncio.Lock()

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """What `work` returns or raises there. Raises TooManyError when it ends the process, or takes too long.

        One request at a time: what one of them does to the process must not be laid to another's charge.
        """
        async with self._turn:
            pool = self._pool = self._pool or self._started()
            began = time.monotonic()
            try:
                return await asyncio.wait_for(
                    asyncio.wrap_future(pool.submit(_timed, CPU_SECONDS, work, *arguments)), LONGEST_SECONDS
                )
            except (BrokenProcessPool, TimeoutError, MemoryError) as error:
                self.close()
                seconds = time.monotonic() - began
                if isinstance(error, BrokenProcessPool) and not await self._works():
                    log.error("no process can be started to decode large requests, they are decoded in this one")
                    return await asyncio.to_thread(work, *arguments)
                log.warning(
                    "a request was refused, it cannot be decoded: %s after %.1f s", type(error).__name__, seconds
                )
                raise TooManyError(
                    "the request takes too long or too much memory to decode: lower the batch size"
                ) from None

    async def _works(self) -> bool:
        """Whether a process ends well that does nothing: then it was the request that ended the other."""
        pool = self._pool = self._started()
        try:
            await asyncio.wait_for(asyncio.wrap_future(pool.submit(int)), LONGEST_SECONDS)
        except (BrokenProcessPool, TimeoutError):
            self.close()
            return False
        return True

    def close(self) -> None:
        """Ends the process, whatever it does."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        for process in list(pool._processes.values()):
            process.kill()
        pool.shutdown(wait=False, cancel_futures=True)

    def _started(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(1, context, _confined, (self._memory, os.getpid()))


def _timed(seconds: float, work: Callable[..., T], *arguments: object) -> T:
    """What `work` returns; the process ends when that takes more than `seconds` of CPU."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        return work(*arguments)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _confined(memory: int, parent: int) -> None:
    """What the process does first: it takes no more than `memory` bytes and ends with its parent, not before."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_SECONDS)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
