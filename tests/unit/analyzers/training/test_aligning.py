"""That the network which is trained and the one which scores are the same, and what it can learn."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pytest

from analyzers.scorers.alignment import Alignment, Vocabulary, word_features
from analyzers.scorers.token_states import States
from analyzers.training.aligning import NAMES, _network, _tensors, train_alignment
from analyzers.training.claims import Item

PIECES, DEPTH = 50, 768
KNOWN = Vocabulary(
    stems=np.arange(PIECES) // 2,
    stop=np.arange(PIECES) < 4,
    digit=np.arange(PIECES) > 45,
    plain=np.random.default_rng(1).normal(size=(PIECES, 8)).astype(np.float16),
    close=np.random.default_rng(2).normal(size=(PIECES, 8)).astype(np.float16),
)
BASE = np.random.default_rng(0).normal(size=(PIECES, DEPTH)).astype(np.float16)


def states(*pieces: int) -> States:
    numbers = np.array(pieces)
    vector = BASE[numbers].astype(np.float32).mean(axis=0)[:384]
    return States(numbers, BASE[numbers], vector / np.linalg.norm(vector))


def item(label: int, claim: States, evidence: tuple[States, ...], document: str = "d", ranked: bool = True) -> Item:
    return Item("s", document, label, ranked, (claim,), (evidence,), (label,), (None,))


def test_the_scoring_model_is_the_trained_one() -> None:
    import torch

    torch.manual_seed(3)
    network = _network(DEPTH).eval()
    tensors: Mapping[str, npt.NDArray[np.float32]] = {
        f"align.{name}": network.state_dict()[key].numpy() for key, name in NAMES.items()
    }
    rows = [
        item(1, states(5, 9, 30), (states(5, 7, 8, 12), states(40, 41))),
        item(0, states(20), (states(21, 22),)),
        item(0, states(1, 2, 3, 47, 12), (states(0, 1),)),
    ]
    with torch.inference_mode():
        whole, pieces = network(*_tensors(rows, KNOWN, {}))
    alignment = Alignment(tensors, KNOWN)
    for row, expected, worst in zip(rows, whole.tolist(), pieces.max(1).values.tolist(), strict=True):
        found = alignment.judge(row.claims[0], row.evidence[0])
        assert found.log_odds == pytest.approx(expected, abs=2e-3)
        assert found.worst == pytest.approx(worst, abs=2e-3)


@pytest.mark.slow
def test_it_learns_that_new_pieces_are_not_supported() -> None:
    rng = np.random.default_rng(5)
    rows = []
    for i in range(160):
        context = rng.choice(np.arange(4, PIECES), 12, replace=False)
        new = rng.choice([p for p in range(4, PIECES) if p not in context])
        claim = [*rng.choice(context, 4, replace=False)[: 4 - i % 2], *([new] if i % 2 else [])]
        rows.append(item(i % 2, states(*claim), (states(*context),), f"d{i // 20}"))
    fitted = Alignment(train_alignment(rows[:120] * 12, [], KNOWN, 0), KNOWN)
    found = [fitted.judge(row.claims[0], row.evidence[0]).log_odds for row in rows[120:]]
    assert np.mean(found[1::2]) > np.mean(found[::2]) + 1


def test_the_same_seed_gives_the_same_weights() -> None:
    rows = [item(i % 2, states(5, 6 + i), (states(5, 7, 8),)) for i in range(30)]
    first, second = (train_alignment(rows, [], KNOWN, 4) for _ in range(2))
    assert all((first[name] == second[name]).all() for name in first)


def test_word_features_tell_new_words_from_known_ones() -> None:
    found = word_features(np.array([5, 4, 30, 47]), np.array([5, 20]), KNOWN)
    assert found[:, 0].tolist() == [1, 0, 0, 0]  # the same piece
    assert found[:, 1].tolist() == [1, 1, 0, 0]  # the same stem: 4 and 5 share one
    assert found[:, 3].tolist() == [0, 0, 0, 1]
    assert np.isfinite(word_features(np.array([5]), np.array([1]), KNOWN)).all()  # evidence of stop words only
