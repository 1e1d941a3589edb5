"""A branch of all-MiniLM-L6-v2: its lower layers as they are, some layers tuned to one task on them, and a linear model.

A text goes through the lower layers once, whole; its parts are then judged one by one, from the states that their tokens
have in it. So the pass that gives the text's vector serves the branch as well, and no token is read twice below.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzers.encoder import SentenceEncoder
from analyzers.packed import layout, packed_bert, token_batches
from analyzers.scorers.emoji import told
from analyzers.scorers.normalize import together
from analyzers.scorers.sentences import Sentence
from analyzers.scorers.token_states import trunk
from analyzers.scorers.trees import Floats
from leewatch.contracts import Encoder, Vectors

MOST_TOKENS = 160
"""Tokens that are read at once, with [CLS] and [SEP]. One passage of prose in a thousand has more, of code one in fifty."""

CACHE_PARTS = 50_000

Tensors = Mapping[str, npt.NDArray[Any]]
Part = tuple[str, Sentence]
"""A text, and the part of it that is judged."""
Piece = tuple[int, int, int]
"""A chunk of a text, and tokens of it: the first, and that after the last."""


def readable(text: str) -> str:
    """The text as the encoder is given it: emoji told in words, letters that are spaced out joined."""
    return together(told(text))


def rows_of(first: int, last: int) -> list[tuple[int, int]]:
    """Tokens in rows of MOST_TOKENS at most, with those that open and close; one row at least."""
    size = MOST_TOKENS - 2
    return [(start, min(start + size, last)) for start in range(first, max(last, first + 1), size)]


@dataclass(frozen=True)
class Tokens:
    """Tokens of a text that goes through the lower layers. begins: where each begins in it; chunks: what is read at once."""

    ids: list[int]
    begins: list[int]
    chunks: list[tuple[int, int]]

    def rows(self, start: int, end: int) -> list[list[Piece]]:
        """The tokens that begin in text[start:end], in rows, as pieces of chunks."""
        first, last = bisect_left(self.begins, start), bisect_left(self.begins, end)
        return [self._pieces(*row) for row in rows_of(first, last)]

    def _pieces(self, first: int, last: int) -> list[Piece]:
        found = [
            (number, max(first, start) - start, min(last, end) - start)
            for number, (start, end) in enumerate(self.chunks)
            if start < last and first < end
        ]
        return found or [(0, 0, 0)]


def part_states(parts: Sequence[Part], encoder: SentenceEncoder, layer: int) -> list[list[Any]]:
    """States after a layer of the tokens of each part, in rows of MOST_TOKENS at most: tensors (tokens, d).

    They are those that the tokens have in the whole text, or in its chunk where it is longer than the model's window,
    between those of the tokens that open and close it. Parts of a text that the encoder is given in other words are read
    by themselves.
    """
    import torch

    whole = {text for text, _ in parts if readable(text) == text}
    keys = [text if text in whole else readable(part.text) for text, part in parts]
    known: dict[str, Tokens] = {}
    for text, (ids, begins) in zip(dict.fromkeys(keys), encoder.placed_tokens(list(dict.fromkeys(keys))), strict=True):
        known[text] = Tokens(ids, begins, encoder.chunks(ids) if text in whole else rows_of(0, len(ids)))
    rows = [
        known[key].rows(part.start, part.end) if text in whole else known[key].rows(0, len(key))
        for key, (text, part) in zip(keys, parts, strict=True)
    ]
    wanted = dict.fromkeys(
        (key, number) for key, own in zip(keys, rows, strict=True) for row in own for number, _, _ in row
    )
    chunks = encoder.whole([known[key].ids[slice(*known[key].chunks[number])] for key, number in wanted])
    states = dict(zip(wanted, encoder.lower_states(chunks, layer), strict=True))

    def cut(key: str, row: Sequence[Piece]) -> Any:
        inner = [states[key, number][1 + first : 1 + last] for number, first, last in row]
        return torch.cat([states[key, row[0][0]][:1], *inner, states[key, row[-1][0]][-1:]])

    with torch.inference_mode():
        return [[cut(key, row) for row in own] for key, own in zip(keys, rows, strict=True)]


class Upper:
    """The tuned layers, on the device and in the arithmetic of the network whose lower layers they follow."""

    def __init__(self, bert: Any, tensors: Tensors) -> None:
        """tensors: those of the tuned layers by their names in BertModel; others are left aside."""
        import torch

        tuned = {
            name: torch.from_numpy(tensor.astype(np.float32)).to(bert.device, bert.dtype)
            for name, tensor in tensors.items()
            if name.startswith("encoder.layer.")
        }
        own = {name: tensor.detach() for name, tensor in bert.state_dict().items() if name.startswith("embeddings.")}
        self._network = packed_bert(bert, {**own, **tuned})
        self.below = min(int(name.split(".")[2]) for name in tuned)
        """Layers below the tuned ones."""

    def pooled(self, rows: Sequence[Any]) -> Vectors:
        """Mean and maximum of the last token states of each row, float32 (n, 2 d); rows: states before, (tokens, d)."""
        import torch

        result = np.zeros((len(rows), 2 * self._network.dimension), dtype=np.float32)
        with torch.inference_mode():
            for batch in token_batches([len(row) for row in rows], self._network.budget):
                lengths = [len(rows[i]) for i in batch]
                laid = layout(lengths, self._network.dtype, self._network.device)
                before = rows[0].new_zeros(laid.cells, self._network.dimension)
                for i, start in zip(batch, laid.starts, strict=True):
                    before[start : start + len(rows[i])] = rows[i]
                states = self._network.states(before, laid)[-1]
                last = 0
                for block in laid.blocks:
                    first, last = last, last + block.texts
                    own = states[block.first : block.last].view(block.texts, block.width, -1).float()
                    there = None if block.mask is None else block.mask[:, 0, 0] == 0
                    result[batch[first:last]] = pooled(own, there).cpu().numpy()
        return result


def pooled(states: Any, mask: Any) -> Any:
    """Mean and maximum over the tokens of each row, (rows, 2 d); states (rows, tokens, d), mask (rows, tokens) or None."""
    import torch

    if mask is None:
        return torch.cat([states.mean(1), states.amax(1)], 1)
    chosen = mask[..., None]
    mean = (states * chosen).sum(1) / chosen.sum(1)
    return torch.cat([mean, states.masked_fill(~chosen, -1e4).amax(1)], 1)


class Branch:
    """Log odds of parts of texts by linear models over the pooled states of the last tuned layer.

    A part of several rows of tokens counts by the one whose odds are highest by the first model. Used by one thread at a
    time; a part is judged once while it stays cached.

    It reads the network of the default encoder, on the device of the first encoder it is given, whatever that one is.
    """

    def __init__(self, tensors: Tensors, weights: Floats, biases: Floats) -> None:
        """tensors: those of the tuned layers by their names in BertModel. weights, biases: the models, (2 d, k) and (k,)."""
        self._tensors, self._weights, self._biases = tensors, weights, biases
        self._cache: OrderedDict[tuple[bytes, int, int], Floats] = OrderedDict()
        self._ready: tuple[SentenceEncoder, Upper] | None = None

    def decision(self, parts: Sequence[Part], encoder: Encoder) -> Floats:
        """Log odds per part and model, float64 (n, k). Raises ModelNotFoundError when the network is not to be had."""
        keys = [_key(*part) for part in parts]
        fresh = {key: part for key, part in zip(keys, parts, strict=True) if key not in self._cache}
        known = {key: self._cache[key] for key in keys if key in self._cache}
        known.update(zip(fresh, self._judged(list(fresh.values()), encoder), strict=True))
        self._cache.update(known)
        while len(self._cache) > CACHE_PARTS:
            self._cache.popitem(last=False)
        return np.array([known[key] for key in keys], dtype=np.float64).reshape(len(parts), len(self._biases))

    def _judged(self, parts: Sequence[Part], encoder: Encoder) -> Floats:
        if not parts:
            return np.zeros((0, len(self._biases)))
        if self._ready is None:
            base = trunk(encoder)
            self._ready = base, Upper(base.bert(), self._tensors)
        base, upper = self._ready
        rows = part_states(parts, base, upper.below)
        found = upper.pooled([row for own in rows for row in own]).astype(np.float64)
        odds = found @ self._weights + self._biases
        starts = np.cumsum([0, *map(len, rows)])
        worst: list[int] = [start + int(odds[start:end, 0].argmax()) for start, end in pairwise(starts)]
        return np.asarray(odds[worst])


def _key(text: str, part: Sentence) -> tuple[bytes, int, int]:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest(), part.start, part.end
