"""More calls than can be scored in time, against a real store: a declared sample with weights, made whole later."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from clickhouse_connect.driver.client import Client

from analyzers.config import AnalyzersSection
from analyzers.filling import Backfill
from analyzers.scoring import ScoringJob
from analyzers.store import AnalyzerStore, utc
from leewatch.contracts import Encoder
from leewatch.schema import Score, SpanTexts
from leewatch.storage import queries
from leewatch.testing.encoder import HashingEncoder

AddSpans = Callable[..., list[str]]


class Watch:
    """The time, or later when told so; and the seconds that scorers say they worked."""

    def __init__(self) -> None:
        self.ahead = timedelta()
        self.worked = 0.0

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Timed:
    """A scorer of given name and cost. A prompt that says `bad` scores 1."""

    outputs: tuple[str, ...]

    def __init__(self, watch: Watch, name: str, seconds: float, version: str = "1") -> None:
        self.name, self.version, self._watch, self._seconds = name, version, watch, seconds
        self.outputs = (f"prompt.{name}",)
        self.seen: list[str] = []

    def score(self, spans: Sequence[SpanTexts], encoder: Encoder) -> list[list[Score]]:
        self._watch.worked += self._seconds * len(spans)
        self.seen += [span.id for span in spans]
        return [[Score(self.outputs[0], float("bad" in (span.prompt or "")))] for span in spans]


@pytest.fixture
def watch() -> Watch:
    return Watch()


def job(watch: Watch, *scorers: Timed, **options: float) -> ScoringJob:
    """One that has 35 s for the calls that came in since it last looked."""
    options = {"max_lag_seconds": 100, "interval_seconds": 10, "content_wait_seconds": 1, **options}
    section = AnalyzersSection.model_validate(options)
    return ScoringJob(section, HashingEncoder(2), scorers, watch, threading.Event(), stopwatch=lambda: watch.worked)


def traffic(add_spans: AddSpans, calls: int) -> list[str]:
    """Calls that were received one after the other, in the last 30 seconds; one in five is bad. Their traces."""
    step = timedelta(seconds=30) / calls
    received = [datetime.now(UTC) - timedelta(seconds=30) + step * i for i in range(calls)]
    return add_spans([("bad" if i % 5 == 0 else "fine", "answer") for i in range(calls)], received=received)


def rates(client: Client) -> list[dict[str, float]]:
    return [row[0] for row in client.query("SELECT rates FROM sampling FINAL WHERE notEmpty(rates)").result_rows]


def test_too_many_calls_become_a_declared_sample_and_the_lag_stays_bounded(
    client: Client, add_spans: AddSpans, watch: Watch
) -> None:
    slow, quick = Timed(watch, "slow", 0.1), Timed(watch, "quick", 0.001)
    traffic(add_spans, 1500)  # 150 s of work for slow; it may take what quick leaves of 35 s
    work = job(watch, slow, quick)
    work.run(AnalyzerStore(client))
    assert watch.worked < 55, "35 s, the first calls, by which costs are measured, and chance"
    [rate] = rates(client)
    assert rate == {"slow": pytest.approx((35 - 1.468) / 146.8, rel=0.01)}
    assert len(quick.seen) == 1500, "a quick analyzer looks at every call"
    rows = client.query("SELECT weight, count() FROM scores WHERE scorer = 'slow' GROUP BY weight").result_rows
    weights = sorted(weight for weight, _ in rows)
    assert weights == pytest.approx([1.0, 1 / rate["slow"]])
    total = sum(weight * count for weight, count in rows)
    assert total == pytest.approx(1500, rel=0.25)
    told = client.query(
        "SELECT name, sampling, backlog FROM progress FINAL WHERE startsWith(name, 'scorer:')"
    ).result_rows
    assert {name: backlog for name, _, backlog in told} == {"scorer:slow": 0, "scorer:quick": 0}


def test_whole_traces_are_kept_and_the_dearer_sample_lies_within_the_cheaper(
    client: Client, add_spans: AddSpans, watch: Watch
) -> None:
    traces = traffic(add_spans, 900)
    spans = client.query("SELECT * FROM llm_spans").result_rows
    names = client.query("SELECT * FROM llm_spans LIMIT 1").column_names
    place = names.index("span_id")
    client.insert("llm_spans", [(*row[:place], f"f{row[place][1:]}", *row[place + 1 :]) for row in spans], names)
    contents = [["default", trace, f"f{trace[17:]}", datetime.now(UTC), "fine", "answer"] for trace in traces]
    client.insert("llm_content", contents, ["project", "trace_id", "span_id", "ts", "prompt_text", "response_text"])
    dear, cheap = Timed(watch, "dear", 0.1), Timed(watch, "cheap", 0.05)
    job(watch, dear, cheap).run(AnalyzerStore(client))
    found = client.query(
        "SELECT scorer, trace_id, uniqExact(span_id) FROM scores WHERE weight > 1 GROUP BY scorer, trace_id"
    ).result_rows
    kept = {name: {trace for scorer, trace, _ in found if scorer == name} for name in ("dear", "cheap")}
    assert {count for _, _, count in found} == {2}
    assert kept["dear"] < kept["cheap"] | {row[0] for row in client.query(
        "SELECT DISTINCT trace_id FROM scores WHERE scorer = 'cheap' AND weight = 1").result_rows}  # fmt: skip


def test_what_was_left_out_is_looked_at_when_there_is_time_and_weights_become_one(
    client: Client, add_spans: AddSpans, watch: Watch
) -> None:
    traffic(add_spans, 800)
    slow = Timed(watch, "slow", 0.1)
    work = job(watch, slow)
    store = AnalyzerStore(client)
    work.run(store)
    assert rates(client)
    assert len(set(slow.seen)) < 800
    watch.ahead = timedelta(seconds=70)
    work.run(store)
    assert rates(client) == []
    assert len(slow.seen) == len(set(slow.seen)) == 800
    whole = client.query(
        "SELECT count(), sum(weight), uniqExact(weight), sum(value) FROM scores FINAL WHERE scorer = 'slow'"
    ).result_rows
    assert whole == [(800, 800.0, 1, 160.0)]
    assert client.query("SELECT count(), sum(weight) FROM embeddings FINAL").result_rows == [(1600, 1600.0)]
    assert client.query("SELECT count() FROM sampling FINAL WHERE since > toDateTime64(0, 3)").result_rows[0][0] > 0


def test_scorers_that_use_the_encoder_share_its_rate(client: Client, add_spans: AddSpans, watch: Watch) -> None:
    class Encoding(Timed):
        def score(self, spans: Sequence[SpanTexts], encoder: Encoder) -> list[list[Score]]:
            encoder.encode([span.prompt or "" for span in spans])
            return super().score(spans, encoder)

    traffic(add_spans, 900)
    job(watch, Encoding(watch, "dear", 0.1), Encoding(watch, "cheap", 0.001), Timed(watch, "apart", 0.001)).run(
        AnalyzerStore(client)
    )
    [rate] = rates(client)
    assert set(rate) == {"embeddings", "dear", "cheap"}
    assert len(set(rate.values())) == 1


def test_a_restart_keeps_the_rates_that_were_decided(client: Client, add_spans: AddSpans, watch: Watch) -> None:
    traffic(add_spans, 800)
    first = Timed(watch, "slow", 0.1)
    job(watch, first).run(AnalyzerStore(client))
    decided = rates(client)
    second = Timed(watch, "slow", 0.0)
    job(watch, second, content_wait_seconds=3600).run(AnalyzerStore(client))
    assert second.seen == []
    assert rates(client) == decided
    rescored = Timed(watch, "slow", 0.0, version="2")
    job(watch, rescored, content_wait_seconds=3600).run(AnalyzerStore(client))
    assert set(rescored.seen) == set(first.seen), "a new version judges the same sample"
    weights = client.query("SELECT version, sum(weight) FROM scores FINAL GROUP BY version").result_rows
    assert weights == [("2", pytest.approx(800, rel=0.25))]


def test_history_is_scored_in_full_and_holds_up_nothing_live(client: Client, add_spans: AddSpans, watch: Watch) -> None:
    add_spans([("fine", "answer")] * 700, service="import", start=datetime.now(UTC) - timedelta(days=3))
    traffic(add_spans, 50)
    slow = Timed(watch, "slow", 0.1)
    work = job(watch, slow)
    store = AnalyzerStore(client)
    work.run(store)
    live = {row[0] for row in client.query("SELECT DISTINCT trace_id FROM llm_spans WHERE service = 'bot'").result_rows}
    assert {span.split("/")[1] for span in slow.seen[:50]} == live
    assert len(slow.seen) == 750
    assert rates(client) == []
    assert client.query("SELECT DISTINCT weight FROM scores").result_rows == [(1.0,)]


def test_without_a_limit_every_call_is_scored(client: Client, add_spans: AddSpans, watch: Watch) -> None:
    traffic(add_spans, 300)
    slow = Timed(watch, "slow", 1.0)
    job(watch, slow, max_lag_seconds=0).run(AnalyzerStore(client))
    assert len(slow.seen) == 300
    assert client.query("SELECT count() FROM sampling").result_rows == [(0,)]


def test_drift_draws_rows_in_proportion_to_their_weights(client: Client) -> None:
    start = datetime(2026, 3, 10, 12, tzinfo=UTC)
    rows = []
    for i in range(3000):
        busy = i < 1000  # one in ten was embedded while it was busy, so it stands for ten
        at, weight = start + timedelta(milliseconds=i), 10.0 if busy else 1.0
        rows.append(["bot", "prompt", "m", at, f"{i:032x}", f"{i:016x}", [float(busy), float(i)], weight])
    names = ["service", "field", "model", "ts", "trace_id", "span_id", "vector", "weight"]
    client.insert("embeddings", rows, column_names=names)
    found = client.query(
        queries.load("analyzers")["embedding_sample"],
        parameters={
            "project": "default", "service": "bot", "field": "prompt", "model": "m", "limit": 2000,
            "since": start, "until": start + timedelta(hours=1), "excluded_starts": [], "excluded_ends": [],
        },
    ).result_rows  # fmt: skip
    assert len(found) == 1200, "more would draw some of the busy time with certainty: 12000 calls / 10"
    busy = sum(row[2][0] for row in found) / len(found)
    assert busy == pytest.approx(10_000 / 12_000, abs=0.03)


def test_a_time_is_not_undecided_when_clocks_differ(client: Client, add_spans: AddSpans, watch: Watch) -> None:
    watch.ahead = -timedelta(seconds=5)
    traffic(add_spans, 20)
    quick = Timed(watch, "quick", 0.0)
    job(watch, quick).run(AnalyzerStore(client))
    assert len(quick.seen) == 20
    [[until]] = client.query("SELECT until FROM sampling FINAL").result_rows
    assert utc(until) > watch()


def test_backfill_scores_what_was_left_out_and_tells_how_far_it_is(
    client: Client, add_spans: AddSpans, watch: Watch
) -> None:
    traffic(add_spans, 700)
    add_spans([("fine", "answer")] * 30, service="import", start=datetime.now(UTC) - timedelta(days=3))
    slow, store = Timed(watch, "slow", 0.1), AnalyzerStore(client)
    job(watch, slow).run(store)
    assert rates(client)
    section = AnalyzersSection.model_validate({"batch_size": 100, "content_wait_seconds": 0})
    run = Backfill(section, HashingEncoder(2), [slow], threading.Event())
    since, until = datetime.now(UTC) - timedelta(hours=2), datetime.now(UTC) + timedelta(minutes=1)
    states = list(run.run(store, since, until))
    assert rates(client) == []
    assert (run.left, run.whole, len(set(slow.seen))) == (0, 1, 730)
    assert [state.seen for state in states] == sorted(state.seen for state in states)
    assert {state.calls for state in states} == {730}
    assert client.query("SELECT count(), sum(weight) FROM scores FINAL").result_rows == [(730, 730.0)]
    assert list(run.run(store, until, until + timedelta(hours=1))) == []


def test_backfill_of_one_scorer_leaves_the_others_samples_as_they_are(
    client: Client, add_spans: AddSpans, watch: Watch
) -> None:
    traffic(add_spans, 700)
    one, other, store = Timed(watch, "one", 0.1), Timed(watch, "other", 0.1), AnalyzerStore(client)
    job(watch, one, other).run(store)
    [before] = rates(client)
    assert set(before) == {"one", "other"}
    run = Backfill(AnalyzersSection(content_wait_seconds=0), HashingEncoder(2), [one], threading.Event(), embeds=False)
    list(run.run(store, datetime.now(UTC) - timedelta(hours=2), datetime.now(UTC)))
    assert rates(client) == [{"other": before["other"]}]
    assert len(set(one.seen)) == 700 > len(set(other.seen))
