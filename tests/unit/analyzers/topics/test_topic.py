"""What becomes of topics: ids, labels, retirement and return; and when they are fitted again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from analyzers.config import TopicsSection
from analyzers.topics.job import Followed, due
from analyzers.topics.topic import Topic, Topics, found, labelled, refitted
from leewatch.contracts import Vectors

START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MONTH = timedelta(days=30)


def texts(seed: int, **counts: int) -> Vectors:
    """Unit vectors around axes: `texts(0, a3=50)` are fifty around axis 3."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(0, 0.12, (sum(counts.values()), 24))
    rows[np.arange(len(rows)), np.repeat([int(name[1:]) for name in counts], list(counts.values()))] += 1.0
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def at(topics: Topics, axis: int) -> Topic:
    """The topic around an axis."""
    return max(topics.placed, key=lambda topic: float(topic.centroid[axis]))


@pytest.fixture
def known() -> Topics:
    return found(texts(0, a0=100, a1=100, a2=100), 40, 0, START, 0)


def test_ids_start_after_the_last_one_ever_given(known: Topics) -> None:
    assert [topic.id for topic in known.topics] == [1, 2, 3]
    assert [topic.id for topic in found(texts(0, a0=100, a1=100, a2=100), 40, 9, START, 0).topics] == [10, 11, 12]


def test_a_vanished_topic_is_retired_and_comes_back_under_its_id(known: Topics) -> None:
    gone = at(known, 2).id
    later = refitted(known, texts(1, a0=100, a1=100, a2=100), texts(2, a0=60, a1=60), 40, MONTH, START + DAY, 0)
    assert {topic.id for topic in later.topics if topic.retired} == {gone}
    assert at(later, 2).last_seen == START
    back = refitted(later, texts(3, a0=100, a1=100), texts(4, a0=60, a1=60, a2=60), 40, MONTH, START + 2 * DAY, 0)
    assert at(back, 2).id == gone
    assert not any(topic.retired for topic in back.topics)
    assert back.last_id == 3


def test_a_topic_that_nobody_asks_of_for_long_is_forgotten(known: Topics) -> None:
    gone = at(known, 2).id
    later = replace(known, topics=tuple(replace(topic, examples=("a text",)) for topic in known.topics))
    for day in (1, 20, 40):
        later = refitted(
            later, texts(day, a0=100, a1=100), texts(day + 1, a0=60, a1=60), 40, MONTH, START + day * DAY, 0
        )
    assert gone not in {topic.id for topic in later.placed}
    closed = next(topic for topic in later.topics if topic.id == gone)
    assert closed.retired
    assert closed.examples == ()
    returned = texts(8, a0=60, a1=60, a2=60)
    back = refitted(later, texts(7, a0=100, a1=100), returned, 40, MONTH, START + 41 * DAY, 0)
    assert at(back, 2).id == 4


def test_a_new_topic_takes_no_known_id(known: Topics) -> None:
    newer = texts(2, a0=60, a1=60, a2=60, a9=40)
    later = refitted(known, texts(1, a0=100, a1=100, a2=100), newer, 40, MONTH, START + DAY, 0)
    assert at(later, 9).id == 4
    assert [at(later, axis).id for axis in range(3)] == [at(known, axis).id for axis in range(3)]


def test_retired_topics_leave_their_room_to_new_ones(known: Topics) -> None:
    older = texts(1, a0=100, a1=100, a2=100)
    full = refitted(known, older, texts(2, a0=60, a1=60, a2=60, a9=40), 3, MONTH, START + DAY, 0)
    assert len(full.placed) == 3
    quiet = refitted(known, older, texts(2, a0=60, a1=60), 3, MONTH, START + DAY, 0)
    later = refitted(quiet, texts(3, a0=100, a1=100), texts(4, a0=60, a1=60, a9=40), 3, MONTH, START + 2 * DAY, 0)
    assert at(later, 9).id == 4


def test_a_label_stays_while_two_of_its_words_still_tell_the_topic(known: Topics) -> None:
    first = labelled(known.topics[0], ("refund", "invoice", "card", "bank"), ("a", "b"))
    assert first.label == "refund, invoice, card"
    again = labelled(first, ("bank", "card", "invoice", "charge"), ())
    assert (again.label, again.keywords[0], again.examples) == ("refund, invoice, card", "bank", ("a", "b"))
    assert labelled(again, ("bank", "loan", "card", "interest"), ()).label == "bank, loan, card"
    assert labelled(replace(first, label="topic 1"), (), ()).label == "topic 1"


def followed(known: Topics, **values: int) -> Followed:
    return Followed(replace(known, without=0.02, rows=1000), 3, **values)


@pytest.mark.parametrize(
    ("assigned", "without", "hours", "expected"),
    [
        (5000, 50, 2, "no"),
        (1, 0, 24, "next"),
        (0, 0, 48, "no"),  # no prompt since
        (400, 60, 2, "next"),  # 15 % belong to no topic: above 2 x 2 % + 5 %
        (400, 30, 2, "no"),
        (400, 60, 0.5, "no"),  # too soon
        (100, 60, 2, "no"),  # too few to tell
        (3000, 0, 2, "no"),
    ],
)
def test_topics_are_fitted_daily_or_when_they_no_longer_fit(
    known: Topics, assigned: int, without: int, hours: float, expected: str
) -> None:
    state = followed(replace(known), assigned=assigned, without=without)
    assert state.topics is not None
    state.topics = replace(state.topics, rows=6000)
    assert due(state, 0, START + timedelta(hours=hours), TopicsSection()) == expected


def test_a_small_fit_is_repeated_once_there_is_three_times_as_much(known: Topics) -> None:
    now = START + timedelta(hours=2)
    assert due(followed(known, assigned=2999), 0, now, TopicsSection()) == "no"
    assert due(followed(known, assigned=3000), 0, now, TopicsSection()) == "next"


def test_few_prompts_are_not_grouped() -> None:
    assert due(Followed(None, 0), 199, START, TopicsSection()) == "no"
    assert due(Followed(None, 0), 200, START, TopicsSection()) == "first"
