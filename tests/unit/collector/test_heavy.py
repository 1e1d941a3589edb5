"""What a request does to the process that decodes it touches no other request."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from collector import heavy
from collector.heavy import Heavy
from collector.validate import MalformedError, TooManyError, check
from leewatch.semconv.protobuf import varint


@pytest.fixture
def worker() -> Iterator[Heavy]:
    started = Heavy(1 << 20)
    yield started
    started.close()


def _field(number: int, payload: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def _answer(worker: Heavy, *steps: tuple[Callable[..., Any], Any]) -> list[Any]:
    async def run() -> list[Any]:
        return await asyncio.gather(*(worker.run(*step) for step in steps), return_exceptions=True)

    return asyncio.run(run())


def test_results_and_errors_come_back_as_they_are(worker: Heavy) -> None:
    found = _answer(worker, (len, b"abc"), (check, "traces", b"\xff"), (os.getpid,))
    assert found[0] == 3
    assert isinstance(found[1], MalformedError)
    assert found[2] != os.getpid()


def test_a_request_that_kills_the_process_is_refused_and_the_next_ones_are_taken(worker: Heavy) -> None:
    found = _answer(worker, (len, b"abc"), (os.abort,), (len, b"ab"))
    assert found[0] == 3
    assert isinstance(found[1], TooManyError)
    assert found[2] == 2


def test_where_no_process_can_be_started_requests_are_taken_all_the_same(
    worker: Heavy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heavy, "_confined", os.abort)  # which takes other arguments: the process ends before it begins
    assert _answer(worker, (len, b"abc")) == [3]


def test_a_request_that_hangs_is_refused(worker: Heavy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heavy, "LONGEST_SECONDS", 3.0)
    found = _answer(worker, (time.sleep, 60), (len, b"ab"))
    assert isinstance(found[0], TooManyError)
    assert found[1] == 2


def test_a_request_that_takes_too_much_time_is_refused(worker: Heavy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heavy, "CPU_SECONDS", 1.0)
    found = _answer(worker, (sum, range(1 << 60)), (len, b"ab"))
    assert isinstance(found[0], TooManyError)
    assert found[1] == 2


def test_a_request_that_takes_too_much_memory_is_refused(worker: Heavy) -> None:
    found = _answer(worker, (bytes, 1 << 40), (len, b"ab"))
    assert isinstance(found[0], TooManyError)
    assert found[1] == 2


def test_values_nested_millions_of_times_bring_down_no_one(worker: Heavy) -> None:
    nested = _field(9, _field(2, _field(5, _field(1, _field(5, b"")))))
    body = _field(1, _field(2, _field(2, _field(1, b"t" * 16) + _field(2, b"s" * 8) + nested * (6 << 20))))
    (found,) = _answer(worker, (check, "traces", body))
    assert isinstance(found, TooManyError | MalformedError)  # whichever of its limits it meets first


def test_the_process_ends_with_its_parent() -> None:
    code = (
        "import asyncio, os; from collector.heavy import Heavy; h = Heavy(1 << 20)\n"
        "if __name__ == '__main__':\n    print(asyncio.run(h.run(os.getpid)), flush=True)\n    os.kill(os.getpid(), 9)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    child = int(ended.stdout)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("it outlives its parent")
