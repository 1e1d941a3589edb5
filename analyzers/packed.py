"""A BERT forward pass almost without padding, for CPUs: the tokens of all texts stand in one long row.

Every product of a batch is then one matrix product over little but tokens, and only attention, a tenth of the work,
looks at single texts. On a processor that multiplies bf16 it takes half the time of the padded pass.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzers.attention import attend
from leewatch.contracts import Vectors

Halves = npt.NDArray[np.float16]

log = logging.getLogger(__name__)

TOKENS_PER_BATCH = {"cpu": 4096, "cuda": 65536}
"""Tokens of one forward pass. Larger batches gain nothing on a CPU; on a GPU they keep it busy."""
SLACK = 0.05
"""Texts whose lengths differ by at most this share stand in one block of attention, padded to the longest: a few percent
of cells without a token cost less than to take the tokens apart and together again in every layer."""

KEPT_TOKENS = 100_000
"""Tokens whose states are kept, 77 MB in bf16 with the default model: about 500 chats."""

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
    """Rows of tokens laid out as one row of cells. starts: first cell of each row, in order; cells: how many in all."""

    starts: list[int]
    blocks: list[Block]
    cells: int


class PackedBert:
    """The forward pass of a `BertModel` with mean pooling, or of some of its layers, from its weights. Not for training."""

    def __init__(self, state: Mapping[str, Any], heads: int, epsilon: float) -> None:
        """state: the weights by their names in BertModel, all of one dtype on one device; layers may be missing."""
        self._heads, self._epsilon = heads, epsilon
        self._words = state["embeddings.word_embeddings.weight"]
        kind = state["embeddings.token_type_embeddings.weight"][0]
        self._places = state["embeddings.position_embeddings.weight"] + kind
        self._norm = (state["embeddings.LayerNorm.weight"], state["embeddings.LayerNorm.bias"])
        self._layers = {number: _Layer(state, f"encoder.layer.{number - 1}.") for number in _numbers(state)}
        self.dimension = int(self._words.shape[1])
        self.dtype, self.device = self._words.dtype, self._words.device
        self.budget = token_budget(self.device.type)
        """Tokens read at once at most, but for a longer text."""

    def encode(self, rows: Sequence[Sequence[int]], keep: KeptStates | None = None) -> Vectors:
        """Mean of the last token states of each row of token ids, unit length, float32 (n, dimension).

        keep: takes the states of each row after its layer.
        """
        import torch

        result = np.zeros((len(rows), self.dimension), dtype=np.float32)
        layers = () if keep is None else (keep.layer,)
        with torch.inference_mode():
            for batch, starts, states in self._batches(rows, layers):
                cells = states[-1].float().numpy()
                edges = np.array(
                    [(start, start + len(rows[i])) for i, start in zip(batch, starts, strict=True)]
                ).ravel()
                cells = np.concatenate([cells, cells[:1]])  # so that the last edge is a place too
                result[batch] = np.add.reduceat(cells, edges)[::2]
                for i, start in zip(batch, starts, strict=True):
                    if keep is not None:
                        keep.put(rows[i], states[0][start : start + len(rows[i])])
        return unit(result)

    def embedded(self, rows: Sequence[Sequence[int]], laid: Layout) -> Any:
        """States before the first layer, (cells, dimension)."""
        import torch

        cells = np.zeros((2, laid.cells), dtype=np.int64)
        for row, start in zip(rows, laid.starts, strict=True):
            cells[:, start : start + len(row)] = row, range(len(row))
        ids, places = torch.from_numpy(cells).to(self.device)
        return self._normalized(self._words[ids] + self._places[places], self._norm)

    def states(self, before: Any, laid: Layout, layers: Sequence[int] = (), last: int = 0) -> list[Any]:
        """States (cells, dimension) after each of `layers` (1: the first), and after the last, or the one named so.

        before: states before the lowest layer that there is.
        """
        states, kept = before, []
        for number, layer in self._layers.items():
            if last and number > last:
                break
            mixed = layer.out(self._attention(layer.query_key_value(states), laid.blocks))
            states = self._normalized(mixed.add_(states), layer.attention_norm)
            states = self._normalized(layer.down(layer.up(states)).add_(states), layer.output_norm)
            if number in layers:
                kept.append(states)
        return [*kept, states]

    def read(self, rows: Sequence[Sequence[int]], last: int) -> list[Any]:
        """States of the tokens of each row of token ids after a layer, (tokens, dimension), in the order of the rows."""
        import torch

        found: list[Any] = [None] * len(rows)
        with torch.inference_mode():
            for batch, starts, states in self._batches(rows, (), last):
                for i, start in zip(batch, starts, strict=True):
                    found[i] = states[-1][start : start + len(rows[i])]
        return found

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

    def _batches(
        self, rows: Sequence[Sequence[int]], layers: Sequence[int], last: int = 0
    ) -> Iterator[tuple[list[int], list[int], list[Any]]]:
        """Numbers of some rows, the first cell of each, and the states of the cells."""
        for batch in token_batches([len(row) for row in rows], self.budget):
            own = [rows[i] for i in batch]
            laid = layout([len(row) for row in own], self.dtype, self.device)
            yield batch, laid.starts, self.states(self.embedded(own, laid), laid, layers, last)

    def _normalized(self, states: Any, norm: tuple[Any, Any]) -> Any:
        import torch

        return torch.nn.functional.layer_norm(states, (self.dimension,), *norm, self._epsilon)

    def _attention(self, states: Any, blocks: Sequence[Block]) -> Any:
        """Attention within each text; states (cells, 3 * dimension) hold query, key and value."""
        result = states.new_empty(len(states), self.dimension)
        for one in blocks:
            shape = (one.texts, one.width, 3, self._heads, self.dimension // self._heads)
            query, key, value = states[one.first : one.last].view(shape).permute(2, 0, 3, 1, 4).unbind(0)
            own = result[one.first : one.last].view(one.texts, one.width, self._heads, -1)
            attend(query, key, value, one.mask, own.transpose(1, 2))
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
        return packed_bert(bert)
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        log.info("the model runs with padding: %s", type(error).__name__)
        return None


def packed_bert(bert: Any, state: Mapping[str, Any] | None = None) -> PackedBert:
    """A `BertModel`, or other weights of its shape by the same names, as a packed pass, on any device."""
    own = {name: tensor.detach() for name, tensor in bert.state_dict().items()} if state is None else state
    return PackedBert(own, bert.config.num_attention_heads, bert.config.layer_norm_eps)


def linear(weight: Any, bias: Any, gelu: bool = False) -> Linear:
    """x -> x W^T + b, and GELU of that; in bf16 by oneDNN with packed weights, where this torch has that."""
    import torch

    functional = torch.nn.functional

    def plain(rows: Any) -> Any:
        result = functional.linear(rows, weight, bias)
        return functional.gelu(result) if gelu else result

    if weight.dtype != torch.bfloat16 or weight.device.type != "cpu":
        return plain
    try:
        operations = torch.ops.mkldnn
        ready = operations._reorder_linear_weight(weight.contiguous(), TOKENS_PER_BATCH["cpu"])
        after: tuple[str, list[Any], str] = ("gelu", [], "none") if gelu else ("none", [], "")

        def fused(rows: Any) -> Any:
            return operations._linear_pointwise(rows, ready, bias, *after)

        probe = torch.linspace(-2, 2, weight.shape[1], dtype=torch.bfloat16).expand(3, -1).contiguous()
        same = torch.allclose(fused(probe).float(), plain(probe).float(), atol=0.05, rtol=0.02)
    except (RuntimeError, AttributeError, NotImplementedError) as error:  # not public: another torch may lack it
        _tell_slow(type(error).__name__)
        return plain
    if not same:
        _tell_slow("it gives other results here")
    return fused if same else plain


@cache
def _tell_slow(reason: str) -> None:
    """Once a process: every product asks for the operation anew."""
    log.warning("the encoder runs at about half its speed: this torch has no packed bf16 product (%s)", reason)


def token_budget(device: str) -> int:
    """Tokens of one forward pass on a device such as `cpu` or `cuda:1`."""
    return TOKENS_PER_BATCH["cuda" if device.startswith("cuda") else "cpu"]


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


def layout(lengths: Sequence[int], kind: Any, device: Any = "cpu") -> Layout:
    """Rows of these lengths, the longest first, as one row of cells; masks in the given dtype."""
    import torch

    starts: list[int] = []
    blocks: list[Block] = []
    cells = 0
    for first, last in attention_blocks(lengths):
        texts, width = last - first, lengths[first]
        starts += range(cells, cells + texts * width, width)
        there = np.arange(width)[None, :] < np.array(lengths[first:last])[:, None]
        mask = None
        if not there.all():
            mask = torch.zeros(texts, width).masked_fill_(torch.from_numpy(~there), float("-inf"))
            mask = mask.to(device, kind)[:, None, None, :]
        blocks.append(Block(cells, texts, width, mask))
        cells += texts * width
    return Layout(starts, blocks, cells)


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


class KeptStates:
    """States of the tokens of recent rows after one layer, by their token ids: what one pass computed another need not."""

    def __init__(self, layer: int) -> None:
        self.layer = layer
        self._states: OrderedDict[bytes, Any] = OrderedDict()
        self._tokens = 0

    def put(self, row: Sequence[int], states: Any) -> None:
        """states: (tokens, dimension), a view of a batch's: the batch lives as long as one of its rows."""
        if (key := _key(row)) not in self._states:
            self._states[key] = states
            self._tokens += len(row)
        while self._tokens > KEPT_TOKENS:
            self._tokens -= len(self._states.popitem(last=False)[1])

    def get(self, row: Sequence[int]) -> Any:
        """None where they are not kept, or no longer."""
        return self._states.get(_key(row))


def _key(row: Sequence[int]) -> bytes:
    return np.asarray(row, dtype=np.int32).tobytes()


def _numbers(state: Mapping[str, Any]) -> list[int]:
    """Numbers of the layers that there are, 1: the first."""
    return sorted({1 + int(name.split(".")[2]) for name in state if name.startswith("encoder.layer.")})
