"""The job `drift` against a real store."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import typer
from clickhouse_connect.driver.client import Client
from typer.testing import CliRunner

from analyzers.cli.drift import drift
from analyzers.config import AnalyzersSection, DriftSection
from analyzers.drift.between import between
from analyzers.drift.job import DriftJob
from analyzers.drift.records import Series
from analyzers.model_files import DEFAULT_MODEL
from analyzers.scoring import ScoringJob
from analyzers.store import AnalyzerStore
from analyzers.windows import Window, aligned
from leewatch import config
from leewatch.config import Settings
from leewatch.errors import InputError
from leewatch.testing.clock import FixedClock
from leewatch.testing.encoder import HashingEncoder

AddSpans = Callable[..., list[str]]
WINDOW = 60
ENCODER = HashingEncoder(32)
BILLING = ["billing", "invoice", "refund", "payment", "charge", "card", "bank", "receipt"]
TRAVEL = ["flight", "hotel", "beach", "airport", "luggage", "passport", "island", "cruise"]


def sentences(words: list[str], count: int, rng: np.random.Generator) -> list[tuple[str, str]]:
    return [(" ".join(rng.choice(words, 4)), "sure, done") for _ in range(count)]


@pytest.fixture
def now() -> datetime:
    return aligned(datetime.now(UTC), WINDOW)


def analyze(client: Client, now: datetime, **options: object) -> None:
    """Scores and tests as the role would at `now`, with windows of a minute."""
    stop = threading.Event()
    store = AnalyzerStore(client)
    clock = FixedClock(now + timedelta(seconds=1))
    # The spans came in just now, whatever their event time.
    ScoringJob(AnalyzersSection(), ENCODER, [], FixedClock(datetime.now(UTC) + timedelta(seconds=1)), stop).run(store)
    section = DriftSection.model_validate(
        {
            "window_seconds": WINDOW,
            "lateness_seconds": 0,
            "min_window": 50,
            "min_reference": 200,
            **options,
        }
    )
    DriftJob(section, ENCODER.model, clock, stop).run(store)


def baseline(add_spans: AddSpans, now: datetime, rng: np.random.Generator, service: str = "bot") -> None:
    """Four healthy minutes before `now`, 100 calls each."""
    for minute in range(4, 0, -1):
        calls = sentences(BILLING, 100, rng)
        durations = rng.gamma(4, 50, 100).tolist()
        models = ["large", "small"] * 50
        add_spans(calls, service, now - timedelta(minutes=minute), 0.5, durations=durations, models=models)


def test_healthy_traffic_is_tested_and_not_flagged(client: Client, add_spans: AddSpans, now: datetime) -> None:
    baseline(add_spans, now, np.random.default_rng(1))
    analyze(client, now)
    tested = client.query(
        "SELECT kind, countIf(method != 'skipped'), countIf(drifted) FROM drift_results GROUP BY kind ORDER BY kind"
    ).result_rows
    assert tested[0][0] == "embedding"
    assert tested[0][1] >= 2
    assert tested[1][0] == "tabular"
    assert tested[1][1] >= 2
    assert all(flagged == 0 for _, _, flagged in tested)


def test_a_new_topic_is_found_named_and_shown(client: Client, add_spans: AddSpans, now: datetime) -> None:
    rng = np.random.default_rng(2)
    baseline(add_spans, now - timedelta(minutes=1), rng)
    calls = sentences(BILLING, 60, rng) + [
        (f"{text} me@example.com", answer) for text, answer in sentences(TRAVEL, 40, rng)
    ]
    models = ["large"] * 50 + ["small"] * 50
    add_spans(calls, "bot", now - timedelta(minutes=1), 0.5, durations=rng.gamma(4, 50, 100).tolist(), models=models)
    analyze(client, now)
    rows = client.query(
        "SELECT window_end, p_value, threshold, effect, effect_text, clusters, details FROM drift_results FINAL "
        "WHERE drifted AND field = 'prompt'"
    ).result_rows
    assert len(rows) == 1
    window_end, p_value, threshold, effect, text, clusters, details = rows[0]
    assert window_end.replace(tzinfo=UTC) == now
    assert p_value <= threshold == pytest.approx(1 / (3 * 30 * 86400 / WINDOW))
    assert 0.2 <= effect <= 0.6
    assert "of prompts now come from topics that made up" in text
    assert text.endswith("most of it in model = small. What is asked changed")
    told = json.loads(details)
    assert [(one["key"], one["value"]) for one in told["segments"]] == [("model", "small")]
    assert told["began"]["hour"] * 3600 == pytest.approx((now - timedelta(minutes=1)).timestamp(), abs=1e-3)
    assert told["answers_given_prompts"]["p_value"] > 0.01
    labels = " ".join(cluster["label"] for cluster in json.loads(clusters))
    assert any(word in labels for word in TRAVEL)
    assert "me@example.com" not in clusters
    assert "[EMAIL]" in clusters


def test_slower_answers_are_found_and_reported(client: Client, add_spans: AddSpans, now: datetime) -> None:
    rng = np.random.default_rng(3)
    baseline(add_spans, now - timedelta(minutes=1), rng)
    durations = (rng.gamma(4, 50, 100) * 3).tolist()
    add_spans(sentences(BILLING, 100, rng), "bot", now - timedelta(minutes=1), 0.5, durations=durations)
    analyze(client, now)
    rows = client.query("SELECT field, method, effect_text FROM drift_results FINAL WHERE drifted").result_rows
    assert [(field, method) for field, method, _ in rows] == [("duration_ms", "evidently[ks]")]
    assert rows[0][2].startswith("duration_ms: median ")
    [(html,)] = client.query("SELECT html FROM drift_reports").result_rows
    assert "duration_ms" in html


def test_each_window_is_decided_once(client: Client, add_spans: AddSpans, now: datetime) -> None:
    baseline(add_spans, now, np.random.default_rng(4))
    analyze(client, now)
    [(decisions,)] = client.query("SELECT count() FROM drift_results").result_rows
    assert decisions > 0
    analyze(client, now)
    assert client.query("SELECT count() FROM drift_results").result_rows == [(decisions,)]


def test_too_few_rows_are_recorded_with_the_reason(client: Client, add_spans: AddSpans, now: datetime) -> None:
    add_spans(sentences(BILLING, 60, np.random.default_rng(5)), "bot", now - timedelta(minutes=2), 0.5)
    analyze(client, now, tabular=False)
    rows = client.query("SELECT DISTINCT method, JSONExtractString(details, 'reason') FROM drift_results").result_rows
    assert rows == [("skipped", "reference has 0 rows, 200 needed")]


def test_a_pinned_baseline_stays_the_reference_of_all_that_comes_after_it(
    client: Client, add_spans: AddSpans, now: datetime
) -> None:
    rng = np.random.default_rng(6)
    began = now - timedelta(minutes=5)
    baseline(add_spans, began, rng)
    for minute in range(5):
        add_spans(sentences(TRAVEL, 60, rng), "bot", began + timedelta(minutes=minute), 0.5)
    pin = {"service": "bot", "since": (began - timedelta(minutes=4)).isoformat(), "until": began.isoformat()}
    options = {"tabular": False, "fields": ["prompt"], "baselines": [pin]}
    analyze(client, now - timedelta(minutes=1), **options)
    analyze(client, now, **options)  # by another process: its map and sums are those that are stored
    rows = client.query(
        "SELECT drifted, n_reference, reference_end FROM drift_results FINAL WHERE window_end > {began:DateTime64(3)} "
        "ORDER BY window_end",
        parameters={"began": began},
    ).result_rows
    assert [(drifted, end.replace(tzinfo=UTC)) for drifted, _, end in rows] == [(True, began)] * 5
    assert [count for _, count, _ in rows] == [300, 400, 400, 400, 400]  # the first is pooled with the one before it
    [(maps,)] = client.query(
        "SELECT count() FROM drift_maps FINAL WHERE fitted_until = {began:DateTime64(3)}", parameters={"began": began}
    ).result_rows
    assert maps == 1


def test_two_spans_of_stored_calls_are_compared_on_demand(
    client: Client, add_spans: AddSpans, now: datetime, database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(7)
    monkeypatch.setattr(config, "load", lambda: database)
    baseline(add_spans, now - timedelta(minutes=2), rng)
    add_spans(sentences(BILLING, 120, rng), "bot", now - timedelta(minutes=2), 0.4)
    mixed = sentences(BILLING, 80, rng) + [
        (f"{text} me@example.com", answer) for text, answer in sentences(TRAVEL, 40, rng)
    ]
    add_spans(mixed, "bot", now - timedelta(minutes=1), 0.4)
    add_spans(sentences(TRAVEL, 10, rng), "other", now - timedelta(minutes=1))
    ScoringJob(AnalyzersSection(), ENCODER, [], FixedClock(datetime.now(UTC)), threading.Event()).run(
        AnalyzerStore(client)
    )
    client.command(f"INSERT INTO embeddings SELECT * REPLACE('{DEFAULT_MODEL}' AS model) FROM embeddings")
    app = typer.Typer()
    app.command()(drift)

    def compared(first: int, last: int, *more: str) -> typer.testing.Result:
        span = f"{(now - timedelta(minutes=first)).isoformat()}..{(now - timedelta(minutes=last)).isoformat()}"
        past = f"{(now - timedelta(minutes=6)).isoformat()}..{(now - timedelta(minutes=2)).isoformat()}"
        return CliRunner().invoke(app, ["--reference", past, "--current", span, "--json", *more])

    healthy, moved = (json.loads(compared(*span, "--service", "bot").stdout) for span in ((2, 1), (1, 0)))
    assert not healthy["drifted"]
    assert (healthy["n_reference"], healthy["n_current"]) == (400, 120)
    assert moved["drifted"]
    assert "of prompts now come from topics that made up" in moved["effect_text"]
    assert any(word in moved["clusters"][0]["label"] for word in TRAVEL)
    assert "me@example.com" not in json.dumps(moved)
    assert client.query("SELECT count() FROM drift_maps").result_rows == [(0,)]
    for arguments, fault in (
        ((1, 0), "say which --service; project 'default' has bot, other"),
        ((2, 1, "--service", "bots"), "--service 'bots': no embedded prompts"),
        ((5, 1, "--service", "bot"), "--reference and --current overlap"),
        ((1, 0, "--service", "other"), "has 0 embedded texts, drift.min_reference asks for 300"),
        ((2, 1, "--service", "bot", "--field", "text"), "stored calls have prompt and response"),
    ):
        found = compared(*arguments)  # type: ignore[arg-type]
        assert isinstance(found.exception, InputError)
        assert fault in str(found.exception)


def test_a_history_too_thin_for_any_window_is_a_reference_all_the_same(
    client: Client, add_spans: AddSpans, now: datetime
) -> None:
    rng = np.random.default_rng(8)
    add_spans(sentences(BILLING, 240, rng), "bot", now - timedelta(minutes=62), 15)  # four a minute
    add_spans(sentences(BILLING, 60, rng), "bot", now - timedelta(minutes=1), 0.5)
    analyze(client, now, tabular=False, fields=["prompt"])
    analyze(client, now + timedelta(minutes=1), tabular=False, fields=["prompt"])
    [(error,)] = client.query("SELECT error FROM progress FINAL WHERE name = 'drift'").result_rows
    assert error == ""
    [(windows,)] = client.query("SELECT count() FROM drift_windows FINAL WHERE rows >= 60").result_rows
    assert windows >= 1
    section = DriftSection(window_seconds=WINDOW, min_window=50, min_reference=200)
    spans = Window(now - timedelta(minutes=62), now - timedelta(minutes=2)), Window(now - timedelta(minutes=1), now)
    with pytest.raises(InputError, match=r"^--reference .* no window of 60 s with 5 embedded texts"):
        between(AnalyzerStore(client), ENCODER.model, section, Series("default", "bot", "prompt"), spans, 0.01)
