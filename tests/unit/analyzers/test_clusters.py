from __future__ import annotations

import numpy as np
import pytest

from analyzers.clusters import Movement, describe, explain, keywords, percent
from leewatch.schema import Cluster


def test_keywords_tell_the_topics_apart() -> None:
    texts = [
        "refund my invoice today",
        "invoice refund please today",
        "book a flight today",
        "flight to an island today",
    ]
    labels = keywords(texts, np.array([0, 0, 1, 1]))
    assert set(labels[0].split(", ")[:2]) == {"refund", "invoice"}
    assert labels[1].startswith("flight")


def test_texts_without_words_have_no_keywords() -> None:
    assert keywords(["1 2 3", "", "??"], np.array([0, 0, 1])) == {}


def test_a_new_topic_is_explained_with_redacted_examples() -> None:
    rng = np.random.default_rng(0)
    old = rng.normal([1, 0, 0], 0.05, (380, 3)).astype(np.float32)
    new = rng.normal([0, 1, 0], 0.05, (20, 3)).astype(np.float32)
    texts = [f"mail jane{n}@example.com a refund" for n in range(20)]
    current, current_texts = np.concatenate([new, old[300:]]), [*texts, *["reset password"] * 80]
    movement = explain(old[:300], current, ["reset password"] * 300, current_texts, 0)
    assert movement.effect == pytest.approx(0.2, abs=0.05)
    grown = max(movement.clusters, key=lambda cluster: cluster.current_share - cluster.reference_share)
    assert grown.reference_share == 0.0
    assert "refund" in grown.label
    assert grown.examples == ("mail [EMAIL] a refund",)


def test_the_effect_is_told_in_words() -> None:
    movement = Movement((Cluster("refund", 0.02, 0.14), Cluster("other", 0.98, 0.86)), 0.12, 0.02, 0.14)
    assert describe(movement, "prompts") == "14 % of prompts now come from topics that made up 2 %"
    assert describe(Movement((), 0.0), "prompts") == ""


@pytest.mark.parametrize(
    ("share", "text"), [(0.14, "14 %"), (0.02, "2 %"), (0.025, "2.5 %"), (0.0, "0 %"), (0.0004, "under 0.1 %")]
)
def test_a_share_reads_as_a_person_writes_it(share: float, text: str) -> None:
    assert percent(share) == text
