"""The job `topics` against a real store."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from clickhouse_connect.driver.client import Client

from analyzers.config import AnalyzersSection, TopicsSection
from analyzers.scoring import ScoringJob
from analyzers.store import AnalyzerStore
from analyzers.topics.job import TopicsJob
from leewatch.testing.clock import FixedClock
from leewatch.testing.encoder import HashingEncoder

AddSpans = Callable[..., list[str]]
ENCODER = HashingEncoder(64)
THEMES = {
    "money": ["billing", "invoice", "refund", "payment", "charge", "card", "bank", "receipt"],
    "travel": ["flight", "hotel", "beach", "airport", "luggage", "passport", "island", "cruise"],
    "plants": ["garden", "flower", "watering", "seeds", "soil", "roots", "compost", "leaves"],
    "music": ["guitar", "melody", "drums", "concert", "singer", "piano", "rhythm", "chorus"],
}
DAY = timedelta(days=1)


def calls(theme: str, count: int, rng: np.random.Generator) -> list[tuple[str, str]]:
    """Prompts of four words of a theme."""
    return [(" ".join(rng.choice(THEMES[theme], 4)), "sure, done") for _ in range(count)]


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)


@pytest.fixture
def follow(client: Client) -> Callable[..., None]:
    """Embeds what is there and runs a round at `at`; one job for all rounds, unless `restart`."""
    stop = threading.Event()
    store = AnalyzerStore(client)
    jobs: list[TopicsJob] = []

    def run(at: datetime, restart: bool = False, **options: object) -> None:
        ScoringJob(AnalyzersSection(), ENCODER, [], FixedClock(datetime.now(UTC) + timedelta(seconds=1)), stop).run(
            store
        )
        section = TopicsSection.model_validate(options)
        if restart or not jobs:
            jobs.append(TopicsJob(section, ENCODER.model, FixedClock(at), stop))
        jobs[-1]._clock = FixedClock(at)
        jobs[-1].run(store)

    return run


def ids(client: Client, word: str) -> dict[int, int]:
    """Calls by topic among those whose prompt holds a word of a theme."""
    found = client.query(
        "SELECT topic_id, count() FROM span_topics FINAL INNER JOIN llm_content USING (trace_id, span_id) "
        "WHERE arrayExists(w -> position(assumeNotNull(prompt_text), w) > 0, {words:Array(String)}) GROUP BY topic_id",
        parameters={"words": THEMES[word]},
    )
    return {int(topic): int(count) for topic, count in found.result_rows}


def test_few_prompts_have_no_topics(
    client: Client, add_spans: AddSpans, follow: Callable[..., None], now: datetime
) -> None:
    add_spans(calls("money", 150, np.random.default_rng(0)), start=now - DAY)
    follow(now)
    assert client.query("SELECT count() FROM topics").result_rows == [(0,)]
    assert client.query("SELECT count() FROM span_topics").result_rows == [(0,)]


def test_every_prompt_gets_its_topic_once_and_topics_are_labelled(
    client: Client, add_spans: AddSpans, follow: Callable[..., None], now: datetime
) -> None:
    rng = np.random.default_rng(1)
    texts = [*calls("money", 120, rng), *calls("travel", 120, rng), *calls("plants", 120, rng)]
    texts = [(f"{prompt} jane@example.com", answer) for prompt, answer in texts]
    add_spans(texts, start=now - DAY)
    add_spans(calls("money", 90, rng), service="small", start=now - DAY)
    follow(now)
    topics = client.query("SELECT topic_id, label, examples FROM topics FINAL WHERE topic_id > 0").result_rows
    assert len(topics) >= 3
    for _, label, examples in topics:
        assert sum(any(word in label for word in words) for words in THEMES.values()) == 1
        assert "example.com" not in " ".join([label, *examples])
        assert "[EMAIL]" in examples[0]
    assert client.query("SELECT count(), uniq(span_id), uniq(service) FROM span_topics").result_rows == [(360, 360, 1)]
    for theme in ("money", "travel", "plants"):
        own = ids(client, theme)
        others = {topic for other in ("money", "travel", "plants") if other != theme for topic in ids(client, other)}
        assert sum(count for topic, count in own.items() if topic not in others - {0}) >= 114
    add_spans(calls("travel", 20, rng), start=now)
    follow(now + timedelta(minutes=5))
    follow(now + timedelta(minutes=6), restart=True)
    assert client.query("SELECT count(), uniq(span_id) FROM span_topics").result_rows == [(380, 380)]


def test_a_topic_keeps_its_id_a_new_one_gets_its_own_and_a_vanished_one_comes_back(
    client: Client, add_spans: AddSpans, follow: Callable[..., None], now: datetime
) -> None:
    rng = np.random.default_rng(2)
    first = now - 6 * DAY
    add_spans([*calls("money", 150, rng), *calls("travel", 150, rng)], start=first - timedelta(hours=2))
    follow(first)
    money, travel = set(ids(client, "money")), set(ids(client, "travel"))
    assert not money & travel - {0}
    # The next day music is new, and nobody asks of travel.
    add_spans([*calls("money", 150, rng), *calls("music", 60, rng)], start=first + timedelta(hours=1))
    follow(first + timedelta(hours=2))
    follow(first + DAY)
    music = ids(client, "music")
    best = max(music, key=lambda topic: music[topic] if topic else 0)
    assert best not in money | travel
    assert music[best] >= 40
    retired = client.query("SELECT topic_id FROM topics FINAL WHERE retired").result_rows
    assert {topic for (topic,) in retired} <= travel
    assert retired
    add_spans([*calls("money", 150, rng), *calls("travel", 90, rng)], start=first + DAY + timedelta(hours=1))
    follow(first + DAY + timedelta(hours=2), restart=True)
    follow(first + 2 * DAY + timedelta(minutes=1))
    back = client.query("SELECT topic_id FROM topics FINAL WHERE NOT retired AND topic_id > 0").result_rows
    assert {topic for (topic,) in retired} <= {topic for (topic,) in back}
    assert sum(ids(client, "travel").get(topic, 0) for topic in travel - {0}) >= 220
