from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from analyzers.schedule import Job, Schedule
from analyzers.store import Progress
from leewatch.errors import StoreUnavailableError
from leewatch.testing.clock import FixedClock


class RecordingStore:
    def __init__(self) -> None:
        self.progress: list[Progress] = []
        self.closed = False

    def write_progress(self, states: list[Progress]) -> None:
        self.progress += states

    def close(self) -> None:
        self.closed = True


def job(work: Any, connect: Any, seconds: float = 60) -> Job:
    return Job("test", seconds, work, connect, FixedClock())


def test_a_failing_run_is_counted_shown_and_followed_by_the_next(caplog: pytest.LogCaptureFixture) -> None:
    stores = [RecordingStore(), RecordingStore()]
    given = iter(stores)
    answers = iter([ValueError("broken"), None])

    def work(store: RecordingStore) -> None:
        answer = next(answers)
        if answer:
            raise answer

    tested = job(work, lambda: next(given))
    tested.tick()
    assert tested.failures == 1
    assert stores[0].closed
    assert stores[0].progress[0].error == "failed 1 times: ValueError"
    assert "job test failed (1 times in a row), it runs again in 60 s: broken" in caplog.text
    assert "Traceback" in caplog.text
    tested.tick()
    assert tested.failures == 0


def test_a_store_that_is_away_is_told_without_a_stack_trace(caplog: pytest.LogCaptureFixture) -> None:
    def connect() -> RecordingStore:
        raise StoreUnavailableError("the database does not answer")

    job(lambda store: None, connect).tick()
    assert "the database does not answer" in caplog.text
    assert "Traceback" not in caplog.text


def test_jobs_run_at_once_and_a_stop_waits_for_the_run_at_hand() -> None:
    started, release, finished = threading.Event(), threading.Event(), threading.Event()

    def work(store: RecordingStore) -> None:
        started.set()
        release.wait(5)
        finished.set()

    schedule = Schedule([job(work, RecordingStore)])
    schedule.start()
    assert started.wait(5)
    threading.Timer(0.1, release.set).start()
    assert schedule.stop()
    assert finished.is_set()
    logging.getLogger("apscheduler").setLevel(logging.NOTSET)
