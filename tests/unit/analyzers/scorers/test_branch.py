"""A branch of a network: its runtimes read alike, and training computes what they do. On a tiny network made here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analyzers.packed import PackedBert, layout
from analyzers.scorers.branch import MOST_TOKENS, Branch, Packed, Padded, pooled, reader, token_rows
from analyzers.training.branch import HEADS, States, Tuned
from leewatch.testing.encoder import HashingEncoder

torch = pytest.importorskip("torch")

UPPER = ("encoder.layer.1", "encoder.layer.2")
ROWS = [[1, 5, 9, 4, 8, 2], [1, 7, 2], [1, 7, 3, 2]]


@pytest.fixture(scope="module")
def bert() -> Any:
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    sizes = {"hidden_size": 48, "num_attention_heads": HEADS, "intermediate_size": 64, "num_hidden_layers": 3}
    return BertModel(BertConfig(vocab_size=50, max_position_embeddings=32, **sizes), add_pooling_layer=False).eval()


def test_packed_and_padded_texts_are_read_alike(bert: Any) -> None:
    np.testing.assert_allclose(Packed(bert, {}).pooled(ROWS), Padded(bert, {}).pooled(ROWS), atol=1e-5)


def test_tuned_layers_stand_in_the_place_of_the_networks_own(bert: Any) -> None:
    name = "encoder.layer.2.output.LayerNorm.bias"  # 0 in a fresh network: with 1 every last state rises by 1
    tuned = {name: np.ones(48, dtype=np.float16), "head.weight": np.zeros(96, dtype=np.float16)}
    found = reader(bert, tuned).pooled(ROWS)
    np.testing.assert_allclose(found, Packed(bert, {}).pooled(ROWS) + 1, atol=1e-5)


def test_training_computes_what_the_scorer_reads(bert: Any) -> None:
    state = bert.state_dict()
    lower = {name: one for name, one in state.items() if not name.startswith(UPPER)}
    with torch.no_grad():
        states = PackedBert(lower, HEADS, 1e-12).states(layout(ROWS[:1], torch.float32))[-1]
    layers = {name: one for name, one in state.items() if name.startswith(UPPER)}
    head = torch.linspace(-1, 1, 96)
    tuned = Tuned(layers, head, torch.tensor([0.5]))
    found = tuned.decision(States(states.bfloat16(), np.array([0, len(ROWS[0])])), np.array([0]))
    wanted = Packed(bert, {}).pooled(ROWS[:1]) @ head.numpy() + 0.5
    np.testing.assert_allclose(found, wanted, atol=0.15)  # training rounds states to bf16, 8 bits


def test_padding_does_not_change_what_is_pooled() -> None:
    states = torch.arange(12.0).reshape(1, 3, 4)
    longer = torch.cat([states, torch.full((1, 2, 4), 99.0)], 1)
    mask = torch.tensor([[True, True, True, False, False]])
    # mean of 0, 4, 8 is 4, their maximum 8, and so on for each of the four columns
    assert pooled(longer, mask).tolist() == [[4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0]]
    assert torch.equal(pooled(longer, mask), pooled(states, mask[:, :3]))


class Letters:
    """An encoder whose tokens are letters, with 1 before and 2 after them."""

    def token_ids(self, texts: list[str]) -> list[list[int]]:
        return [[ord(letter) % 40 + 3 for letter in text] for text in texts]

    def whole(self, ids: list[list[int]]) -> list[list[int]]:
        return [[1, *own, 2] for own in ids]


def test_no_token_of_a_long_text_is_left_out() -> None:
    encoder: Any = Letters()
    text = "".join(chr(97 + i % 26) for i in range(2 * (MOST_TOKENS - 2) + 5))
    (rows,) = token_rows([text], encoder)
    assert [len(row) for row in rows] == [MOST_TOKENS, MOST_TOKENS, 7]
    assert [id for row in rows for id in row[1:-1]] == encoder.token_ids([text])[0]
    assert token_rows([""], encoder) == [[[1, 2]]]


def test_a_long_text_counts_by_its_worst_row(bert: Any) -> None:
    branch = Branch({}, np.ones((96, 2)) * [1, -1], np.zeros(2))
    encoder: Any = Letters()
    encoder.bert = lambda: bert
    branch._ready = encoder, Packed(bert, {})
    long = "a" * 20 + "bcdefgh"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("analyzers.scorers.branch.MOST_TOKENS", 22)
        parts = branch.decision(["a" * 20, "bcdefgh", long], HashingEncoder())
    assert parts[2].tolist() == max(parts[:2].tolist())


def test_no_text_needs_no_network() -> None:
    assert Branch({}, np.zeros((4, 3)), np.zeros(3)).decision([], HashingEncoder()).shape == (0, 3)
