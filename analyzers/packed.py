"""A BERT forward pass without padding, for CPUs: the tokens of all texts stand in one long row.

Every product of a batch is then one matrix product over nothing but tokens, and only attention, a few percent of the work,
looks at single texts. On a processor that multiplies bf16 it takes two thirds of the time of the padded pass.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from leewatch.contracts import Vectors

log = logging.getLogger(__name__)

TOKENS_PER_BATCH = 4096
SLACK = 0.1
"""Texts whose lengths differ by at most this share stand in one block of attention, padded to the longest."""

Linear = Callable[..., Any]


@dataclass(frozen=True)
class Stretch:
    """Consecutive texts that attend in one block: their place in the row of tokens, how many, the longest. mask, places:
    which cells of the block hold tokens, where they are not of one length."""

    first: int
    last: int
    texts: int
    width: int
    mask: Any = None
    places: Any = None


class PackedBert:
    """The forward pass of a `BertModel` with mean pooling, from its weights. Not for training."""

    def __init__(self, state: Mapping[str, Any], heads: int, epsilon: float) -> None:
        """state: the weights by their names in BertModel, all of one dtype, on the CPU."""
        self._heads, self._epsilon = heads, epsilon
        self._words = state["embeddings.word_embeddings.weight"]
        kind = state["embeddings.token_type_embeddings.weight"][0]
        self._places = state["embeddings.position_embeddings.weight"] + kind
        self._norm = (state["embeddings.LayerNorm.weight"], state["embeddings.LayerNorm.bias"])
        self._layers = [_Layer(state, f"encoder.layer.{i}.") for i in range(_depth(state))]
        self.dimension = int(self._words.shape[1])

    def encode(self, rows: Sequence[Sequence[int]]) -> Vectors:
        """Mean of the last token states of each row of token ids, unit length, float32 (n, dimension)."""
        import torch

        result = np.zeros((len(rows), self.dimension), dtype=np.float32)
        with torch.inference_mode():
            for batch in token_batches([len(row) for row in rows], TOKENS_PER_BATCH):
                states = self.states([rows[i] for i in batch])
                lengths = torch.tensor([len(rows[i]) for i in batch])
                owner = torch.repeat_interleave(torch.arange(len(batch)), lengths)
                total = torch.zeros(len(batch), self.dimension).index_add_(0, owner, states.float())
                result[batch] = torch.nn.functional.normalize(total, dim=1).numpy()
        return result

    def states(self, rows: Sequence[Sequence[int]]) -> Any:
        """The last token states (tokens, dimension) of rows of token ids that are sorted by length, the longest first."""
        import torch

        ids = torch.tensor([token for row in rows for token in row])
        places = torch.cat([torch.arange(len(row)) for row in rows])
        stretches = attention_blocks([len(row) for row in rows])
        states = self._normalized(self._words[ids] + self._places[places], self._norm)
        for layer in self._layers:
            mixed = layer.out(self._attention(layer.query_key_value(states), stretches))
            states = self._normalized(mixed.add_(states), layer.attention_norm)
            states = self._normalized(layer.down(layer.up(states)).add_(states), layer.output_norm)
        return states

    def _normalized(self, states: Any, norm: tuple[Any, Any]) -> Any:
        import torch

        return torch.nn.functional.layer_norm(states, (self.dimension,), *norm, self._epsilon)

    def _attention(self, states: Any, stretches: Sequence[Stretch]) -> Any:
        """Attention within each text; states (tokens, 3 * dimension) hold query, key and value."""
        import torch

        result = states.new_empty(len(states), self.dimension)
        for one in stretches:
            part = states[one.first : one.last]
            if one.places is not None:
                block = part.new_zeros(one.texts * one.width, 3 * self.dimension)
                block[one.places] = part
                part = block
            shape = (one.texts, one.width, 3, self._heads, self.dimension // self._heads)
            query, key, value = part.view(shape).permute(2, 0, 3, 1, 4).unbind(0)
            mixed = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=one.mask)
            mixed = mixed.transpose(1, 2).reshape(one.texts * one.width, self.dimension)
            result[one.first : one.last] = mixed if one.places is None else mixed[one.places]
        return result


class _Layer:
    def __init__(self, state: Mapping[str, Any], prefix: str) -> None:
        import torch

        def both(name: str) -> tuple[Any, Any]:
            return state[f"{prefix}{name}.weight"], state[f"{prefix}{name}.bias"]

        parts = [both(f"attention.self.{name}") for name in ("query", "key", "value")]
        joined = torch.cat([weight for weight, _ in parts]), torch.cat([bias for _, bias in parts])
        self.query_key_value = linear(*joined)
        self.out = linear(*both("attention.output.dense"))
        self.attention_norm = both("attention.output.LayerNorm")
        self.up = linear(*both("intermediate.dense"), gelu=True)
        self.down = linear(*both("output.dense"))
        self.output_norm = both("output.LayerNorm")


def packed(network: Any) -> PackedBert | None:
    """The same model as a packed pass; None for a network that is not a BERT with mean pooling alone on a CPU."""
    try:
        body, pooling, *rest = list(network)
        bert = getattr(body, "model", None) or body.auto_model
        config = bert.config
        fits = (
            config.model_type == "bert"
            and config.hidden_act == "gelu"
            and getattr(config, "position_embedding_type", "absolute") in (None, "absolute")
            and pooling.get_config_dict().get("pooling_mode") in ("mean", ("mean",), ["mean"])
            and all(type(module).__name__ == "Normalize" for module in rest)
            and bert.device.type == "cpu"
        )
        if not fits:
            return None
        state = {name: tensor.detach() for name, tensor in bert.state_dict().items()}
        return PackedBert(state, config.num_attention_heads, config.layer_norm_eps)
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        log.info("the model runs with padding: %s", type(error).__name__)
        return None


def linear(weight: Any, bias: Any, gelu: bool = False) -> Linear:
    """x -> x W^T + b, and GELU of that; in bf16 by oneDNN with packed weights, where this torch has that."""
    import torch

    functional = torch.nn.functional

    def plain(rows: Any) -> Any:
        result = functional.linear(rows, weight, bias)
        return functional.gelu(result) if gelu else result

    if weight.dtype != torch.bfloat16:
        return plain
    try:
        operations = torch.ops.mkldnn
        ready = operations._reorder_linear_weight(weight.contiguous(), TOKENS_PER_BATCH)
        after: tuple[str, list[Any], str] = ("gelu", [], "none") if gelu else ("none", [], "")

        def fused(rows: Any) -> Any:
            return operations._linear_pointwise(rows, ready, bias, *after)

        probe = torch.linspace(-2, 2, weight.shape[1], dtype=torch.bfloat16).expand(3, -1).contiguous()
        same = torch.allclose(fused(probe).float(), plain(probe).float(), atol=0.05, rtol=0.02)
    except (RuntimeError, AttributeError, NotImplementedError):  # not a public operation: another torch may lack it
        return plain
    return fused if same else plain


def token_batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Row numbers, the longest first, in groups of at most `budget` tokens; a longer row makes a group of its own."""
    batches: list[list[int]] = []
    batch: list[int] = []
    size = 0
    for row in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if batch and size + lengths[row] > budget:
            batches.append(batch)
            batch, size = [], 0
        batch.append(row)
        size += lengths[row]
    return [*batches, batch] if batch else batches


def attention_blocks(lengths: Sequence[int]) -> list[Stretch]:
    """Rows of these lengths, the longest first, in blocks of nearly equal length."""
    import torch

    starts = [0]
    for row in range(1, len(lengths)):
        if lengths[row] < lengths[starts[-1]] * (1 - SLACK) - 1:
            starts.append(row)
    places = np.concatenate([[0], np.cumsum(lengths)]).astype(int).tolist()
    blocks = []
    for first, last in pairwise([*starts, len(lengths)]):
        width, texts = lengths[first], last - first
        if lengths[last - 1] == width:
            blocks.append(Stretch(places[first], places[last], texts, width))
            continue
        mask = torch.arange(width)[None, :] < torch.tensor(lengths[first:last])[:, None]
        cells = mask.flatten().nonzero()[:, 0]
        blocks.append(Stretch(places[first], places[last], texts, width, mask[:, None, None, :], cells))
    return blocks


def _depth(state: Mapping[str, Any]) -> int:
    return 1 + max(int(name.split(".")[2]) for name in state if name.startswith("encoder.layer."))
