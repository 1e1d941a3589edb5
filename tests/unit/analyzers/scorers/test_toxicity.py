"""How the parts of a text make its score, with a model that the test makes."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from analyzers.scorers.branch import Part
from analyzers.scorers.pieces import PASSAGE_WORDS, SENTENCE_ODDS, UNDIVIDED_WORDS, passages
from analyzers.scorers.toxicity import ToxicityScorer
from leewatch.schema import SpanTexts
from leewatch.testing.encoder import HashingEncoder

CALM = "It was a fine day and we went to the sea."
BAD = "You are vermin."
LONG = " ".join([CALM] * 5)
assert len(LONG.split()) <= PASSAGE_WORDS


class Model:
    """Even odds for a part that is BAD, 1 to 9 for one that holds it, 1 to 99 for others."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def judge(self, parts: Sequence[Part], encoder: Any, single: bool) -> tuple[Any, list[str]]:
        texts = [part.text for _, part in parts]
        assert all(text[part.start : part.end] == part.text for text, part in parts)
        self.asked += texts
        return np.array([0.5 if text == BAD else 0.1 if BAD in text else 0.01 for text in texts]), [""] * len(texts)


def score(text: str) -> tuple[float, list[str]]:
    model: Any = Model()
    weights: Any = SimpleNamespace(settings={"screen": 0.05, "prior": 0.5}, sha256="0" * 64)
    ((found,),) = ToxicityScorer(model, weights, 0.4).score([SpanTexts("", text)], HashingEncoder())
    assert found.value is not None
    return found.value / (1 - found.value), model.asked


def test_a_text_of_one_passage_counts_as_it_is() -> None:
    assert score(BAD)[0] == pytest.approx(1.0)
    assert score(CALM)[0] == pytest.approx(1 / 99)


def test_a_bad_sentence_of_a_long_passage_is_looked_for() -> None:
    odds, asked = score(f"{LONG} {BAD}")
    assert BAD in asked
    assert odds == pytest.approx(SENTENCE_ODDS)


def test_a_short_passage_is_not_divided() -> None:
    text = f"{CALM} {BAD}"
    assert len(text.split()) <= UNDIVIDED_WORDS
    assert score(text) == (pytest.approx(1 / 9), [text])


def test_calm_passages_are_not_divided() -> None:
    assert score(LONG)[1] == [LONG]


def test_many_passages_make_each_count_for_less() -> None:
    text = "\n\n".join([LONG] * 3 + [f"{LONG} {BAD}"])
    count = len(passages(text))
    assert count == 4
    assert score(text)[0] == pytest.approx(SENTENCE_ODDS / 2)
    assert score("\n\n".join([LONG] * 4))[0] == pytest.approx(1 / 99 / 2)
