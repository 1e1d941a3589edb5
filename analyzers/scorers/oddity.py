"""How a sentence stands out in the text around it (pure)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analyzers.scorers.trees import Floats
from leewatch.contracts import Vectors

ODDITY_FEATURES = (
    "command",
    "attack",
    "lead",
    "lead_attack",
    "others",
    "centre",
    "nearest",
    "around",
    "isolation",
    "words",
    "size",
    "place",
)
"""command, attack: log odds that the sentence is an instruction to a model, or an attack on one. lead, lead_attack: how
far these lie above the mean of the other sentences; others: the highest command among the others. centre, nearest,
around: cosine to the mean of the other sentences, to the most similar one, and to those before and after. isolation:
how far `nearest` lies below the mean of all. words: log of the sentence's words; size: log of the number of sentences;
place: 0 at the start of the text, 1 at its end."""

LIMIT = 12.0
"""Log odds are cut here: beyond, they tell nothing more."""


def oddity_features(texts: Sequence[str], vectors: Vectors, command: Floats, attack: Floats) -> Floats:
    """ODDITY_FEATURES of every sentence of one text, float64 (n, 12). `vectors` are their unit vectors (n, d).

    A sentence that stands alone has cosine 0 to others and no lead.
    """
    count = len(texts)
    command, attack = np.clip(command, -LIMIT, LIMIT), np.clip(attack, -LIMIT, LIMIT)
    total = vectors.sum(axis=0)
    rest = total - vectors
    centre = (rest * vectors).sum(axis=1) / np.maximum(np.linalg.norm(rest, axis=1), 1e-9)
    cosine = (vectors @ vectors.T).astype(np.float64)
    np.fill_diagonal(cosine, -1.0)
    nearest = cosine.max(axis=1) if count > 1 else np.zeros(1)
    around = _around(cosine) if count > 1 else np.zeros(1)
    columns = (
        command,
        attack,
        _lead(command),
        _lead(attack),
        _highest_other(command),
        centre,
        nearest,
        around,
        nearest.mean() - nearest,
        np.log1p([len(text.split()) for text in texts]),
        np.full(count, np.log(count)),
        np.arange(count) / max(count - 1, 1),
    )
    return np.stack(columns, axis=1).astype(np.float64)


def _around(cosine: Floats) -> Floats:
    beside = np.diagonal(cosine, 1)
    summed = np.append(beside, 0.0) + np.insert(beside, 0, 0.0)
    sides = np.full(len(cosine), 2.0)
    sides[[0, -1]] = 1.0
    mean: Floats = summed / sides
    return mean


def _lead(values: Floats) -> Floats:
    if len(values) < 2:
        return np.zeros(len(values))
    lead: Floats = values - (values.sum() - values) / (len(values) - 1)
    return lead


def _highest_other(values: Floats) -> Floats:
    if len(values) < 2:
        return np.full(len(values), -LIMIT)
    first, second = np.sort(values)[::-1][:2]
    highest: Floats = np.where(values == first, second, first)
    return highest
