"""The whole story of an alarm, from rows to words."""

from __future__ import annotations

import numpy as np
import pytest

from analyzers.clusters import explain
from analyzers.explanation.story import Pairs, as_json, tell, words

DIMENSIONS = 24
TOPICS = np.linalg.qr(np.random.default_rng(5).normal(size=(DIMENSIONS, DIMENSIONS)))[0][:20]
NEW = 19


def texts(topics: np.ndarray, seed: int) -> np.ndarray:
    found = TOPICS[topics] + np.random.default_rng(seed).normal(0, 0.12, (len(topics), DIMENSIONS))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def recent(bins: int, change: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """200 rows an hour; from bin `change` on, `share` of them are of the new topic."""
    rng = np.random.default_rng(3)
    hours = np.repeat(np.arange(bins, dtype=float) + 480_000, 200)
    topics = rng.integers(0, NEW, len(hours))
    topics[(hours >= 480_000 + change) & (rng.random(len(hours)) < share)] = NEW
    return hours, texts(topics, 4)


def test_a_new_topic_in_one_model_since_five_hours() -> None:
    rng = np.random.default_rng(0)
    before, now = rng.integers(0, NEW, 2000), rng.integers(0, NEW, 1000)
    model = rng.choice(["small", "large"], 3000)
    now[(model[:1000] == "small") & (rng.random(1000) < 0.3)] = NEW
    movement = explain(texts(before, 1), texts(now, 2), ["order status"] * 2000, ["refund please"] * 1000, 0)
    story = tell("prompt", movement, {"model": model.tolist()}, recent(40, 35, 0.15), None, 0)
    assert [(one.dimension, one.value, one.how) for one in story.segments] == [("model", "small", "within")]
    assert story.since == (480_035, 480_035, 480_035)
    assert story.beginning is not None
    assert story.beginning.shape == "sudden"
    assert words(story, "prompt").endswith("most of it in model = small. What is asked changed")
    told = as_json(story)
    assert told["began"]["hour"] == 480_035
    assert told["segments"][0]["value"] == "small"


@pytest.mark.parametrize(("changed", "origin"), [(True, "output"), (False, "input")])
def test_answers_that_follow_their_prompts_are_told_from_answers_that_changed(changed: bool, origin: str) -> None:
    rng = np.random.default_rng(1)
    asked = np.concatenate([rng.integers(0, 4, 400), rng.integers(0 if changed else 2, 4, 400)])
    current = np.arange(800) >= 400
    answered = np.where(current & changed, asked + 4, asked)
    pairs = Pairs(texts(asked, 2), texts(answered, 3), current, np.arange(800))
    movement = explain(texts(answered[:400], 4), texts(answered[400:], 5), [""] * 400, [""] * 400, 0)
    story = tell("response", movement, {}, (np.zeros(0), np.zeros((0, DIMENSIONS), dtype=np.float32)), pairs, 0)
    assert story.origin == origin
    assert story.beginning is None


def test_a_language_that_grew_is_a_change_of_mix() -> None:
    rng = np.random.default_rng(2)
    language = np.concatenate(
        [np.where(rng.random(1000) < 0.4, "de", "en"), np.where(rng.random(2000) < 0.1, "de", "en")]
    )
    topics = np.where(language == "de", rng.integers(0, 4, 3000), rng.integers(4, NEW, 3000))
    movement = explain(texts(topics[1000:], 1), texts(topics[:1000], 2), [""] * 2000, [""] * 1000, 0)
    story = tell("prompt", movement, {"language": language.tolist()}, recent(2, 0, 0.0), None, 0)
    assert story.origin == "mix"
    assert "because there is more language = de" in words(story, "prompt")


def test_no_topic_that_moved_tells_no_story() -> None:
    rng = np.random.default_rng(3)
    same = [texts(rng.integers(0, NEW, n), n) for n in (1000, 500)]
    movement = explain(same[0], same[1], [""] * 1000, [""] * 500, 0)
    story = tell("prompt", movement, {"model": ["a", "b"] * 750}, recent(30, 99, 0.0), None, 0)
    assert (story.segments, story.beginning, words(story, "prompt")) == ((), None, "")
