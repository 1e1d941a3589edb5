"""How the scorer of toxic language is put together from its two models, and texts inside others."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from analyzers.scorers.pieces import PASSAGE_WORDS, passages
from analyzers.scorers.toxicity import Joint
from analyzers.training.altered import altered
from analyzers.training.composed import statements
from analyzers.training.embedding import carriers, fits, surrounded
from analyzers.training.toxicity import MARGIN, joined, student_of

POLITE = ["Your parcel was handed to the carrier this morning.", "Hold the button for ten seconds. Then wait a while."]


def test_carriers_are_sentences_of_some_words() -> None:
    assert carriers([*POLITE, POLITE[0], "Hm."]) == [
        POLITE[0],
        "Hold the button for ten seconds.",
        "Then wait a while.",
    ]


@given(st.integers(0, 10_000), st.integers(1, 25))
def test_a_text_stands_whole_in_one_passage(seed: int, words: int) -> None:
    core = " ".join(["word"] * words)
    assert fits(core)
    text = surrounded(core, carriers(POLITE), random.Random(seed))
    assert f"{core}." in text
    assert len(text.split()) <= PASSAGE_WORDS
    assert len(passages(text)) == 1


def test_a_long_text_is_put_inside_no_other() -> None:
    assert not fits("word " * 26)
    assert not fits("")


def test_the_gate_lets_toxic_texts_pass_that_the_models_find() -> None:
    alone = np.array([-2.0, -1.5, -1.0, 0.5])
    branch = np.array([-4.0, 3.0, -3.0, 2.0])
    expected = np.array([-5.0, -3.0, -4.0, 2.0])
    # label 1 and a sum of 0 or more: the rows of -3 and 2; half below -3 lie -5 and -4, with the branch at -4 and -3
    joint = joined(alone, expected, branch, np.array([0, 1, 0, 1]), 1.0)
    assert joint == Joint(mix=1.0, gate=-3.0 - MARGIN, below=-3.5)


def test_below_the_gate_the_branch_is_not_asked() -> None:
    joint = Joint(mix=2.0, gate=-1.0, below=-3.0)
    found = joint.decision(np.array([1.0, 1.0]), np.array([-1.5, -1.0]), np.array([9.0, 9.0]))
    assert found.tolist() == [-5.0, 19.0]


def test_the_student_expects_what_the_words_told() -> None:
    rows = sparse.csr_matrix(np.repeat(np.eye(2), 500, axis=0))
    odds = np.repeat([9.0, -4.0], 500)
    found = student_of(rows, odds, np.ones(1000)).decision(sparse.identity(2, format="csr"))
    # 9 counts as 6; the penalty of 10 against 500 rows each draws both 1 % towards their mean
    assert found == pytest.approx([6.0, -4.0], abs=0.15)


def test_statements_are_composed_of_both_kinds_the_same_each_time() -> None:
    made = statements()
    assert made == statements()
    assert sum(one.label for one in made) / len(made) == pytest.approx(0.5, abs=0.05)
    assert not {one.frame for one in made if one.label} & {one.frame for one in made if not one.label}


@given(st.lists(st.lists(st.integers(3, 50), min_size=4, max_size=30), min_size=1, max_size=5), st.integers(0, 99))
def test_altered_texts_are_made_of_the_tokens_of_texts(bodies: list[list[int]], seed: int) -> None:
    rows = [[1, *body, 2] for body in bodies]
    chosen = np.arange(len(rows)).repeat(3)
    made = altered(rows, chosen, 40, np.random.default_rng(seed))
    assert len(made) == len(chosen)
    known = {token for body in bodies for token in body}
    for row in made:
        assert (row[0], row[-1]) == (1, 2)
        assert 3 <= len(row) <= 40
        assert set(row[1:-1]) <= known
    assert made == altered(rows, chosen, 40, np.random.default_rng(seed))
