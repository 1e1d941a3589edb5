"""A branch of all-MiniLM-L6-v2: its lower layers as they are, its upper layers tuned to one task, and a linear model."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from analyzers.encoder import SentenceEncoder, length_batches
from analyzers.packed import PackedBert, layout, token_batches
from analyzers.scorers.emoji import told
from analyzers.scorers.normalize import together
from analyzers.scorers.token_states import trunk
from analyzers.scorers.trees import Floats
from leewatch.contracts import Encoder, Vectors

MOST_TOKENS = 160
"""Tokens that are read at once, with [CLS] and [SEP]. One passage of prose in a thousand has more, of code one in fifty."""

TOKENS_PER_BATCH = {"cpu": 4096, "cuda": 65536}
CACHE_TEXTS = 50_000

Tensors = Mapping[str, npt.NDArray[Any]]


def token_rows(texts: Sequence[str], encoder: SentenceEncoder) -> list[list[list[int]]]:
    """Token ids of each text, in rows of MOST_TOKENS at most, between those that open and close; one row at least.

    Emoji are told in words, and letters that are spaced out are joined.
    """
    size = MOST_TOKENS - 2
    found = encoder.token_ids([together(told(text)) for text in texts])
    return [encoder.whole([ids[i : i + size] for i in range(0, max(len(ids), 1), size)]) for ids in found]


class Reads(Protocol):
    """Whatever reads rows of token ids."""

    def pooled(self, rows: Sequence[Sequence[int]]) -> Vectors:
        """Mean and maximum of the last token states of each row, float32 (n, 2 d)."""


class Packed:
    """Reads on a CPU, almost without padding. tensors: of the network or, by the same names, instead of them."""

    def __init__(self, bert: Any, tensors: Mapping[str, Any]) -> None:
        state = {name: tensor.detach() for name, tensor in bert.state_dict().items()}
        self._dtype = bert.dtype
        self._network = PackedBert({**state, **tensors}, bert.config.num_attention_heads, bert.config.layer_norm_eps)

    def pooled(self, rows: Sequence[Sequence[int]]) -> Vectors:
        """Mean and maximum of the last token states of each row, float32 (n, 2 d)."""
        import torch

        result = np.zeros((len(rows), 2 * self._network.dimension), dtype=np.float32)
        with torch.inference_mode():
            for batch in token_batches([len(row) for row in rows], TOKENS_PER_BATCH["cpu"]):
                laid = layout([rows[i] for i in batch], self._dtype)
                states = self._network.states(laid)[-1].float()
                for i, start in zip(batch, laid.starts, strict=True):
                    own = states[start : start + len(rows[i])]
                    result[i] = torch.cat([own.mean(0), own.amax(0)]).numpy()
        return result


class Padded:
    """Reads on any device."""

    def __init__(self, bert: Any, tensors: Mapping[str, Any]) -> None:
        self._network = copy.deepcopy(bert)
        self._network.load_state_dict({**bert.state_dict(), **tensors})
        self._budget = TOKENS_PER_BATCH["cuda" if bert.device.type == "cuda" else "cpu"]

    def pooled(self, rows: Sequence[Sequence[int]]) -> Vectors:
        """Mean and maximum of the last token states of each row, float32 (n, 2 d)."""
        import torch

        result = np.zeros((len(rows), 2 * self._network.config.hidden_size), dtype=np.float32)
        with torch.inference_mode():
            for batch in length_batches([len(row) for row in rows], self._budget):
                parts = [torch.tensor(rows[i]) for i in batch]
                ids = torch.nn.utils.rnn.pad_sequence(parts, batch_first=True).to(self._network.device)
                lengths = torch.tensor([len(part) for part in parts], device=ids.device)
                mask = torch.arange(ids.shape[1], device=ids.device)[None, :] < lengths[:, None]
                states = self._network(input_ids=ids, attention_mask=mask.long()).last_hidden_state
                result[batch] = pooled(states.float(), mask).cpu().numpy()
        return result


def pooled(states: Any, mask: Any) -> Any:
    """Mean and maximum over the tokens of each row, (rows, 2 d); states (rows, tokens, d), mask (rows, tokens)."""
    import torch

    chosen = mask[..., None]
    mean = (states * chosen).sum(1) / chosen.sum(1)
    return torch.cat([mean, states.masked_fill(~chosen, -1e4).max(1).values], 1)


def reader(bert: Any, tensors: Tensors) -> Reads:
    """A network with the tensors that are named as its own (`encoder.layer...`) in their place, in its arithmetic."""
    import torch

    tuned = {
        name: torch.from_numpy(tensor.astype(np.float32)).to(bert.device, bert.dtype)
        for name, tensor in tensors.items()
        if name.startswith("encoder.layer.")
    }
    return Packed(bert, tuned) if bert.device.type == "cpu" else Padded(bert, tuned)


class Branch:
    """Log odds of texts by linear models over the pooled states of the last tuned layer.

    A text of several rows of tokens counts by the one whose odds are highest by the first model. Used by one thread at a
    time; a text is judged once while it stays cached.

    It reads the network of the default encoder, on the device of the first encoder it is given, whatever that one is.
    """

    def __init__(self, tensors: Tensors, weights: Floats, biases: Floats) -> None:
        """tensors: those of the tuned layers by their names in BertModel. weights, biases: the models, (2 d, k) and (k,)."""
        self._tensors, self._weights, self._biases = tensors, weights, biases
        self._cache: OrderedDict[str, Floats] = OrderedDict()
        self._ready: tuple[SentenceEncoder, Reads] | None = None

    def decision(self, texts: Sequence[str], encoder: Encoder) -> Floats:
        """Log odds per text and model, float64 (n, k). Raises ModelNotFoundError when the network is not to be had."""
        fresh = [text for text in dict.fromkeys(texts) if text not in self._cache]
        known = {text: self._cache[text] for text in texts if text in self._cache}
        known.update(zip(fresh, self._judged(fresh, encoder), strict=True))
        self._cache.update(known)
        while len(self._cache) > CACHE_TEXTS:
            self._cache.popitem(last=False)
        return np.array([known[text] for text in texts], dtype=np.float64).reshape(len(texts), len(self._biases))

    def _judged(self, texts: list[str], encoder: Encoder) -> Floats:
        if not texts:
            return np.zeros((0, len(self._biases)))
        if self._ready is None:
            base = trunk(encoder)
            self._ready = base, reader(base.bert(), self._tensors)
        base, network = self._ready
        rows = token_rows(texts, base)
        found = network.pooled([row for own in rows for row in own]).astype(np.float64)
        odds = found @ self._weights + self._biases
        starts = np.cumsum([0, *map(len, rows)])
        worst: list[int] = [start + int(odds[start:end, 0].argmax()) for start, end in pairwise(starts)]
        return np.asarray(odds[worst])
