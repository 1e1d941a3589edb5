"""Texts made of others, for a network that learns what its teachers say: no label is needed of them.

Augmentation for distillation: Jiao et al. 2020, "TinyBERT", arXiv:1909.10351.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analyzers.scorers.trees import Ints

SHORTEST = 4
"""Tokens of a text that is altered, at least, without those that open and close it."""
KEPT = 0.4, 0.9
"""Share of a text that is kept where a part of it is taken."""
DROPPED = 0.2


def altered(rows: Sequence[Sequence[int]], chosen: Ints, most: int, random_: np.random.Generator) -> list[list[int]]:
    """A part of each chosen row of token ids, or the row without some tokens, or with another before or behind it.

    The first and last id of a row open and close it. Rows of at most `most` ids in all.
    """
    found = []
    for i in chosen.tolist():
        row = list(rows[i][1:-1])
        kind = random_.integers(3)
        if kind == 0:
            size = max(SHORTEST - 1, int(len(row) * random_.uniform(*KEPT)))
            start = int(random_.integers(max(len(row) - size, 0) + 1))
            row = row[start : start + size]
        elif kind == 1:
            row = [token for token in row if random_.random() > DROPPED] or row
        else:
            other = list(rows[int(random_.choice(chosen))][1:-1])
            row = row + other if random_.random() < 0.5 else other + row
        found.append([rows[i][0], *row[: most - 2], rows[i][-1]])
    return found
