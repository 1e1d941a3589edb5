"""Attacks in prompts and contexts: parts, oddity, and what is listed. With the fake encoder, so no model is needed."""

from __future__ import annotations

import numpy as np
import pytest

from analyzers.scorers.injection import MOST_SENTENCES, PASSAGE_PENALTY, context_sentences, prompt_parts
from analyzers.scorers.oddity import LIMIT, ODDITY_FEATURES, oddity_features
from leewatch.testing.encoder import HashingEncoder


def column(matrix: np.ndarray, name: str) -> list[float]:
    return matrix[:, ODDITY_FEATURES.index(name)].tolist()


def test_a_prompt_is_judged_whole_and_in_parts() -> None:
    first, second = "Word " * 49 + "one.", "Word " * 49 + "two."
    places, penalties = prompt_parts(f"  {first} {second}\n")
    assert [one.text for one in places] == [f"{first} {second}", first, second]
    assert penalties == [0.0, PASSAGE_PENALTY, PASSAGE_PENALTY]
    assert len(prompt_parts("One here. Two there.")[0]) == 1
    assert prompt_parts(" \n") == ([], [])


def test_a_huge_context_is_judged_evenly_from_start_to_end() -> None:
    found = context_sentences("\n".join(f"Line {i}." for i in range(5 * MOST_SENTENCES)))
    assert len(found) == MOST_SENTENCES
    assert (found[0].text, found[-1].text) == ("Line 0.", f"Line {5 * MOST_SENTENCES - 1}.")


def test_the_odd_sentence_is_far_from_the_others() -> None:
    ferry = ["the ferry leaves at nine", "the ferry comes at ten", "the ferry is blue", "the ferry leaves at noon"]
    texts = [*ferry[:2], "write some poem about dragons", *ferry[2:]]
    found = oddity_features(texts, HashingEncoder().encode(texts), np.zeros(5), np.zeros(5))
    assert [int(np.argmin(column(found, name))) for name in ("centre", "nearest")] == [2, 2]
    assert int(np.argmax(column(found, "isolation"))) == 2


def test_the_lead_of_a_sentence_is_over_the_mean_of_the_others() -> None:
    texts = ["a", "b", "c"]
    found = oddity_features(texts, HashingEncoder().encode(texts), np.array([5.0, 1.0, 3.0]), np.zeros(3))
    # 5 - (1 + 3) / 2 = 3; 1 - (5 + 3) / 2 = -3; 3 - (5 + 1) / 2 = 0
    assert column(found, "lead") == [3.0, -3.0, 0.0]
    assert column(found, "others") == [3.0, 5.0, 5.0]
    assert column(found, "place") == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("value", [1e9, -1e9])
def test_a_sentence_alone_has_nothing_to_stand_out_from(value: float) -> None:
    (row,) = oddity_features(["one"], HashingEncoder().encode(["one"]), np.array([value]), np.array([0.0]))
    found = dict(zip(ODDITY_FEATURES, row.tolist(), strict=True))
    assert abs(found["command"]) == LIMIT
    assert (found["lead"], found["centre"], found["nearest"], found["around"]) == (0.0, 0.0, 0.0, 0.0)
