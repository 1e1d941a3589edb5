"""A BERT forward pass almost without padding, for CPUs: the tokens of all texts stand in one long row.

Every product of a batch is then one matrix product over little but tokens, and only attention, a tenth of the work,
looks at single texts. On a processor that multiplies bf16 it takes half the time of the padded pass.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from leewatch.contracts import Vectors

Halves = npt.NDArray[np.float16]

log = logging.getLogger(__name__)

TOKENS_PER_BATCH = 4096
SLACK = 0.05
"""Texts whose lengths differ by at most this share stand in one block of attention, padded to the longest: a few percent
of cells without a token cost less than to take the tokens apart and together again in every layer."""

Linear = Callable[..., Any]


@dataclass(frozen=True)
class Block:
    """Texts that attend in one call: their first cell in the row of cells, how many texts, and cells of each.

    mask: 0 for cells with a token, -inf for others, (texts, 1, 1, width); None where every cell holds one.
    """

    first: int
    texts: int
    width: int
    mask: Any

    @property
    def last(self) -> int:
        return self.first + self.texts * self.width


@dataclass(frozen=True)
class Layout:
    """Rows of tokens laid out as one row of cells. ids, places: token and its position in its text (cells,); starts: first
    cell of each text, in order."""

    ids: Any
    places: Any
    starts: list[int]
    blocks: list[Block]


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
            for batch, starts, states in self._batches(rows, ()):
                cells = states[-1].float().numpy()
                edges = np.array(
                    [(start, start + len(rows[i])) for i, start in zip(batch, starts, strict=True)]
                ).ravel()
                cells = np.concatenate([cells, cells[:1]])  # so that the last edge is a place too
                result[batch] = np.add.reduceat(cells, edges)[::2]
        return unit(result)

    def states(self, laid: Layout, layers: Sequence[int] = ()) -> list[Any]:
        """States (cells, dimension) after each of `layers` (1: after the first), and after the last."""
        states = self._normalized(self._words[laid.ids] + self._places[laid.places], self._norm)
        kept = []
        for number, layer in enumerate(self._layers, 1):
            mixed = layer.out(self._attention(layer.query_key_value(states), laid.blocks))
            states = self._normalized(mixed.add_(states), layer.attention_norm)
            states = self._normalized(layer.down(layer.up(states)).add_(states), layer.output_norm)
            if number in layers:
                kept.append(states)
        return [*kept, states]

    def _batches(
        self, rows: Sequence[Sequence[int]], layers: Sequence[int]
    ) -> Iterator[tuple[list[int], list[int], list[Any]]]:
        """Numbers of some rows, the first cell of each, and the states of the cells."""
        for batch in token_batches([len(row) for row in rows], TOKENS_PER_BATCH):
            laid = layout([rows[i] for i in batch], self._words.dtype)
            yield batch, laid.starts, self.states(laid, layers)

    def token_states(self, rows: Sequence[Sequence[int]], layers: Sequence[int]) -> list[Halves]:
        """States of the tokens of each row after `layers` and the last, float16 (tokens, dimension * (layers + 1))."""
        import torch

        found: list[Halves] = [np.zeros((0, 0), dtype=np.float16)] * len(rows)
        with torch.inference_mode():
            for batch, starts, states in self._batches(rows, layers):
                joined = torch.cat(states, dim=1).half().numpy()
                for i, start in zip(batch, starts, strict=True):
                    found[i] = joined[start : start + len(rows[i])].copy()
        return found

    def _normalized(self, states: Any, norm: tuple[Any, Any]) -> Any:
        import torch

        return torch.nn.functional.layer_norm(states, (self.dimension,), *norm, self._epsilon)

    def _attention(self, states: Any, blocks: Sequence[Block]) -> Any:
        """Attention within each text; states (cells, 3 * dimension) hold query, key and value."""
        import torch

        result = states.new_empty(len(states), self.dimension)
        for one in blocks:
            shape = (one.texts, one.width, 3, self._heads, self.dimension // self._heads)
            query, key, value = states[one.first : one.last].view(shape).permute(2, 0, 3, 1, 4).unbind(0)
            mixed = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=one.mask)
            result[one.first : one.last].view(one.texts, one.width, self._heads, -1).copy_(mixed.transpose(1, 2))
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


def layout(rows: Sequence[Sequence[int]], kind: Any) -> Layout:
    """Rows, the longest first, as one row of cells; masks in the given dtype."""
    import torch

    ids: list[Any] = []
    places: list[Any] = []
    starts: list[int] = []
    blocks: list[Block] = []
    cells = 0
    for first, last in attention_blocks([len(row) for row in rows]):
        texts, width = last - first, len(rows[first])
        lengths = np.array([len(row) for row in rows[first:last]])
        there = np.arange(width)[None, :] < lengths[:, None]
        block = np.zeros((texts, width), dtype=np.int64)
        block[there] = np.concatenate([np.asarray(row, dtype=np.int64) for row in rows[first:last]])
        ids.append(block.ravel())
        places.append(np.tile(np.arange(width), texts))
        starts += range(cells, cells + texts * width, width)
        mask = None
        if not there.all():
            mask = torch.zeros(texts, width).masked_fill_(torch.from_numpy(~there), float("-inf"))
            mask = mask.to(kind)[:, None, None, :]
        blocks.append(Block(cells, texts, width, mask))
        cells += texts * width
    return Layout(torch.from_numpy(np.concatenate(ids)), torch.from_numpy(np.concatenate(places)), starts, blocks)


def attention_blocks(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """Rows of these lengths, the longest first, in blocks of nearly equal length: (first row, row after the last)."""
    starts: list[int] = [0] if lengths else []
    for row in range(1, len(lengths)):
        if lengths[row] < lengths[starts[-1]] * (1 - SLACK):
            starts.append(row)
    return list(pairwise([*starts, len(lengths)]))


def unit(rows: Vectors) -> Vectors:
    """The rows at length 1; a row of zeros stays."""
    scaled: Vectors = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return scaled


def _depth(state: Mapping[str, Any]) -> int:
    return 1 + max(int(name.split(".")[2]) for name in state if name.startswith("encoder.layer."))
