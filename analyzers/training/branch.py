"""Tunes the upper layers of all-MiniLM-L6-v2 to one task (the same for a seed on one machine)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzers.encoder import SentenceEncoder, length_batches
from analyzers.packed import PackedBert, layout, token_batches
from analyzers.scorers.branch import pooled, token_rows
from analyzers.scorers.trees import Floats, Ints

FIRST_LAYER = 2
"""Layers below are those of the encoder: their states are computed once, before the training."""
EPOCHS = 6
RATE, HEAD_RATE = 1.5e-4, 7.5e-4
WARM_UP = 0.1
DROPOUT = 0.1
TOKENS_PER_STEP = 1600
TOKENS_PER_PASS = 6000
HEADS = 12
ATTENTION = ("attention.self.query", "attention.self.key", "attention.self.value")

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

    def batch(self, rows: Ints) -> tuple[Any, Any]:
        """Padded states (rows, tokens, d), and which tokens are there."""
        import torch

        lengths = torch.from_numpy(self.lengths[rows])
        places = torch.arange(int(lengths.max()))[None, :]
        mask = places < lengths[:, None]
        return self.states[(torch.from_numpy(self.offsets[rows])[:, None] + places).masked_fill(~mask, 0)], mask


def states_of(texts: Sequence[str], encoder: SentenceEncoder) -> States:
    """The states of the texts after FIRST_LAYER layers."""
    import torch

    rows = [own[0] for own in token_rows(texts, encoder)]  # longer ones are few, and their label is of no one row
    state = {name: one for name, one in encoder.bert().state_dict().items() if not tuned_later(name)}
    lower = PackedBert({name: one.bfloat16() for name, one in state.items()}, HEADS, 1e-12)
    offsets = np.concatenate([[0], np.cumsum([len(own) for own in rows])])
    result = torch.zeros((int(offsets[-1]), lower.dimension), dtype=torch.bfloat16)
    with torch.no_grad():
        for batch in token_batches([len(own) for own in rows], TOKENS_PER_PASS):
            laid = layout([rows[i] for i in batch], torch.bfloat16)
            found = lower.states(laid)[-1]
            for i, start in zip(batch, laid.starts, strict=True):
                result[offsets[i] : offsets[i + 1]] = found[start : start + len(rows[i])]
    return States(result, offsets)


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
    """Fits to the rows that `epoch` draws: weighted cross-entropy, AdamW, linear warm-up and decay.

    Loshchilov & Hutter 2019, arXiv:1711.05101.
    """
    import torch

    torch.manual_seed(seed)
    tuned = _fresh(encoder)
    optimizer = torch.optim.AdamW(
        [{"params": list(tuned.layers.values()), "lr": RATE}, {"params": [tuned.head, tuned.bias], "lr": HEAD_RATE}]
    )
    steps = _steps(found.lengths, epoch, seed)
    wanted, counts = torch.from_numpy(labels.astype(np.float32)), torch.from_numpy(weights.astype(np.float32))
    total = 0.0
    for number, rows in enumerate(steps):
        pace = min(1.0, (number + 1) / (WARM_UP * len(steps))) * max(0.02, 1 - number / (len(steps) + 1))
        for group, rate in zip(optimizer.param_groups, (RATE, HEAD_RATE), strict=True):
            group["lr"] = rate * pace
        odds = tuned.odds(*found.batch(rows), DROPOUT)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(odds, wanted[rows], counts[rows])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
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


def _steps(lengths: Ints, epoch: Epoch, seed: int) -> list[Ints]:
    """Row numbers of each step: batches of similar length, in random order, EPOCHS times."""
    random_ = np.random.default_rng(seed)
    steps: list[Ints] = []
    for _ in range(EPOCHS):
        rows = epoch(random_)
        noisy = lengths[rows] * (1 + 0.2 * random_.random(len(rows)))
        batches = length_batches(noisy.astype(np.int64).tolist(), TOKENS_PER_STEP)
        steps += [rows[batches[i]] for i in random_.permutation(len(batches))]
    return steps
