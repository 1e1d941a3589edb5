"""Tunes the upper layers of all-MiniLM-L6-v2 to one task (the same for a seed on one machine)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzers.encoder import SentenceEncoder, length_batches
from analyzers.packed import packed_bert
from analyzers.scorers.branch import MOST_TOKENS, pooled, readable
from analyzers.scorers.trees import Floats, Ints

FIRST_LAYER = 2
"""Layers below are those of the encoder: their states are computed once, before the training."""
LAYERS = 2
"""Tuned layers that are shipped; teachers tune all that are above the shared ones."""
HEAD_RATE = 5.0
"""Learning rate of the linear model over that of the layers."""
MOST_ODDS = 8.0
"""Log odds of teachers are cut off here: beyond them all is certain."""
RIDGE, SPREAD = 1000.0, 0.01
"""L2 penalty of the first linear model over the cut layers, and the least spread of a state."""
WARM_UP = 0.1
DROPOUT = 0.1
TOKENS_PER_STEP = 1600
TOKENS_PER_PASS = 6000
HEADS = 12
ATTENTION = ("attention.self.query", "attention.self.key", "attention.self.value")


@dataclass(frozen=True)
class Pace:
    """epochs: how many; rate: highest learning rate of the layers."""

    epochs: int
    rate: float


FROM_LABELS, FROM_TEACHERS = Pace(6, 1.5e-4), Pace(3, 1e-4)

Epoch = Callable[[np.random.Generator], Ints]
"""Row numbers of one epoch."""


@dataclass(frozen=True)
class States:
    """Token states of texts after the shared layers: bf16 (tokens, d), those of text i at offsets[i:i + 2]."""

    states: Any
    offsets: Ints

    @property
    def lengths(self) -> Ints:
        """Tokens of each text."""
        return np.diff(self.offsets)

    def with_(self, other: States) -> States:
        """These texts, then the others."""
        import torch

        offsets = np.concatenate([self.offsets, self.offsets[-1] + other.offsets[1:]])
        return States(torch.cat([self.states, other.states]), offsets)

    def batch(self, rows: Ints) -> tuple[Any, Any]:
        """Padded states (rows, tokens, d), and which tokens are there."""
        import torch

        lengths = torch.from_numpy(self.lengths[rows])
        places = torch.arange(int(lengths.max()))[None, :]
        mask = places < lengths[:, None]
        return self.states[(torch.from_numpy(self.offsets[rows])[:, None] + places).masked_fill(~mask, 0)], mask


def token_rows(texts: Sequence[str], encoder: SentenceEncoder) -> list[list[int]]:
    """The first MOST_TOKENS token ids of each text: few are longer, and their label is of no one part of them."""
    ids = encoder.token_ids([readable(text) for text in texts])
    return encoder.whole([own[: MOST_TOKENS - 2] for own in ids])


def states_of(rows: Sequence[Sequence[int]], encoder: SentenceEncoder) -> States:
    """The states of rows of token ids after FIRST_LAYER layers."""
    import torch

    lower = packed_bert(encoder.bert(), {name: one.bfloat16() for name, one in encoder.bert().state_dict().items()})
    offsets = np.concatenate([[0], np.cumsum([len(own) for own in rows])])
    return States(torch.cat(lower.read(rows, FIRST_LAYER)), offsets)


def tuned_later(name: str) -> bool:
    """Whether a tensor of the network is one of the layers that are tuned."""
    return name.startswith("encoder.layer.") and int(name.split(".")[2]) >= FIRST_LAYER


@dataclass(frozen=True)
class Tuned:
    """Tensors of the tuned layers by their names in BertModel, and the linear model over their pooled states."""

    layers: dict[str, Any]
    head: Any
    bias: Any

    def parameters(self) -> list[Any]:
        """Everything that is learnt."""
        return [*self.layers.values(), self.head, self.bias]

    def cast(self) -> list[dict[str, Any]]:
        """The layers as the forward pass takes them: in bf16, query, key and value joined."""
        import torch

        found: dict[str, dict[str, Any]] = {}
        for name, tensor in self.layers.items():
            _, _, number, part = name.split(".", 3)
            found.setdefault(number, {})[part] = tensor.bfloat16()
        for layer in found.values():
            for kind in ("weight", "bias"):
                layer[f"joined.{kind}"] = torch.cat([layer.pop(f"{part}.{kind}") for part in ATTENTION])
        return [found[number] for number in sorted(found, key=int)]

    def pooled(self, states: Any, mask: Any, dropout: float = 0.0) -> Any:
        """Pooled states of a batch after the tuned layers, float32 (rows, 2 d)."""
        for layer in self.cast():
            states = forward(states, mask, layer, dropout)
        return pooled(states.float(), mask)

    def odds(self, states: Any, mask: Any, dropout: float = 0.0) -> Any:
        """Log odds of a batch, float32 (rows,)."""
        import torch.nn.functional as f

        return f.dropout(self.pooled(states, mask, dropout), dropout, dropout > 0) @ self.head + self.bias

    def states(self, found: States, rows: Ints) -> Floats:
        """Pooled states of some texts, float64 (n, 2 d)."""
        import torch

        result = np.zeros((len(rows), len(self.head)))
        with torch.inference_mode():
            for places in length_batches(found.lengths[rows].tolist(), TOKENS_PER_PASS):
                result[places] = self.pooled(*found.batch(rows[places])).numpy()
        return result

    def decision(self, found: States, rows: Ints) -> Floats:
        """Log odds of some texts, float64 (n,)."""
        odds: Floats = self.states(found, rows) @ self.head.detach().double().numpy() + float(self.bias.detach())
        return odds

    def shipped(self) -> Tuned:
        """The same as the weight file holds it: what is decided by it holds for what is shipped."""
        layers = {name: one.detach().half().float() for name, one in self.layers.items()}
        return Tuned(layers, self.head.detach().half().float(), self.bias.detach())

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """What the weight file holds, float16."""
        named = {**self.layers, "head.weight": self.head}
        return {name: one.detach().numpy().astype(np.float16) for name, one in named.items()}


def forward(states: Any, mask: Any, layer: Mapping[str, Any], dropout: float = 0.0) -> Any:
    """One transformer layer (post-norm, as BERT's), for training: states (rows, tokens, d), mask (rows, tokens).

    Devlin et al. 2019, arXiv:1810.04805. Dropout falls on the two branches that are added, on the same columns for every
    token of a text: it costs a tenth of the usual one on a CPU.
    """
    import torch
    import torch.nn.functional as f

    def linear(x: Any, part: str) -> Any:
        return f.linear(x, layer[f"{part}.weight"], layer[f"{part}.bias"])

    def added(x: Any, change: Any, part: str) -> Any:
        if dropout:
            kept = torch.rand(change.shape[0], 1, change.shape[2]) > dropout
            change = change * kept.to(change.dtype).div_(1 - dropout)
        return f.layer_norm(x + change, x.shape[-1:], layer[f"{part}.weight"], layer[f"{part}.bias"], 1e-12)

    rows, tokens, width = states.shape
    joined = linear(states, "joined").view(rows, tokens, 3, HEADS, width // HEADS).permute(2, 0, 3, 1, 4)
    query, key, value = (one.reshape(rows * HEADS, tokens, -1) for one in joined)
    hidden = torch.zeros(mask.shape, dtype=states.dtype).masked_fill(~mask, -1e4)[:, None, None, :]
    hidden = hidden.expand(-1, HEADS, -1, -1).reshape(rows * HEADS, 1, tokens)
    weights = torch.baddbmm(hidden, query, key.transpose(1, 2), alpha=(width // HEADS) ** -0.5).softmax(-1)
    mixed = torch.bmm(weights, value).view(rows, HEADS, tokens, -1).transpose(1, 2).reshape(rows, tokens, width)
    states = added(states, linear(mixed, "attention.output.dense"), "attention.output.LayerNorm")
    inner = linear(f.gelu(linear(states, "intermediate.dense")), "output.dense")
    return added(states, inner, "output.LayerNorm")


def tune(found: States, labels: Ints, weights: Floats, epoch: Epoch, encoder: SentenceEncoder, seed: int) -> Tuned:
    """Fits to the labels of the rows that `epoch` draws, by weighted cross-entropy."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    wanted, counts = torch.from_numpy(labels.astype(np.float32)), torch.from_numpy(weights.astype(np.float32))
    torch.manual_seed(seed)
    return _fitted(
        _fresh(encoder), found, epoch, FROM_LABELS, seed,
        lambda odds, rows: binary_cross_entropy_with_logits(odds, wanted[rows], counts[rows]),
    )  # fmt: skip


def distil(found: States, odds: Floats, weights: Floats, epoch: Epoch, teacher: Tuned, seed: int) -> Tuned:
    """The first LAYERS tuned layers of a teacher, fitted to log odds of texts, cut off at MOST_ODDS.

    Distillation: Hinton et al. 2015, arXiv:1503.02531; from layers of the teacher: Sanh et al. 2019, arXiv:1910.01108.
    weights: of the rows that `epoch` draws.
    """
    import torch
    from torch.nn.functional import smooth_l1_loss

    wanted = torch.from_numpy(np.clip(odds, -MOST_ODDS, MOST_ODDS).astype(np.float32))
    counts = torch.from_numpy(weights.astype(np.float32))
    torch.manual_seed(seed)
    return _fitted(
        _cut(teacher, found, wanted.numpy(), np.flatnonzero(weights)), found, epoch, FROM_TEACHERS, seed,
        lambda said, rows: (smooth_l1_loss(said, wanted[rows], reduction="none") * counts[rows]).mean(),
    )  # fmt: skip


def _fitted(
    tuned: Tuned, found: States, epoch: Epoch, pace: Pace, seed: int, loss_of: Callable[[Any, Ints], Any]
) -> Tuned:
    """Fits to what `loss_of` log odds and row numbers says: AdamW, linear warm-up and decay.

    Loshchilov & Hutter 2019, arXiv:1711.05101.
    """
    import torch

    optimizer = torch.optim.AdamW([{"params": list(tuned.layers.values())}, {"params": [tuned.head, tuned.bias]}])
    steps = _steps(found.lengths, epoch, pace.epochs, seed)
    total = 0.0
    for number, rows in enumerate(steps):
        now = min(1.0, (number + 1) / (WARM_UP * len(steps))) * max(0.02, 1 - number / (len(steps) + 1))
        for group, factor in zip(optimizer.param_groups, (1.0, HEAD_RATE), strict=True):
            group["lr"] = pace.rate * factor * now
        loss = loss_of(tuned.odds(*found.batch(rows), DROPOUT), rows)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(tuned.parameters(), 1.0)
        optimizer.step()
        total += float(loss.detach())
        if number % 100 == 99:
            print(f"branch: step {number + 1} of {len(steps)}, mean loss {total / (number + 1):.3f}", file=sys.stderr)
    return tuned


def _fresh(encoder: SentenceEncoder) -> Tuned:
    """The layers as they are in the trunk, with a small random linear model."""
    import torch

    state = encoder.bert().state_dict()
    layers = {name: one.float().clone().requires_grad_() for name, one in state.items() if tuned_later(name)}
    head = (0.02 * torch.randn(2 * encoder.dimension)).requires_grad_()
    return Tuned(layers, head, torch.zeros(1, requires_grad=True))


def _cut(teacher: Tuned, found: States, odds: Floats, rows: Ints) -> Tuned:
    """The first LAYERS layers of a teacher, with a linear model that tells the odds of the rows from their states."""
    import torch
    from sklearn.linear_model import Ridge

    layers = {
        name: one.detach().clone().requires_grad_()
        for name, one in teacher.layers.items()
        if int(name.split(".")[2]) < FIRST_LAYER + LAYERS
    }
    width = len(teacher.head)
    pooled_states = Tuned(layers, torch.zeros(width), torch.zeros(1)).states(found, rows)
    centre, spread = pooled_states.mean(axis=0), np.maximum(pooled_states.std(axis=0), SPREAD)
    model = Ridge(alpha=RIDGE).fit((pooled_states - centre) / spread, odds[rows])
    slopes = model.coef_ / spread
    head = torch.from_numpy(slopes.astype(np.float32)).requires_grad_()
    return Tuned(layers, head, torch.tensor([float(model.intercept_ - centre @ slopes)], requires_grad=True))


def _steps(lengths: Ints, epoch: Epoch, epochs: int, seed: int) -> list[Ints]:
    """Row numbers of each step: batches of similar length, in random order, for some epochs."""
    random_ = np.random.default_rng(seed)
    steps: list[Ints] = []
    for _ in range(epochs):
        rows = epoch(random_)
        noisy = lengths[rows] * (1 + 0.2 * random_.random(len(rows)))
        batches = length_batches(noisy.astype(np.int64).tolist(), TOKENS_PER_STEP)
        steps += [rows[batches[i]] for i in random_.permutation(len(batches))]
    return steps
