"""`leewatch judge` against a real store."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from analyzers.cli import judge as command
from analyzers.scorers.judge.ledger import Ledger
from leewatch.config import Settings, load
from leewatch.errors import InputError

JUDGE = {"kind": "judge", "base_url": "http://127.0.0.1:9/v1", "model": "gpt-4o-mini", "rubric": "toxicity"}


@pytest.fixture
def settings(database: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The same store, with a judge in the configuration; commands read it."""
    overrides = {"store": {"port": database.store.port}, "analyzers": {"scorers": {"rude": JUDGE}}}
    loaded = load(data=database.data, environment={}, overrides=overrides)
    monkeypatch.setattr(command.config, "load", lambda: loaded)
    return loaded


def add_scores(client: Client, name: str, values: list[float | None], weight: float = 1.0) -> None:
    now = datetime.now(UTC)
    rows = [
        [
            "default",
            "bot",
            now,
            f"{number // 2:032x}",
            f"{number:016x}",
            name,
            value,
            weight if value is not None else 0.0,
        ]
        for number, value in enumerate(values)
    ]
    client.insert(
        "scores", rows, column_names=["project", "service", "ts", "trace_id", "span_id", "name", "value", "weight"]
    )


def test_agreement_is_that_of_the_spans_with_both_scores(
    client: Client, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    add_scores(client, "response.rude", [1.0, 1.0, 0.0, 0.0, None] * 20, weight=20.0)
    add_scores(client, "response.toxicity", [0.9, 0.1, 0.1, 0.1, 0.9] * 20)
    add_scores(client, "response.other", [0.9] * 10)
    command.agree(threshold=0.5, as_json=True)
    found = {one["with"]: one for one in json.loads(capsys.readouterr().out)}
    one = found["response.toxicity"]
    # Of 80 spans the judge flags 40 and the scorer 20 of those: observed 0.75, by chance 0.5 * 0.25 + 0.5 * 0.75 = 0.5
    assert (one["n"], one["judged"], one["flagged"]) == (80, 0.5, 0.25)
    assert one["kappa"]["value"] == pytest.approx(0.5)
    assert one["kappa"]["low"] < 0.5 < one["kappa"]["high"]
    assert one["auroc"]["value"] == pytest.approx(0.75)
    assert found["response.other"]["n"] == 8


def test_nothing_in_common_is_said(client: Client, settings: Settings) -> None:
    add_scores(client, "response.rude", [1.0, 0.0])
    with pytest.raises(InputError, match=r"no span since .* has response\.rude and response\.toxicity"):
        command.agree(other="response.toxicity", threshold=0.5)


def test_a_judge_must_be_named_where_there_is_none(database: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.config, "load", lambda: database)
    with pytest.raises(InputError, match="name one with --judge"):
        command.agree()


def test_status_tells_what_was_spent(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = Ledger(settings.data)
    reserved = ledger.reserve("rude", 0.5, 1.0)
    assert reserved is not None
    ledger.settle("rude", reserved, 0.25, 100, 20)
    ledger.close()
    command.status(as_json=True)
    [row] = json.loads(capsys.readouterr().out)
    assert (row["judge"], row["usd"], row["budget_usd"], row["calls"]) == ("rude", 0.25, 1.0, 1)
    command.status(as_json=False)
    assert "0.2500" in capsys.readouterr().out
    assert not Path("judge.sqlite").exists()
