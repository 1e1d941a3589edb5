"""A branch of a network: parts are read in the states of their text, and training computes what it reads.

On a tiny network made here, whose tokens are letters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzers.encoder import chunk_places
from analyzers.packed import packed_bert
from analyzers.scorers import branch as module
from analyzers.scorers.branch import Branch, Tokens, Upper, part_states, pooled, rows_of
from analyzers.scorers.sentences import Sentence
from analyzers.training.branch import HEADS, States, Tuned, distil
from leewatch.testing.encoder import HashingEncoder

torch = pytest.importorskip("torch")

UPPER = ("encoder.layer.1", "encoder.layer.2")
WINDOW = 30
ROWS = [[1, 5, 9, 4, 8, 2], [1, 7, 2], [1, 7, 3, 2]]


@pytest.fixture(scope="module")
def bert() -> Any:
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    sizes = {"hidden_size": 48, "num_attention_heads": HEADS, "intermediate_size": 64, "num_hidden_layers": 3}
    return BertModel(BertConfig(vocab_size=50, max_position_embeddings=32, **sizes), add_pooling_layer=False).eval()


class Letters:
    """An encoder whose tokens are letters, with 1 before and 2 after them. read: what went through the lower layers."""

    def __init__(self, bert: Any) -> None:
        self._network = packed_bert(bert)
        self.read: list[list[int]] = []

    def placed_tokens(self, texts: Sequence[str]) -> list[tuple[list[int], list[int]]]:
        placed = [[(place, letter) for place, letter in enumerate(text) if letter != " "] for text in texts]
        return [([ord(letter) % 40 + 3 for _, letter in own], [place for place, _ in own]) for own in placed]

    def whole(self, ids: Sequence[Sequence[int]]) -> list[list[int]]:
        return [[1, *own, 2] for own in ids]

    def chunks(self, ids: Sequence[int]) -> list[tuple[int, int]]:
        return chunk_places(len(ids), WINDOW)

    def lower_states(self, rows: Sequence[list[int]], layer: int) -> list[Any]:
        self.read += rows
        return self._network.read(rows, layer)


def tuned_layers(bert: Any, *names: str) -> dict[str, Any]:
    return {name: one.numpy() for name, one in bert.state_dict().items() if name.startswith(names or UPPER)}


def of(text: str, start: int, end: int) -> tuple[str, Sentence]:
    return text, Sentence(text[start:end], start, end)


def test_a_whole_text_is_read_as_by_the_network(bert: Any) -> None:
    encoder: Any = Letters(bert)
    upper = Upper(bert, tuned_layers(bert))
    rows = [row for own in part_states([of("abcdef", 0, 6), of("xyz", 0, 3)], encoder, upper.below) for row in own]
    with torch.no_grad():
        for found, ids in zip(upper.pooled(rows), encoder.read, strict=True):
            wanted = bert(torch.tensor([ids])).last_hidden_state[0]
            np.testing.assert_allclose(found, torch.cat([wanted.mean(0), wanted.amax(0)]), atol=1e-5)


def test_the_network_ends_with_the_last_tuned_layer(bert: Any) -> None:
    upper = Upper(bert, tuned_layers(bert, "encoder.layer.1"))
    lower = packed_bert(bert)
    found = upper.pooled(lower.read(ROWS, 1))[:, :48]
    for one, states in zip(found, lower.read(ROWS, 2), strict=True):
        np.testing.assert_allclose(one, states.mean(0), atol=1e-5)


def test_parts_are_read_in_the_states_of_their_text_which_is_read_once(bert: Any) -> None:
    encoder: Any = Letters(bert)
    text = "abcd efgh"
    ((first,), (second,), (again,)) = part_states([of(text, 0, 4), of(text, 5, 9), of(text, 0, 4)], encoder, 1)
    assert len(encoder.read) == 1
    (states,) = packed_bert(bert).read(encoder.read, 1)
    assert torch.equal(first, torch.cat([states[:5], states[-1:]]))
    assert torch.equal(second, torch.cat([states[:1], states[5:]]))
    assert torch.equal(again, first)


def test_a_part_that_lies_in_two_chunks_has_tokens_of_both(bert: Any) -> None:
    encoder: Any = Letters(bert)
    text = "a" * 25 + "b" * 10 + "c" * 5  # chunks of 20
    ((states,),) = part_states([of(text, 15, 30)], encoder, 1)
    first, second = packed_bert(bert).read(encoder.read, 1)
    assert torch.equal(states, torch.cat([first[:1], first[16:21], second[1:11], second[-1:]]))


def test_a_part_of_a_text_told_in_other_words_is_read_alone(bert: Any) -> None:
    encoder: Any = Letters(bert)
    text = "ab 🐍"
    alone, others = part_states([of(text, 0, 2), of("ab", 0, 2)], encoder, 1)
    assert torch.equal(alone[0], others[0])
    assert encoder.read == [[1, 20, 21, 2]]  # a is 97 % 40 + 3


def test_a_part_without_a_token_has_what_opens_and_closes_a_text(bert: Any) -> None:
    encoder: Any = Letters(bert)
    ((states,),) = part_states([of("ab   cd", 2, 5)], encoder, 1)
    assert len(states) == 2


@given(st.integers(0, 700), st.data())
def test_no_token_of_a_part_is_left_out(count: int, data: st.DataObject) -> None:
    tokens = Tokens(list(range(count)), list(range(0, 2 * count, 2)), chunk_places(count, 254))
    first = data.draw(st.integers(0, count))
    last = data.draw(st.integers(first, count))
    rows = tokens.rows(2 * first, 2 * last)
    found = [
        token + tokens.chunks[number][0] for row in rows for number, start, end in row for token in range(start, end)
    ]
    assert found == list(range(first, last))
    assert all(sum(end - start for _, start, end in row) <= module.MOST_TOKENS - 2 for row in rows)


def test_rows_cover_what_is_read_alone() -> None:
    assert rows_of(0, 0) == [(0, 0)]
    assert rows_of(0, 323) == [(0, 158), (158, 316), (316, 323)]


def test_training_computes_what_the_scorer_reads(bert: Any) -> None:
    states = packed_bert(bert).read(ROWS[:1], 1)
    layers = {name: one for name, one in bert.state_dict().items() if name.startswith(UPPER)}
    head = torch.linspace(-1, 1, 96)
    tuned = Tuned(layers, head, torch.tensor([0.5]))
    found = tuned.decision(States(states[0].bfloat16(), np.array([0, len(ROWS[0])])), np.array([0]))
    wanted = Upper(bert, tuned_layers(bert)).pooled(states) @ head.numpy() + 0.5
    np.testing.assert_allclose(found, wanted, atol=0.15)  # training rounds states to bf16, 8 bits


def test_fewer_layers_learn_what_a_teacher_says(bert: Any) -> None:
    state = bert.state_dict()
    rows = np.arange(60)
    random_ = np.random.default_rng(0)
    states = torch.from_numpy(random_.normal(size=(180, 48)).astype(np.float32)).bfloat16()
    odds = np.where(rows % 2, 4.0, -4.0)
    states[np.repeat(odds > 0, 3), :8] += 3.0
    layers = {name: one.float() for name, one in state.items() if name.startswith(UPPER)}
    teacher = Tuned(layers, torch.zeros(96), torch.zeros(1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("analyzers.training.branch.FIRST_LAYER", 1)
        patch.setattr("analyzers.training.branch.LAYERS", 1)
        found = States(states, np.arange(0, 181, 3))
        learnt = distil(found, odds, np.ones(60), lambda _: np.tile(rows, 20), teacher, 0)
    assert {name.split(".")[2] for name in learnt.layers} == {"1"}
    assert np.corrcoef(learnt.decision(found, rows), odds)[0, 1] > 0.95
    assert torch.equal(layers["encoder.layer.1.output.dense.weight"], state["encoder.layer.1.output.dense.weight"])


def test_padding_does_not_change_what_is_pooled() -> None:
    states = torch.arange(12.0).reshape(1, 3, 4)
    longer = torch.cat([states, torch.full((1, 2, 4), 99.0)], 1)
    mask = torch.tensor([[True, True, True, False, False]])
    # mean of 0, 4, 8 is 4, their maximum 8, and so on for each of the four columns
    assert pooled(longer, mask).tolist() == [[4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0]]
    assert torch.equal(pooled(longer, mask), pooled(states, mask[:, :3]))


def test_a_long_part_counts_by_its_worst_row(bert: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TOKENS", 22)
    branch = Branch({}, np.ones((96, 2)) * [1, -1], np.zeros(2))
    encoder: Any = Letters(bert)
    branch._ready = encoder, Upper(bert, tuned_layers(bert))
    text = "a" * 20 + "bcdefgh"
    found = branch.decision([of(text, 0, 20), of(text, 20, 27), of(text, 0, 27)], HashingEncoder())
    assert found[2].tolist() == max(found[:2].tolist())


def test_a_part_is_judged_once(bert: Any) -> None:
    branch = Branch({}, np.ones((96, 1)), np.zeros(1))
    encoder: Any = Letters(bert)
    branch._ready = encoder, Upper(bert, tuned_layers(bert))
    first = branch.decision([of("abcd", 0, 2), of("abcd", 0, 2)], HashingEncoder())
    assert len(encoder.read) == 1
    second = branch.decision([of("abcd", 0, 2), of("abcd", 2, 4)], HashingEncoder())
    assert len(encoder.read) == 2
    assert first[0] == first[1] == second[0] != second[1]


def test_no_part_needs_no_network() -> None:
    assert Branch({}, np.zeros((4, 3)), np.zeros(3)).decision([], HashingEncoder()).shape == (0, 3)
