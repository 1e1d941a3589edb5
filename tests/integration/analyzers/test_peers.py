"""Answers of the store as evidence: within a round, after a restart, and never across services."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

from clickhouse_connect.driver.client import Client

from analyzers.config import AnalyzersSection
from analyzers.scorers.consistency import create
from analyzers.scoring import ScoringJob
from analyzers.store import AnalyzerStore
from leewatch.contracts import PluginOptions
from leewatch.testing.encoder import HashingEncoder

AddSpans = Callable[..., list[str]]
ASKED = "How long does a refund take to reach my card?"
ANSWER = "It takes five working days."


def round_(client: Client) -> None:
    """One run of a new job: nothing is remembered from the last one."""
    scorer = create(PluginOptions({}))
    section = AnalyzersSection(content_wait_seconds=0)
    ScoringJob(section, HashingEncoder(), [scorer], lambda: datetime.now(UTC), threading.Event()).run(
        AnalyzerStore(client)
    )


def scores(client: Client, traces: list[str]) -> list[tuple[float | None, str]]:
    found = client.query(
        "SELECT trace_id, value, reason FROM scores WHERE name = 'response.consistency' AND trace_id IN {t:Array(String)}",
        parameters={"t": traces},
    ).result_rows
    by_trace = {trace: (value, reason) for trace, value, reason in found}
    return [by_trace[trace] for trace in traces]


def test_an_answer_is_judged_by_others_of_its_round_and_of_earlier_ones(client: Client, add_spans: AddSpans) -> None:
    first = add_spans([(ASKED, ANSWER)] * 4)
    round_(client)
    assert all(value is not None and value < 0.5 for value, _ in scores(client, first))
    later = add_spans([(ASKED, "Elephants sleep standing in Kenya.")])
    round_(client)
    ((apart, _),) = scores(client, later)
    assert apart is not None
    assert apart > 0.5


def test_without_other_answers_there_is_no_evidence(client: Client, add_spans: AddSpans) -> None:
    lone = add_spans([(ASKED, ANSWER), ("Where is Paris?", "In France.")])
    round_(client)
    assert [(value, reason[:13]) for value, reason in scores(client, lone)] == [(None, "no evidence: "[:13])] * 2
