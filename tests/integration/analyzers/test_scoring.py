"""The job `score` against a real store."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from analyzers import scoring
from analyzers.config import AnalyzersSection
from analyzers.schedule import Job
from analyzers.scoring import ScoringJob
from analyzers.store import AnalyzerStore, utc
from leewatch.config import Settings
from leewatch.contracts import Encoder
from leewatch.schema import Score, SpanTexts
from leewatch.storage.client import connect
from leewatch.testing.encoder import HashingEncoder

AddSpans = Callable[..., list[str]]


class LengthScorer:
    """Scores a prompt by its length; raises for a prompt that says so."""

    name = "length"
    outputs: tuple[str, ...] = ("prompt.length", "response.length")

    def __init__(self, version: str = "1", broken: bool = False) -> None:
        self.version = version
        self.broken = broken
        self.seen: list[str] = []

    def score(self, spans: Sequence[SpanTexts], encoder: Encoder) -> list[list[Score]]:
        if self.broken or any("raise" in (span.prompt or "") for span in spans):
            raise RuntimeError("cannot score")
        self.seen += [span.id for span in spans]
        return [[Score("prompt.length", len(span.prompt) / 100)] if span.prompt else [] for span in spans]


def job(
    *scorers: LengthScorer, clock: Callable[[], datetime] = lambda: datetime.now(UTC), **options: float
) -> ScoringJob:
    return ScoringJob(AnalyzersSection.model_validate(options), HashingEncoder(2), scorers, clock, threading.Event())


def test_every_llm_span_gets_its_scores_and_embeddings_once(client: Client, add_spans: AddSpans) -> None:
    traces = add_spans([("hello", "world")] * 30)
    add_spans([("a chain repeats it", "so it is not scored")], kind="chain")
    scorer = LengthScorer()
    work = job(scorer, batch_size=7)
    work.run(AnalyzerStore(client))
    work.run(AnalyzerStore(client))
    job(scorer).run(AnalyzerStore(client))
    assert len(scorer.seen) == 30
    found = client.query("SELECT count(), uniqExact(trace_id, span_id, name) FROM scores").result_rows
    assert found == [(60, 60)]
    embeddings = client.query("SELECT count(), uniqExact(trace_id, span_id, field) FROM embeddings").result_rows
    assert embeddings == [(60, 60)]
    assert {row[0] for row in client.query("SELECT DISTINCT trace_id FROM scores").result_rows} == set(traces)


def test_outputs_without_text_are_null_with_a_reason(client: Client, add_spans: AddSpans) -> None:
    add_spans([("hello", "")])
    job(LengthScorer(), content_wait_seconds=0).run(AnalyzerStore(client))
    rows = client.query("SELECT name, value, reason FROM scores ORDER BY name").result_rows
    assert rows == [("prompt.length", 0.05, ""), ("response.length", None, "no response")]
    assert client.query("SELECT field, length(vector) FROM embeddings ORDER BY field").result_rows == [
        ("prompt", 2),
        ("response", 0),
    ]


def test_a_span_waits_for_content_that_comes_by_log_records(client: Client, add_spans: AddSpans) -> None:
    [trace] = add_spans([None])
    work = job(LengthScorer(), content_wait_seconds=600)
    work.run(AnalyzerStore(client))
    assert client.query("SELECT count() FROM scores").result_rows == [(0,)]
    waiting = client.query("SELECT backlog FROM progress FINAL WHERE name = 'scorer:length'").result_rows
    assert waiting == [(1,)]
    names = ["project", "trace_id", "span_id", "ts", "prompt_text", "response_text"]
    span = client.query("SELECT span_id FROM llm_spans").result_rows[0][0]
    client.insert("llm_content", [["default", trace, span, datetime.now(UTC), "late", "but here"]], column_names=names)
    work.run(AnalyzerStore(client))
    assert client.query("SELECT value FROM scores WHERE name = 'prompt.length'").result_rows == [(0.04,)]


def test_spans_that_wait_for_content_do_not_hold_up_older_ones(
    client: Client, add_spans: AddSpans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "CANDIDATES", 5)
    add_spans([("old", "but ready")] * 3, ingested=datetime.now(UTC) - timedelta(seconds=30))
    add_spans([None] * 12)
    work = job(LengthScorer(), content_wait_seconds=600)
    for _ in range(3):
        work.run(AnalyzerStore(client))
    assert client.query("SELECT uniqExact(span_id) FROM scores").result_rows == [(3,)]


def test_lag_is_the_age_of_the_oldest_span_that_waits_also_of_those_not_looked_at(
    client: Client, add_spans: AddSpans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "CANDIDATES", 5)
    now = datetime.now(UTC).replace(microsecond=0)
    add_spans([None] * 3, ingested=now - timedelta(seconds=40))
    add_spans([None] * 12, ingested=now - timedelta(seconds=10))
    first = job(LengthScorer(), clock=lambda: now, content_wait_seconds=600, overlap_seconds=300)
    monkeypatch.setattr(scoring, "MOST_CANDIDATES", 5)
    first.run(AnalyzerStore(client))
    found = client.query("SELECT DISTINCT done_until, backlog FROM progress FINAL WHERE backlog > 0").result_rows
    assert [(utc(moment), backlog) for moment, backlog in found] == [(now - timedelta(seconds=40), 15)]


def test_a_span_whose_content_never_comes_is_given_up_with_a_reason(client: Client, add_spans: AddSpans) -> None:
    add_spans([None], ingested=datetime.now(UTC) - timedelta(seconds=90))
    job(LengthScorer(), content_wait_seconds=60).run(AnalyzerStore(client))
    assert client.query("SELECT DISTINCT value, reason FROM scores").result_rows == [(None, "no content")]


def test_masked_content_is_not_scored(client: Client, add_spans: AddSpans) -> None:
    add_spans([("hidden", "hidden")], redacted=True)
    job(LengthScorer()).run(AnalyzerStore(client))
    assert client.query("SELECT DISTINCT value, reason FROM scores").result_rows == [(None, "content redacted")]
    assert client.query("SELECT DISTINCT length(vector) FROM embeddings").result_rows == [(0,)]


def test_one_bad_row_does_not_take_its_batch_with_it(client: Client, add_spans: AddSpans) -> None:
    add_spans([("fine", "ok")] * 9 + [("please raise", "ok")] + [("fine", "ok")] * 6)
    job(LengthScorer()).run(AnalyzerStore(client))
    rows = client.query(
        "SELECT reason, count() FROM scores WHERE name = 'prompt.length' GROUP BY reason ORDER BY reason"
    ).result_rows
    assert rows == [("", 15), ("scorer failed", 1)]


def test_a_broken_scorer_does_not_stop_the_others_and_catches_up_once_mended(
    client: Client, add_spans: AddSpans
) -> None:
    now = [datetime.now(UTC)]
    broken, working = LengthScorer(broken=True), LengthScorer()
    broken.name, broken.outputs = "other", ("prompt.other",)
    work = job(broken, working, clock=lambda: now[0])
    add_spans([("hello", "world")] * 5)
    work.run(AnalyzerStore(client))
    assert client.query("SELECT DISTINCT scorer FROM scores").result_rows == [("length",)]
    [(backlog, error)] = client.query(
        "SELECT backlog, error FROM progress FINAL WHERE name = 'scorer:other'"
    ).result_rows
    assert backlog == 5
    assert error == "failed 1 times: RuntimeError: cannot score"
    broken.broken = False
    work.run(AnalyzerStore(client))
    assert client.query("SELECT count() FROM scores WHERE scorer = 'other'").result_rows == [(0,)], "it is paused"
    now[0] += timedelta(seconds=11)
    work.run(AnalyzerStore(client))
    assert client.query("SELECT count() FROM scores WHERE scorer = 'other'").result_rows == [(5,)]


def test_spans_are_scored_again_under_a_new_version(client: Client, add_spans: AddSpans) -> None:
    add_spans([("hello", "world")], ingested=datetime.now(UTC) - timedelta(days=3))
    job(LengthScorer("1")).run(AnalyzerStore(client))
    job(LengthScorer("2")).run(AnalyzerStore(client))
    versions = client.query("SELECT DISTINCT version FROM scores ORDER BY version").result_rows
    assert versions in ([("1",), ("2",)], [("2",)])
    assert client.query("SELECT DISTINCT version FROM scores FINAL").result_rows == [("2",)]
    assert client.query("SELECT count() FROM embeddings").result_rows == [(2,)]


def test_the_error_of_a_failed_run_goes_away_with_the_next_that_ends_well(
    database: Settings, client: Client, add_spans: AddSpans
) -> None:
    add_spans([("hello", "world")])
    work = job(LengthScorer())
    answers = iter([ValueError("broken"), None])

    def tick(store: AnalyzerStore) -> None:
        if error := next(answers):
            raise error
        work.run(store)

    def errors() -> list[str]:
        return [row[0] for row in client.query("SELECT error FROM progress FINAL WHERE error != ''").result_rows]

    scheduled = Job(scoring.JOB, 60, tick, lambda: AnalyzerStore(connect(database)), lambda: datetime.now(UTC))
    scheduled.tick()
    assert errors() == ["failed 1 times: ValueError"]
    scheduled.tick()
    assert errors() == []


SLOW = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from leewatch.config import load
from analyzers.runner import serve
import test_scoring

class Slow(test_scoring.LengthScorer):
    def score(self, spans, encoder):
        time.sleep(0.05)
        return super().score(spans, encoder)

analyzers = {"batch_size": 10, "interval_seconds": 0.1}
settings = load(data=Path(sys.argv[1]), environment={},
                overrides={"store": {"port": int(sys.argv[2])}, "analyzers": analyzers})
serve(settings, test_scoring.HashingEncoder(2), [Slow()])
"""


def start(settings: Settings) -> subprocess.Popen[bytes]:
    arguments = [str(settings.data), str(settings.store.port), str(Path(__file__).parent)]
    return subprocess.Popen([sys.executable, "-c", SLOW, *arguments], stderr=subprocess.DEVNULL)


def scored(client: Client) -> int:
    return int(client.query("SELECT uniqExact(span_id) FROM scores").result_rows[0][0])


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def test_kill_in_the_middle_loses_nothing_and_repeats_nothing(
    database: Settings, client: Client, add_spans: AddSpans
) -> None:
    add_spans([("hello", "world")] * 400)
    process = start(database)
    until(lambda: scored(client) >= 50)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert scored(client) < 400
    process = start(database)
    until(lambda: scored(client) == 400)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert client.query("SELECT count(), uniqExact(span_id, name) FROM scores").result_rows == [(800, 800)]
    assert client.query("SELECT count(), uniqExact(span_id, field) FROM embeddings").result_rows == [(800, 800)]
