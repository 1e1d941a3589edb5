"""Sentences read by the installed all-MiniLM-L6-v2."""

from __future__ import annotations

import numpy as np
import pytest

from analyzers.encoder import create_encoder
from analyzers.scorers import token_states
from analyzers.scorers.token_states import MAX_PIECES, TokenEncoder, mean_vector, trunk

TEXTS = ("Refunds reach the card within five working days.", "", "word " * 400, "odd \ud800 \x00 🙂", "Paris")


@pytest.fixture(scope="module")
def reader() -> TokenEncoder:
    return TokenEncoder(trunk(create_encoder(device="cpu")))


def test_vectors_are_those_of_the_encoder(reader: TokenEncoder) -> None:
    (found,) = reader.read(TEXTS[:1])
    assert float(found.vector @ create_encoder().encode(TEXTS[:1])[0]) > 0.999


def test_every_piece_has_its_state_and_its_place(reader: TokenEncoder) -> None:
    for text, found in zip(TEXTS, reader.read(TEXTS), strict=True):
        assert found.states.shape == (len(found.pieces), 768)
        assert len(found.pieces) <= MAX_PIECES
        if "\ud800" not in text:
            assert len(reader.offsets(text)) == len(found.pieces)
    assert reader.offsets("a cat")[1] == (2, 5)
    pieces, embeddings = reader.vocabulary()
    assert len(pieces) == len(embeddings)


def test_the_company_of_a_sentence_does_not_change_it(reader: TokenEncoder) -> None:
    alone = TokenEncoder(trunk(create_encoder(device="cpu"))).read(TEXTS[4:])[0]
    beside = reader.read(TEXTS)[4]
    assert np.allclose(alone.states.astype(np.float32), beside.states.astype(np.float32), atol=0.05)


def test_memory_of_sentences_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_states, "CACHE_PIECES", 10)
    small = TokenEncoder(trunk(create_encoder(device="cpu")))
    first = small.read(TEXTS)
    assert small._cached <= 10
    assert (small.read(TEXTS)[0].pieces == first[0].pieces).all()


def test_sentences_together_have_a_unit_vector(reader: TokenEncoder) -> None:
    assert np.linalg.norm(mean_vector(reader.read(TEXTS[:2]))) == pytest.approx(1.0, abs=1e-5)
