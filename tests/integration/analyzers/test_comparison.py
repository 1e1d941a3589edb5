"""`leewatch compare` against a real store."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import typer
from clickhouse_connect.driver.client import Client
from typer.testing import CliRunner

from analyzers.cli.compare import compare
from analyzers.comparison.stored import groups, selector
from analyzers.model_files import DEFAULT_MODEL
from analyzers.store import AnalyzerStore
from leewatch import config
from leewatch.config import Settings
from leewatch.errors import InputError

SPANS = (
    "project", "service", "ts", "trace_id", "span_id", "kind", "model", "variant", "metadata", "status", "duration_ms",
    "output_tokens", "finish_reason", "prompt_preview", "prompt_length", "session_id", "ingested_at",
)  # fmt: skip
SCORES = (
    "project", "service", "ts", "target", "trace_id", "span_id", "name", "value", "source", "scorer", "version", "weight",
)  # fmt: skip
VECTORS = ("project", "service", "field", "model", "ts", "trace_id", "span_id", "vector")
START = datetime.now(UTC) - timedelta(hours=1)


@pytest.fixture
def traffic(client: Client) -> Client:
    """400 calls of variant a and 400 of b. Hard prompts are answered with toxicity 0.6, easy ones with 0.1, by both;
    b is asked more hard ones, takes twice as long, and fails in a fifth of the calls. b's scores are a half sample."""
    rng = np.random.default_rng(3)
    spans: list[list[Any]] = []
    scores: list[list[Any]] = []
    vectors: list[list[Any]] = []
    for i in range(800):
        variant, hard = "ab"[i >= 400], bool(rng.random() < (0.3 if i < 400 else 0.7))
        trace, span, ts = f"{i + 1:032x}", f"{i + 1:016x}", START + timedelta(seconds=i)
        slow = 2.0 if variant == "b" else 1.0
        failed = variant == "b" and i % 5 == 0
        spans.append([
            "default", "shop", ts, trace, span, "llm", f"model-{variant}", variant, {"tier": variant.upper()},
            "ERROR" if failed else "OK", slow * float(rng.lognormal(5, 0.3)), 20, ["stop"], f"question {i}", 10, "", ts,
        ])  # fmt: skip
        if variant == "a" or i % 2:
            toxicity = (0.6 if hard else 0.1) + float(rng.normal(0, 0.05))
            weight = 1.0 if variant == "a" else 2.0
            scores.append([
                "default", "shop", ts, "span", trace, span, "response.toxicity", toxicity, "scorer", "toxicity", "1",
                weight,
            ])  # fmt: skip
        vector = np.eye(8)[int(hard)] + rng.normal(0, 0.02, 8)
        vectors.append(
            ["default", "shop", "prompt", DEFAULT_MODEL, ts, trace, span, vector.astype(np.float32).tolist()]
        )
    client.insert("llm_spans", spans, column_names=list(SPANS))
    client.insert("scores", scores, column_names=list(SCORES))
    client.insert("embeddings", vectors, column_names=list(VECTORS))
    return client


def run(database: Settings, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, Any]:
    monkeypatch.setattr(config, "load", lambda: database)
    app = typer.Typer()
    app.command()(compare)
    found = CliRunner().invoke(app, [*arguments, "--json"])
    if found.exception and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.exit_code, json.loads(found.stdout)


def test_two_variants_are_compared_at_one_mix_of_prompts(
    traffic: Client, database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, found = run(database, monkeypatch, "--a", "variant=a", "--b", "variant=b", "--where", "service=shop")
    lines = {line["name"]: line for line in found["measures"]}
    assert (code, found["n_a"], found["n_b"], found["matched_by"]) == (0, 400, 400, "cluster")
    assert found["prompt_mix_distance"] > 0.3
    toxicity = lines["response.toxicity"]
    assert toxicity["raw"] > 0.15
    assert abs(toxicity["change"]) < 0.02
    assert toxicity["verdict"] == ""
    assert lines["duration_ms"]["verdict"] == "worse"
    assert lines["duration_ms"]["change"] == pytest.approx(2.0, rel=0.1)
    assert lines["error_rate"]["verdict"] == "worse"
    assert lines["error_rate"]["b"] == pytest.approx(0.2, abs=0.03)
    assert lines["output_tokens"]["verdict"] == ""


def test_the_gate_decides_the_exit_code(traffic: Client, database: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    sides = ("--a", "model=model-a", "--b", "metadata.tier=B")
    assert run(database, monkeypatch, *sides, "--fail-on", "duration_ms > 50%")[0] == 1
    assert run(database, monkeypatch, *sides, "--fail-on", "response.toxicity > 0.1")[0] == 0
    open_ = ("--fail-on", "response.toxicity > 0.001")
    assert run(database, monkeypatch, *sides, *open_)[0] == 0
    assert run(database, monkeypatch, *sides, *open_, "--strict")[0] == 1


@pytest.mark.parametrize(
    ("a", "b", "fault"),
    [
        ("variant=a", "variant=c", "--b 'variant=c' chooses no call between"),
        ("variant=a", "service=shop", "400 calls belong to both groups"),
    ],
)
def test_groups_that_are_empty_or_overlap_are_refused(traffic: Client, a: str, b: str, fault: str) -> None:
    store = AnalyzerStore(traffic)
    with pytest.raises(InputError, match=fault):
        groups(
            store, selector(a, "--a"), selector(b, "--b"), None, START - timedelta(days=1), datetime.now(UTC),
            DEFAULT_MODEL,
        )  # fmt: skip
