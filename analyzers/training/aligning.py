"""Fits the alignment model: rows, their sentences, words known to be wrong, and pairs within a document (seeded)."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzers.scorers.alignment import CLAIM_PIECES, SUMMARY, WORD_FEATURES, Vocabulary, word_features
from analyzers.scorers.token_states import States
from analyzers.training.claims import Item

EPOCHS = 2
RATE = 1e-3
WIDTH, KEYS = 96, 64
DROPOUT = 0.2
SHARE_OTHERS = 0.5
"""Share of rows of sources without many responses to a context, and of synthetic claims, taken in one epoch."""
WEIGHT_SENTENCES, WEIGHT_WORDS, WEIGHT_PAIRS = 0.3, 0.5, 1.0
WRONG_WORDS = 3.0
"""Weight of a wrong word against one that is not: they are rare."""

NAMES = {
    "query.weight": "query.weight", "value.weight": "value.weight", "value.bias": "value.bias",
    "hidden.0.weight": "hidden.weight", "hidden.0.bias": "hidden.bias", "hidden.3.weight": "out.weight",
    "hidden.3.bias": "out.bias", "sharpness": "sharpness", "stem_bonus": "stem_bonus",
    "summary.weight": "summary.weight", "summary.bias": "summary.bias",
}  # fmt: skip
"""Names of the network's parameters and of the tensors that `analyzers.scorers.alignment` reads."""


def train_alignment(
    rows: Sequence[Item], synthetic: Sequence[Item], known: Vocabulary, seed: int
) -> Mapping[str, npt.NDArray[np.float16]]:
    """The tensors of the model, named `align.*`. About two minutes on one core for ten thousand items."""
    import torch

    torch.manual_seed(seed)
    rng = random.Random(seed)
    network = _network(rows[0].claims[0].states.shape[1])
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-3)
    plan = [batch for _ in range(EPOCHS) for batch in _batches(rows, synthetic, rng)]
    cache: dict[int, npt.NDArray[np.float32]] = {}
    for step, batch in enumerate(plan):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 50) * max(0.03, 1 - step / len(plan))
        loss = _loss(network, batch, known, cache)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    found = network.state_dict()
    return {f"align.{name}": found[key].numpy().astype(np.float16) for key, name in NAMES.items()}


def _batches(rows: Sequence[Item], synthetic: Sequence[Item], rng: random.Random) -> list[list[Item]]:
    """Batches of about the same work: documents with many responses in tens, the others as they come, synthetic ones by
    the sentence they were made from."""
    tens = [ten for group in _grouped((row for row in rows if row.ranked), rng) for ten in _cut(group, 10)]
    rng.shuffle(tens)
    batches = [list(chain.from_iterable(two)) for two in _cut(tens, 2)]
    others = [row for row in rows if not row.ranked and rng.random() < SHARE_OTHERS]
    rng.shuffle(others)
    batches += _cut(others, 32)
    groups = [group for group in _grouped(synthetic, rng) if rng.random() < SHARE_OTHERS]
    rng.shuffle(groups)
    batches += [list(chain.from_iterable(ten)) for ten in _cut(groups, 10)]
    rng.shuffle(batches)
    return batches


def _grouped(items: Iterable[Item], rng: random.Random) -> list[list[Item]]:
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(item.document, []).append(item)
    for group in groups.values():
        rng.shuffle(group)
    return list(groups.values())


def _cut(items: Sequence[Any], size: int) -> list[Any]:
    return [list(items[start : start + size]) for start in range(0, len(items), size)]


def _loss(network: Any, batch: Sequence[Item], known: Vocabulary, cache: dict[int, npt.NDArray[np.float32]]) -> Any:
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

    whole, pieces = network(*_tensors(batch, known, cache))
    owner = torch.tensor([i for i, item in enumerate(batch) for _ in item.claims])
    row = torch.full((len(batch),), -1e4).scatter_reduce(0, owner, whole, "amax")
    label = torch.tensor([float(item.label) for item in batch])
    share = label.mean().clamp(0.05, 0.95)
    weight = torch.where(label == 1, 0.5 / share, 0.5 / (1 - share))
    loss = cross_entropy(row, label, weight=weight)
    told = torch.tensor([known_ for item in batch for known_ in item.known])
    if (told >= 0).any():
        loss = loss + WEIGHT_SENTENCES * cross_entropy(whole[told >= 0], told[told >= 0].float())
    wrong = [one for item in batch for one in item.wrong]
    places = [(i, one) for i, one in enumerate(wrong) if one]
    if places:
        found = torch.cat([pieces[i, : len(one)] for i, one in places])
        target = torch.tensor([float(value) for _, one in places for value in one])
        loss = loss + WEIGHT_WORDS * cross_entropy(found, target, pos_weight=torch.tensor(WRONG_WORDS))
    worse, better = _pairs(batch)
    if worse:
        loss = loss + WEIGHT_PAIRS * torch.nn.functional.softplus(row[better] - row[worse]).mean()
    return loss


def _pairs(batch: Sequence[Item]) -> tuple[list[int], list[int]]:
    """Rows with label 1 and 0 of one document, pair by pair (Burges et al. 2005, doi:10.1145/1102351.1102363)."""
    pairs = [
        (i, j)
        for i, one in enumerate(batch)
        for j, other in enumerate(batch)
        if one.ranked and one.document == other.document and one.label > other.label
    ]
    return [i for i, _ in pairs], [j for _, j in pairs]


def _tensors(batch: Sequence[Item], known: Vocabulary, cache: dict[int, npt.NDArray[np.float32]]) -> tuple[Any, ...]:
    """States of claims and evidence, which places are used, features of words and equal stems, for every claim."""
    import torch

    pairs = [pair for item in batch for pair in zip(item.claims, item.evidence, strict=True)]
    width = max(min(len(claim.pieces), CLAIM_PIECES) for claim, _ in pairs)
    length = max(sum(len(one.pieces) for one in evidence) for _, evidence in pairs)
    depth = pairs[0][0].states.shape[1]
    claims, beside = torch.zeros(len(pairs), width, depth), torch.zeros(len(pairs), length, depth)
    used, there = torch.zeros(len(pairs), width, dtype=torch.bool), torch.zeros(len(pairs), length, dtype=torch.bool)
    words, same = torch.zeros(len(pairs), width, WORD_FEATURES), torch.zeros(len(pairs), width, length)
    for row, (claim, evidence) in enumerate(pairs):
        pieces, other = claim.pieces[:CLAIM_PIECES], np.concatenate([one.pieces for one in evidence])
        n, m = len(pieces), len(other)
        claims[row, :n] = torch.from_numpy(claim.states[:n].astype(np.float32))
        beside[row, :m] = torch.from_numpy(_joined(evidence))
        used[row, :n], there[row, :m] = True, True
        key = hash((id(claim), tuple(id(one) for one in evidence)))
        if key not in cache:
            cache[key] = word_features(pieces, other, known)
        words[row, :n] = torch.from_numpy(cache[key])
        same[row, :n, :m] = torch.from_numpy(
            (known.stems[pieces][:, None] == known.stems[other][None, :]).astype(np.float32)
        )
    return claims, beside, used, there, words, same


def _joined(evidence: Sequence[States]) -> npt.NDArray[np.float32]:
    joined: npt.NDArray[np.float32] = np.concatenate([one.states for one in evidence]).astype(np.float32)
    return joined


def _network(depth: int) -> Any:
    """The trainable twin of `analyzers.scorers.alignment.Alignment`."""
    import torch
    from torch import nn

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.query = nn.Linear(depth, KEYS, bias=False)
            self.value = nn.Linear(depth, WIDTH)
            self.drop = nn.Dropout(DROPOUT)
            self.hidden = nn.Sequential(
                nn.Linear(4 * WIDTH + WORD_FEATURES + 2, WIDTH), nn.GELU(), nn.Dropout(DROPOUT), nn.Linear(WIDTH, 1)
            )
            self.sharpness, self.stem_bonus = nn.Parameter(torch.tensor(2.0)), nn.Parameter(torch.tensor(2.0))
            self.summary = nn.Linear(SUMMARY, 1)

        def forward(self, claims: Any, beside: Any, used: Any, there: Any, words: Any, same: Any) -> tuple[Any, Any]:
            claims, beside = self.drop(claims), self.drop(beside)
            one, other = (nn.functional.normalize(self.query(rows), dim=-1) for rows in (claims, beside))
            similar = one @ other.transpose(1, 2)
            attention = similar * self.sharpness.exp() + self.stem_bonus * same
            attention = attention.masked_fill(~there[:, None, :], -1e4).softmax(-1)
            value = self.value(claims)
            met = attention @ self.value(beside)
            best = similar.masked_fill(~there[:, None, :], -1).max(-1).values
            extra = torch.stack([best, (attention**2).sum(-1)], dim=-1)
            joined = torch.cat([value, met, (value - met).abs(), value * met, words, extra], dim=-1)
            pieces = self.hidden(joined).squeeze(-1).masked_fill(~used, -20)
            whole = torch.logsumexp(pieces, 1) + self.summary(self.summarized(pieces, best, used, words)).squeeze(-1)
            return whole, pieces

        @staticmethod
        def summarized(pieces: Any, best: Any, used: Any, words: Any) -> Any:
            """As `analyzers.scorers.alignment.summarized`."""
            each = used.float()
            content = each * (1 - words[..., 2])
            many = content.sum(1).clamp(min=1)
            new = ((1 - words[..., 1]) * content).sum(1)
            second = pieces.topk(2, dim=1).values[:, 1] / 4 if pieces.shape[1] > 1 else torch.full_like(new, -5.0)
            return torch.stack(
                [
                    torch.log1p(each.sum(1)), new / many, (best * content).sum(1) / many,
                    best.masked_fill(~used, 1.0).min(1).values, (pieces.sigmoid() * each).sum(1) / each.sum(1),
                    (words[..., 6] * content).sum(1) / many, new.clamp(max=8) / 4, second,
                ],
                dim=1,
            )  # fmt: skip

    return Network()
